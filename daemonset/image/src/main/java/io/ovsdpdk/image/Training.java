package io.ovsdpdk.image;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.agent.kubernetes.testbed.ApiServer;
import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.AttachmentRequest;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.PodIdentity;
import io.ovsdpdk.api.Request;
import io.ovsdpdk.ovsdb.testbed.OvsDpdk;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * A run of the agent on a real switch and an API server, from its start through one of each request and many ADDs and DELs
 * to its end, in which the JVM learns what to prepare: classes loaded and linked, profiles of methods (JEP 483, 514 and
 * 515). What it prepares holds for the very files and paths that it saw. Needs Open vSwitch with DPDK.
 */
final class Training {
    private static final String BRIDGE = "br0";
    private static final Duration TIMEOUT = Duration.ofSeconds(30);

    /** From some hundred calls on, a method counts as one that is worth to be compiled. */
    private static final int ROUNDS = 300;

    private Training() {}

    /** Trains and leaves {@link Layout#prepared}. */
    static void of(Layout layout) throws IOException {
        List<String> java = Layout.command(List.of("-XX:AOTCacheOutput=" + Layout.HOME + "/" + Layout.PREPARED));
        try (OvsDpdk ovs = OvsDpdk.start();
                ApiServer apiServer = ApiServer.startWithTls()) {
            ovs.addBridge(BRIDGE);
            try (StagedAgent agent = StagedAgent.start(layout, java, ovs, apiServer)) {
                askForOneOfEach(agent);
                for (int round = 0; round < ROUNDS; round++) {
                    addAndDelete(agent, "%064d".formatted(round));
                }
                agent.stop();
            }
        }
        if (Files.notExists(layout.prepared())) {
            throw new IOException("the JVM left no " + layout.prepared());
        }
    }

    private static void askForOneOfEach(StagedAgent agent) throws IOException {
        AttachmentRequest attachment = attachment(agent, "a".repeat(64));
        for (Request request : List.of(
                new Request.Status(),
                new Request.Announce(attachment, TIMEOUT),
                new Request.Add(attachment, Json.object(), TIMEOUT),
                new Request.Check(attachment),
                new Request.List(),
                new Request.Inspect(),
                new Request.Delete(attachment.id()))) {
            agent.ask(request);
        }
    }

    /** What pods wait for. */
    private static void addAndDelete(StagedAgent agent, String container) throws IOException {
        AttachmentRequest attachment = attachment(agent, container);
        agent.ask(new Request.Add(attachment, Json.object(), TIMEOUT));
        agent.ask(new Request.Delete(attachment.id()));
    }

    private static AttachmentRequest attachment(StagedAgent agent, String container) {
        ObjectNode network = Json.object()
                .put("cniVersion", "1.1.0")
                .put("name", "training")
                .put("type", "ovs-dpdk")
                .put("bridge", BRIDGE)
                .put("sharedDir", agent.shared().toString())
                .put("mtu", 1500);
        return new AttachmentRequest(
                new AttachmentId(container, "net1"),
                "/run/netns/training",
                PodIdentity.NONE,
                Optional.empty(),
                network);
    }
}
