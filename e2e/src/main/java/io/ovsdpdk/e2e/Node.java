package io.ovsdpdk.e2e;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.AttachmentRequest;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.PodIdentity;
import io.ovsdpdk.api.Reply;
import io.ovsdpdk.api.Request;
import io.ovsdpdk.api.Wire;
import io.ovsdpdk.ovsdb.testbed.ChildProcess;
import io.ovsdpdk.ovsdb.testbed.FolderTree;
import io.ovsdpdk.ovsdb.testbed.OvsDpdk;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;

/**
 * A node of a cluster in small: a real Open vSwitch with DPDK, the agent as a process of its own, and the plugin's command
 * line, all in private folders. Everything is gone when it is closed.
 */
public final class Node implements AutoCloseable {
    /** Where Debian has the IPAM plugins. */
    public static final Path CNI_PATH = Path.of("/usr/lib/cni");

    private static final Duration START = Duration.ofSeconds(30);

    private final OvsDpdk ovs;
    private final Path folder;
    private final AtomicInteger containers = new AtomicInteger();
    private Optional<ChildProcess> agent = Optional.empty();
    private Optional<Path> build = Optional.empty();
    private List<String> jvmOptions = List.of("-Xmx256m");
    private Map<String, String> agentEnvironment = Map.of();

    private Node(OvsDpdk ovs, Path folder) {
        this.ovs = ovs;
        this.folder = folder;
    }

    /** A node whose switch has the bridge {@code br0}, with a running agent. */
    public static Node start() throws IOException {
        return startWithBridge(OvsDpdk.start());
    }

    /** Likewise, with a switch that runs as this user. */
    public static Node startWithSwitchOf(int uid) throws IOException {
        return startWithBridge(OvsDpdk.startAs(uid));
    }

    private static Node startWithBridge(OvsDpdk ovs) throws IOException {
        try {
            ovs.addBridge("br0");
        } catch (IOException e) {
            ovs.close();
            throw e;
        }
        return start(ovs);
    }

    /** A node with a switch that is there already, and that is closed with the node. */
    public static Node start(OvsDpdk ovs) throws IOException {
        Node node = new Node(ovs, Files.createTempDirectory(Path.of("/tmp"), "node-"));
        try {
            // The switch may be another user, who comes by here
            Files.setPosixFilePermissions(node.folder(), PosixFilePermissions.fromString("rwx--x--x"));
            Files.createDirectories(node.sharedRoot());
            node.configure(Json.object());
            node.startAgent();
            return node;
        } catch (IOException e) {
            node.close();
            throw e;
        }
    }

    public OvsDpdk ovs() {
        return ovs;
    }

    public Path agentSocket() {
        return runDir().resolve("agent/agent.sock");
    }

    /** The agent's {@code --run-dir}. */
    public Path runDir() {
        return folder.resolve("run");
    }

    /** The agent's {@code --state-dir}. */
    public Path stateDir() {
        return folder.resolve("state");
    }

    /** The agent's {@code --shared-dir-root}. */
    public Path sharedRoot() {
        return folder.resolve("shared");
    }

    /** The plugin's node configuration. */
    public Path configuration() {
        return folder.resolve("ovs-dpdk.conf");
    }

    /** Writes the plugin's node configuration: where this node's agent listens, and what else is given. */
    public void configure(ObjectNode settings) throws IOException {
        Files.write(
                configuration(),
                Json.write(settings.deepCopy().put("agentSocket", agentSocket().toString())));
    }

    /** For whatever else a test needs on this node. */
    public Path folder() {
        return folder;
    }

    /** From now on agents are those of this folder with {@code node-agent-*.jar} and {@code lib/}. */
    public void useBuild(Path folderOfJar) {
        build = Optional.of(folderOfJar);
    }

    /** From now on agents run with these options of the JVM. */
    public void useJvm(List<String> options) {
        jvmOptions = List.copyOf(options);
    }

    /** From now on agents have these variables besides those of this process. */
    public void useEnvironment(Map<String, String> variables) {
        agentEnvironment = Map.copyOf(variables);
    }

    /**
     * Starts the agent and waits until it serves.
     *
     * @param more options besides those that name this node's folders
     */
    public void startAgent(String... more) throws IOException {
        ChildProcess started = launchAgent(more);
        agent = Optional.of(started);
        long end = System.nanoTime() + START.toNanos();
        while (!answers()) {
            if (!started.isAlive() || System.nanoTime() > end) {
                throw new IOException("the agent does not come up:\n" + agentLog());
            }
            LockSupport.parkNanos(5_000_000);
        }
    }

