package io.ovsdpdk.cni;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.LogLevel;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;

/** Calls the plugin as a container runtime does: environment, standard input, standard output. */
final class ContainerRuntime {
    static final String CONTAINER = "0123456789abcdef";
    static final String NETNS = "/run/netns/p1";

    /** Long enough for a loaded machine to answer, short enough to wait for what never comes. */
    static final Patience IMPATIENT = new Patience(
            Duration.ofMillis(200),
            Duration.ofMillis(500),
            Duration.ofMillis(300),
            Duration.ofMillis(500),
            Duration.ofMillis(500),
            Duration.ofMillis(200),
            Duration.ofMillis(300));

    /** What the plugin left behind. */
    record Answer(int status, String stdout, String stderr) {
        ObjectNode json() {
            return ContainerRuntime.json(stdout);
        }

        int code() {
            return json().path("code").asInt();
        }

        String message() {
            return json().path("msg").asText();
        }

        String details() {
            return json().path("details").asText();
        }
    }

    private final Map<String, String> environment = new HashMap<>();
    private final Path nodeConfiguration;
    private final NodeConfiguration otherwise;

    /** @param folder for the node configuration; the agent's socket is {@code agent/agent.sock} in it */
    ContainerRuntime(Path folder) throws IOException {
        nodeConfiguration = folder.resolve("ovs-dpdk.conf");
        otherwise = new NodeConfiguration(
                Files.createDirectories(folder.resolve("usual/agent")).resolve("agent.sock"),
                Duration.ofSeconds(1),
                Duration.ZERO,
                deviceInfo(folder),
                LogLevel.WARN);
        node("\"addTimeoutSeconds\": 1, \"agentWaitSeconds\": 0");
        environment.put("CNI_CONTAINERID", CONTAINER);
        environment.put("CNI_NETNS", NETNS);
        environment.put("CNI_IFNAME", "net1");
        environment.put("CNI_PATH", "/opt/cni/bin:/usr/lib/cni");
        environment.put(
                "CNI_ARGS", "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=p1;K8S_POD_UID=8a8822f0-3e4e");
        environment.put("PATH", System.getenv("PATH"));
    }

    /** Replaces the node configuration, apart from {@code agentSocket} and {@code deviceInfoFolder}. */
    ContainerRuntime node(String keys) throws IOException {
        Files.writeString(
                nodeConfiguration,
                "{\"agentSocket\": \"" + agentSocket(nodeConfiguration.getParent()) + "\", \"deviceInfoFolder\": \""
                        + deviceInfo(nodeConfiguration.getParent()) + "\", " + keys + "}");
        return this;
    }

    /** Where Multus has files of device information; it is not there until somebody makes it. */
    static Path deviceInfo(Path folder) {
        return folder.resolve("devinfo/cni");
    }

    /** Where the agent of a run folder listens; the folder around it is made. */
    static Path agentSocket(Path folder) throws IOException {
        return Files.createDirectories(folder.resolve("agent")).resolve("agent.sock");
    }

    /** Where deletions are left for it. */
    static Path deletions(Path folder) {
        return folder.resolve("deletions");
    }

    Path nodeConfiguration() {
        return nodeConfiguration;
    }

    ContainerRuntime with(String variable, String value) {
        environment.put(variable, value);
        return this;
    }

    ContainerRuntime without(String variable) {
        environment.remove(variable);
        return this;
    }

    Answer call(String command, String network) {
        return call(command, network.getBytes(StandardCharsets.UTF_8));
    }

    Answer call(String command, byte[] network) {
        environment.put("CNI_COMMAND", command);
        ByteArrayOutputStream stdout = new ByteArrayOutputStream();
        ByteArrayOutputStream stderr = new ByteArrayOutputStream();
        int status;
        try (PrintStream print = new PrintStream(stderr, true, StandardCharsets.UTF_8)) {
            status = new Plugin(nodeConfiguration, otherwise, IMPATIENT)
                    .run(environment, new ByteArrayInputStream(network), stdout, print);
        }
        return new Answer(status, stdout.toString(StandardCharsets.UTF_8), stderr.toString(StandardCharsets.UTF_8));
    }

    /** @param more further members, each with a comma before it */
    static String network(String version, String more) {
        return "{\"cniVersion\":\"" + version + "\",\"name\":\"fast\",\"type\":\"ovs-dpdk\",\"bridge\":\"br0\","
                + "\"sharedDir\":\"/var/lib/cni/usrspcni\"" + more + "}";
    }

    static ObjectNode json(String text) {
        try {
            return Json.readObject("test data", text.getBytes(StandardCharsets.UTF_8));
        } catch (CniException e) {
            throw new AssertionError(text, e);
        }
    }
}
