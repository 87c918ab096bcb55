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
 * A run of the agent on a real switch and an API server, from its start through one of each request to its end, in which the JVM learns what
 * to prepare: classes loaded and linked, profiles of methods (JEP 483, 514 and 515). What it prepares holds for the very
 * files and paths that it saw. Needs Open vSwitch with DPDK.
 */
final class Training {
    private static final String BRIDGE = "br0";
    private static final Duration TIMEOUT = Duration.ofSeconds(30);

    private Training() {}

    /** Trains and leaves {@link Layout#prepared}. */
    static void of(Layout layout) throws IOException {
        List<String> java = Layout.command(List.of("-XX:AOTCacheOutput=" + Layout.HOME + "/" + Layout.PREPARED));
        try (OvsDpdk ovs = OvsDpdk.start();
                ApiServer apiServer = ApiServer.startWithTls()) {
            ovs.addBridge(BRIDGE);
            try (StagedAgent agent = StagedAgent.start(layout, java, ovs, apiServer)) {
                askForOneOfEach(agent);
                agent.stop();
            }
        }
        if (Files.notExists(layout.prepared())) {
            throw new IOException("the JVM left no " + layout.prepared());
        }
    }

    private static void askForOneOfEach(StagedAgent agent) throws IOException {
        ObjectNode network = Json.object()
                .put("cniVersion", "1.1.0")
                .put("name", "training")
                .put("type", "ovs-dpdk")
                .put("bridge", BRIDGE)
                .put("sharedDir", agent.shared().toString())
                .put("mtu", 1500);
        AttachmentId id = new AttachmentId("a".repeat(64), "net1");
        AttachmentRequest attachment =
                new AttachmentRequest(id, "/run/netns/training", PodIdentity.NONE, Optional.empty(), network);
        for (Request request : List.of(
                new Request.Status(),
                new Request.Announce(attachment, TIMEOUT),
                new Request.Add(attachment, Json.object(), TIMEOUT),
                new Request.Check(attachment),
                new Request.List(),
                new Request.Inspect(),
                new Request.Delete(id))) {
            agent.ask(request);
        }
    }
}