    /** Starts one more agent on this node's folders, which is not waited for and which the caller must end. */
    public ChildProcess launchAgent(String... more) throws IOException {
        return launchAgentIn(runDir(), more);
    }

    /** Likewise, with another folder for its socket and its mounts. */
    public ChildProcess launchAgentIn(Path runDir, String... more) throws IOException {
        List<String> command =
                new ArrayList<>(Jars.agent(jvmOptions, build.isPresent() ? build.get() : Jars.agentBuild()));
        command.addAll(List.of(
                "--ovsdb=unix:" + ovs.socket(),
                "--run-dir=" + runDir,
                "--state-dir=" + stateDir(),
                "--shared-dir-root=" + sharedRoot()));
        command.addAll(List.of(more));
        return ChildProcess.start(command, agentEnvironment, folder.resolve("agent.log"));
    }

    private boolean answers() {
        try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            return channel.connect(UnixDomainSocketAddress.of(agentSocket()));
        } catch (IOException e) {
            return false;
        }
    }

    /** SIGTERM, and waits for the end. */
    public void stopAgent() throws IOException {
        agent().terminate();
    }

    /** SIGKILL, and waits for the end. */
    public void killAgent() throws IOException {
        agent().kill();
    }

    /** The agent's process. */
    public ChildProcess agent() {
        return agent.orElseThrow(() -> new IllegalStateException("no agent was started"));
    }

    /** What all agents of this node have logged so far. */
    public String agentLog() throws IOException {
        return Files.readString(folder.resolve("agent.log"));
    }

    /** A container ID as containerd's are, which no other container of this node has, nor its first 12 characters. */
    public String newContainer() {
        return "%012x".formatted(containers.incrementAndGet()) + "c0de".repeat(13);
    }

    /** A network configuration with all that is required, for a bridge {@code br0}. */
    public ObjectNode network(String cniVersion, String name) {
        return Json.object()
                .put("cniVersion", cniVersion)
                .put("name", name)
                .put("type", "ovs-dpdk")
                .put("bridge", "br0")
                .put("sharedDir", sharedRoot().toString());
    }

    /** A call of the plugin with all that a runtime passes for a container's interface. */
    public PluginCall call(String command, String containerId, String ifname, ObjectNode network) throws IOException {
        Map<String, String> environment = new LinkedHashMap<>();
        environment.put("CNI_COMMAND", command);
        environment.put("CNI_CONTAINERID", containerId);
        environment.put("CNI_NETNS", "/run/netns/" + containerId);
        environment.put("CNI_IFNAME", ifname);
        environment.put("CNI_PATH", CNI_PATH.toString());
        environment.put(
                "CNI_ARGS",
                "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=pod-"
                        + containerId.substring(0, Math.min(12, containerId.length())) + ";K8S_POD_UID=");
        environment.put("OVS_DPDK_CONF", configuration().toString());
        return new PluginCall(Jars.plugin(), environment, Json.write(network));
    }

    /** What the plugin would ask of the agent for such a call, to be used with {@link #ask}. */
    public AttachmentRequest request(String containerId, String ifname, ObjectNode network) {
        return new AttachmentRequest(
                new AttachmentId(containerId, ifname),
                "/run/netns/" + containerId,
                PodIdentity.NONE,
                Optional.empty(),
                network);
    }

    /** The ADD of a container's interface to a network as the plugin asks the agent for it, with 10 s to be done. */
    public Request.Add add(String containerId, String ifname) {
        return add(containerId, ifname, network("1.1.0", "dpdk-net"), Duration.ofSeconds(10));
    }

    /** Likewise, with another configuration and time-out. */
    public Request.Add add(String containerId, String ifname, ObjectNode network, Duration timeout) {
        return new Request.Add(request(containerId, ifname, network), Json.object(), timeout);
    }

    /** The DEL of a container's interface as the plugin asks the agent for it. */
    public Request.Delete delete(String containerId, String ifname) {
        return new Request.Delete(new AttachmentId(containerId, ifname));
    }

    /** Where the workload of a container listens: as users of Userspace CNI know it. */
    public Path workloadSocket(String containerId, String ifname) {
        return sharedRoot()
                .resolve(containerId.substring(0, Math.min(12, containerId.length())))
                .resolve(ifname + ".sock");
    }

    /** Asks the agent directly, without the plugin's process. */
    public Reply ask(Request request) throws IOException {
        byte[] answer = exchange(Wire.encode(request));
        try {
            return Wire.decodeReply(answer);
        } catch (CniException e) {
            throw new IOException("the agent answered " + new String(answer, StandardCharsets.UTF_8), e);
        }
    }

    /** Sends bytes to the agent and reads until it closes. */
    public byte[] exchange(byte[] request) throws IOException {
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(agentSocket()))) {
            ByteBuffer bytes = ByteBuffer.wrap(request);
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
            return Channels.newInputStream(channel).readAllBytes();
        }
    }

    /** The switch's ports besides the bridges' own, in order. */
    public List<String> ports() throws IOException {
        return ovs.vsctl("--no-wait", "--bare", "--columns=name", "find", "Interface", "type!=internal")
                .lines()
                .filter(line -> !line.isBlank())
                .sorted()
                .toList();
    }

    /** The container IDs of the ports that the switch has and works with, one for each port, in order. */
    public List<String> attachedContainers() throws IOException {
        return rows("Interface", "type=dpdkvhostuserclient").stream()
                .filter(row ->
                        row.path("ofport").asInt() > 0 && !row.path("error").isTextual())
                .map(row -> row.at("/external_ids/container-id").asText())
                .sorted()
                .toList();
    }

    /** The one row of a table of the switch's database, Interface or Port, that belongs to an attachment. */
    public ObjectNode row(String table, String containerId, String ifname) throws IOException {
        List<ObjectNode> rows =
                rows(table, "external_ids:container-id=" + containerId, "external_ids:ifname=" + ifname);
        if (rows.size() != 1) {
            throw new IOException("not one row of " + containerId + " " + ifname + " in " + table + ": " + rows);
        }
        return rows.getFirst();
    }

    /**
     * Rows of the switch's database as they stand: a map as an object, a set as an array, a UUID as text.
     *
     * @param conditions as {@code ovs-vsctl find} takes them
     */
    public List<ObjectNode> rows(String table, String... conditions) throws IOException {
        List<String> command = new ArrayList<>(List.of("--no-wait", "--format=json", "find", table));
        command.addAll(List.of(conditions));
        ObjectNode found;
        try {
            found = Json.readObject(
                    "answer of ovs-vsctl",
                    ovs.vsctl(command.toArray(String[]::new)).getBytes(StandardCharsets.UTF_8));
        } catch (CniException e) {
            throw new IOException(e);
        }
        List<ObjectNode> rows = new ArrayList<>();
        for (JsonNode data : found.path("data")) {
            ObjectNode row = Json.object();
            for (int i = 0; i < data.size(); i++) {
                row.set(found.path("headings").path(i).asText(), value(data.get(i)));
            }
            rows.add(row);
        }
        return rows;
    }

    /** RFC 7047, section 5.1. */
    private static JsonNode value(JsonNode notation) {
        if (!notation.isArray()) {
            return notation;
        }
        JsonNode content = notation.get(1);
        return switch (notation.get(0).asText()) {
            case "map" -> {
                ObjectNode map = Json.object();
                content.forEach(pair -> map.set(pair.get(0).asText(), pair.get(1)));
                yield map;
            }
            case "set" -> {
                ArrayNode set = Json.array();
                content.forEach(element -> set.add(value(element)));
                yield set;
            }
            default -> content;
        };
    }

    /** The mount points of this node's agent. */
    public List<Path> mounts() throws IOException {
        return Files.readAllLines(Path.of("/proc/self/mountinfo")).stream()
                .map(line -> Path.of(line.split(" ")[4]))
                .filter(mount -> mount.startsWith(folder))
                .toList();
    }

    /**
     * All that is there of attachments: ports, mounts, and what stands in the shared root, among the checkpoints and the
     * mount points. Empty when nothing is left.
     */
    public List<String> remains() throws IOException {
        TreeSet<String> remains = new TreeSet<>(ports());
        mounts().forEach(mount -> remains.add("mount " + mount));
        for (Path place : List.of(sharedRoot(), stateDir().resolve("attachments"), runDir().resolve("p"))) {
            if (Files.exists(place)) {
                try (Stream<Path> entries = Files.walk(place)) {
                    entries.filter(entry -> !entry.equals(place)).forEach(entry -> remains.add(entry.toString()));
                }
            }
        }
        return List.copyOf(remains);
    }

    /** Ends agent and switch and removes everything, also what a failed test left. */
    @Override
    public void close() throws IOException {
        try (ovs) {
            if (agent.isPresent() && agent.get().isAlive()) {
                agent.get().kill();
            }
            for (Path mount : mounts().reversed()) {
                unmount(mount);
            }
            FolderTree.delete(folder);
        }
    }

    private static void unmount(Path mount) throws IOException {
        try {
            new ProcessBuilder("umount", "--lazy", mount.toString())
                    .inheritIO()
                    .start()
                    .waitFor();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new UncheckedIOException(new IOException("interrupted while unmounting " + mount, e));
        }
    }
}
