package io.ovsdpdk.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.MacAddress;
import io.ovsdpdk.api.Reply;
import io.ovsdpdk.api.Request;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** An agent of one version goes, one of another comes, and the runtime calls all the while. */
@Tag("plugin")
@Tag("long")
class UpgradeTest {
    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final String IFNAME = "net1";

    @AutoClose
    private Node node;

    private ObjectNode network;

    @BeforeEach
    void startOldAgent() throws IOException {
        node = Node.start();
        network = node.network("1.1.0", "fast");
        node.stopAgent();
        node.useBuild(OtherBuild.ofVersion("0.0.1", node.folder().resolve("old")));
        node.startAgent();
    }

    private PluginCall.Outcome call(String command, String container) throws IOException {
        return node.call(command, container, IFNAME, network).run();
    }

    private void succeed(String command, String container) throws IOException {
        PluginCall.Outcome outcome = call(command, container);
        assertThat(outcome.succeeded())
                .as(command + " of " + container + ": " + outcome)
                .isTrue();
    }

    private VhostUserGuest attachedGuest(String container) throws IOException {
        PluginCall.Outcome added = call("ADD", container);
        MacAddress mac = new MacAddress(added.json().at("/interfaces/0/mac").asText());
        VhostUserGuest guest = VhostUserGuest.listen(node.workloadSocket(container, IFNAME), mac);
        guest.awaitConnection(PATIENCE);
        return guest;
    }

    /** What kubelet's readiness probe runs. */
    private boolean isReady() throws IOException {
        List<String> command = new ArrayList<>(Jars.plugin());
        command.add("ready");
        return new PluginCall(
                        command, Map.of("OVS_DPDK_CONF", node.configuration().toString()), new byte[0])
                .run()
                .succeeded();
    }

    private List<Path> checkpoints(String ending) throws IOException {
        try (Stream<Path> files = Files.list(node.stateDir().resolve("attachments"))) {
            return files.filter(file -> file.toString().endsWith(ending)).toList();
        }
    }

    private String version() throws IOException {
        return ((Reply.Inspected) node.ask(new Request.Inspect())).node().agentVersion();
    }

    /** Version 1: of agents that knew of nothing but {@code sharedDir}, with the state inside. */
    private void writeCheckpointsLikeThoseOfAnOldAgent() throws Exception {
        for (Path checkpoint : checkpoints(".json")) {
            ObjectNode content = Json.readObject("checkpoint", Files.readAllBytes(checkpoint));
            content.put("version", 1).put("state", "MADE").remove("legacyAnnotations");
            ((ObjectNode) content.get("folder")).remove(List.of("layout", "volume", "uid", "gid", "mode"));
            Files.write(checkpoint, Json.write(content));
        }
    }

    @Test
    void allCallsSucceedAndGuestsKeepTheirFrames() throws Exception {
        try (VhostUserGuest a = attachedGuest("alice");
                VhostUserGuest b = attachedGuest("bob");
                Crowd kubelet = new Crowd()) {
            succeed("ADD", "leaving");
            succeed("ADD", "leaving-later");
            PingPong.play(a, b, 1);
            String before = version();

            // What is under way goes on for as long as the database takes
            node.ovs().database().suspend();
            Future<PluginCall.Outcome> underWay = kubelet.begin(() -> call("ADD", "under-way"));
            await().atMost(PATIENCE).until(() -> checkpoints(".unfinished").size() == 1);
            ProcessHandle.of(node.agent().pid()).orElseThrow().destroy();
            await().atMost(PATIENCE).until(() -> Files.notExists(node.agentSocket()));

            Future<PluginCall.Outcome> coming = kubelet.begin(() -> call("ADD", "coming"));
            boolean readyWhileStopping = isReady();
            succeed("DEL", "leaving");
            long whileStopping = PingPong.play(a, b, 100).completed();
            boolean stopping = node.agent().isAlive();
            node.ovs().database().resume();
            assertThat(Crowd.result(underWay).succeeded()).isTrue();
            int status = node.agent()
                    .onExit()
                    .get(PATIENCE.toSeconds(), TimeUnit.SECONDS)
                    .exitValue();

            succeed("DEL", "leaving-later");
            long withoutAgent = PingPong.play(a, b, 100).completed();
            boolean waits = !coming.isDone();
            writeCheckpointsLikeThoseOfAnOldAgent();
            node.useBuild(OtherBuild.ofVersion("99.0.0", node.folder().resolve("new")));
            node.startAgent();

            assertThat(Crowd.result(coming).succeeded()).isTrue();
            assertThat(PingPong.play(a, b, 100).completed()).isEqualTo(100);
            assertThat(List.of(whileStopping, withoutAgent)).containsOnly(100L);
            assertThat(stopping).as("the old one was still at work").isTrue();
            assertThat(readyWhileStopping).isFalse();
            assertThat(status).isZero();
            assertThat(waits).as("the ADD waits for the next agent").isTrue();
            assertThat(List.of(before, version())).containsExactly("0.0.1", "99.0.0");
            await().atMost(PATIENCE).until(this::isReady);
            assertThat(node.attachedContainers()).containsExactly("alice", "bob", "coming", "under-way");
            assertThat(checkpoints(".broken")).isEmpty();
        }
        for (String container : List.of("alice", "bob", "coming", "under-way")) {
            succeed("DEL", container);
        }
        assertThat(node.remains()).isEmpty();
    }
}
