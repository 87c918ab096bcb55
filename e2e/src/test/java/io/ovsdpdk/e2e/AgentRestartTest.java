package io.ovsdpdk.e2e;

import static io.ovsdpdk.e2e.Replies.added;
import static io.ovsdpdk.e2e.Replies.addedMac;
import static io.ovsdpdk.e2e.Replies.done;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.ovsdpdk.api.MacAddress;
import io.ovsdpdk.api.Reply;
import io.ovsdpdk.api.Request;
import io.ovsdpdk.ovsdb.testbed.ChildProcess;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The agent can be killed, stopped and started again at any moment. */
class AgentRestartTest {
    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final String IFNAME = "net1";

    @AutoClose
    private Node node;

    @BeforeEach
    void startNode() throws IOException {
        node = Node.start();
    }

    @Test
    void guestsKeepTheirConnectionsWhenAgentIsKilledAndNothingIsLeftAfterDel() throws Exception {
        MacAddress alice = addedMac(node.ask(node.add("alice", IFNAME)));
        MacAddress bob = addedMac(node.ask(node.add("bob", IFNAME)));
        try (VhostUserGuest a = guest("alice", alice);
                VhostUserGuest b = guest("bob", bob)) {
            PingPong.play(a, b, 1);

            node.killAgent();
            node.startAgent();

            assertThat(PingPong.play(a, b, 100).completed()).isEqualTo(100);
            assertThat(added(node.ask(
                                    new Request.Check(node.add("alice", IFNAME).attachment())))
                            .mac())
                    .isEqualTo(alice);
        }
        done(node.ask(node.delete("alice", IFNAME)));
        done(node.ask(node.delete("bob", IFNAME)));
        assertThat(node.remains()).isEmpty();
    }

    /** The switch hangs, so that it is certain which ADDs are finished and which have come as far as the database. */
    @Test
    void unfinishedAddsOfKilledAgentAreTakenDownAndFinishedOnesStay() throws Exception {
        List<String> finished = containers("done", 8);
        List<String> unfinished = containers("cut-off", 8);
        Crowd.of(8, i -> () -> node.ask(node.add(finished.get(i), IFNAME))).forEach(Replies::added);
        node.ovs().suspendSwitch();
        try (Crowd crowd = new Crowd()) {
            crowd.begin(8, i -> () -> node.ask(node.add(unfinished.get(i), IFNAME)));
            await().atMost(PATIENCE).until(() -> node.ports().size() == 16);

            node.killAgent();
        }
        node.ovs().resumeSwitch();
        node.startAgent();

        await().atMost(PATIENCE).untilAsserted(() -> {
            assertThat(node.attachedContainers()).isEqualTo(finished);
            assertThat(node.ports()).hasSize(8);
            assertThat(node.mounts()).hasSize(8);
        });
        Crowd.of(8, i -> () -> node.ask(node.delete(finished.get(i), IFNAME))).forEach(Replies::done);
        assertThat(node.remains()).isEmpty();
    }

    /** An agent that takes the connection and dies, then none, then a new one: a restart as the plugin sees it. */
    @Test
    @Tag("plugin")
    void pluginWaitsForTheAgentToComeBack() throws Exception {
        node.stopAgent();
        Files.deleteIfExists(node.agentSocket());
        try (Crowd crowd = new Crowd()) {
            Future<PluginCall.Outcome> add;
            try (ServerSocketChannel dying = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
                dying.bind(UnixDomainSocketAddress.of(node.agentSocket()));
                add = crowd.begin(() -> node.call("ADD", "early", IFNAME, node.network("1.1.0", "fast"))
                        .run());
                Crowd.result(crowd.begin(dying::accept)).close();
            }
            Files.delete(node.agentSocket());
            assertThat(add).isNotDone();

            node.startAgent();

            assertThat(Crowd.result(add).status()).isZero();
        }
        assertThat(node.attachedContainers()).containsExactly("early");
        done(node.ask(node.delete("early", IFNAME)));
    }

    @Test
    @Tag("long")
    void nothingIsLostOrLeftWhenAgentIsKilledAnywhereInManyAdds() throws Exception {
        List<String> containers = containers("c", 32);
        Set<String> answered = ConcurrentHashMap.newKeySet();
        try (Crowd crowd = new Crowd()) {
            crowd.begin(32, i -> () -> {
                added(node.ask(node.add(containers.get(i), IFNAME)));
                return answered.add(containers.get(i));
            });
            await().pollInterval(Duration.ofMillis(1)).atMost(PATIENCE).until(() -> answered.size() >= 4);

            node.killAgent();
        }
        node.startAgent();

        await().atMost(PATIENCE).untilAsserted(() -> {
            assertThat(node.attachedContainers()).containsAll(answered);
            assertThat(node.ports()).hasSameSizeAs(node.mounts());
            assertThat(unfinishedCheckpoints()).isEmpty();
        });
        Crowd.of(32, i -> () -> node.ask(node.delete(containers.get(i), IFNAME)))
                .forEach(Replies::done);
        assertThat(node.remains()).isEmpty();
    }

    @Test
    @Tag("long")
    void deletionsOfKilledAgentGoOnInTheNextOne() throws Exception {
        List<String> containers = containers("c", 8);
        Crowd.of(8, i -> () -> node.ask(node.add(containers.get(i), IFNAME))).forEach(Replies::added);
        node.ovs().database().suspend();
        try (Crowd crowd = new Crowd()) {
            crowd.begin(8, i -> () -> node.ask(node.delete(containers.get(i), IFNAME)));
            await().atMost(PATIENCE).until(() -> unfinishedCheckpoints().size() == 8);

            node.killAgent();
        }
        node.ovs().database().resume();
        node.startAgent();

        await().atMost(PATIENCE).untilAsserted(() -> assertThat(node.remains()).isEmpty());
    }

    @Test
    void stoppingAgentFinishesWhatItBeganAndTakesNothingMore() throws Exception {
        node.ovs().suspendSwitch();
        try (Crowd crowd = new Crowd()) {
            List<Future<Reply>> underWay = crowd.begin(
                    4, i -> () -> node.ask(node.add(containers("c", 4).get(i), IFNAME)));
            await().atMost(PATIENCE).until(() -> node.ports().size() == 4);

            terminate(node.agent());

            await().atMost(PATIENCE).until(() -> Files.notExists(node.agentSocket()));
            // What the readiness probe asks, and what the runtime does
            assertThatThrownBy(() -> node.ask(new Request.Ready())).isInstanceOf(IOException.class);
            assertThatThrownBy(() -> node.ask(new Request.Status())).isInstanceOf(IOException.class);
            assertThat(node.agent().isAlive()).isTrue();
            node.ovs().resumeSwitch();
            Crowd.results(underWay).forEach(Replies::added);
        }
        assertThat(exitStatus(node.agent())).isZero();
        assertThat(node.attachedContainers()).isEqualTo(containers("c", 4));
    }

    @Test
    @Tag("long")
    void silentClientsDoNotDelayTheStop() throws Exception {
        try (SocketChannel silent = SocketChannel.open(UnixDomainSocketAddress.of(node.agentSocket()))) {
            assertThat(silent.isConnected()).isTrue();
            long start = System.nanoTime();

            terminate(node.agent());

            assertThat(exitStatus(node.agent())).isZero();
            assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(5));
        }
    }

    @Test
    @Tag("long")
    void secondAgentRefusesToServeTheSameNode() throws Exception {
        ChildProcess second = node.launchAgent();

        assertThat(exitStatus(second)).isEqualTo(69);
        assertThat(node.agentLog()).contains("another agent serves this node");
        added(node.ask(node.add("c1", IFNAME)));
    }

    /** It would take the other's checkpoints for those of a dead agent. */
    @Test
    void agentWithAnotherRunDirKeepsOffTheCheckpointsOfTheOneThatServes() throws Exception {
        added(node.ask(node.add("c1", IFNAME)));

        ChildProcess second = node.launchAgentIn(node.runDir().resolveSibling("run2"));

        assertThat(exitStatus(second)).isEqualTo(69);
        assertThat(node.agentLog()).contains("another agent uses these checkpoints");
        assertThat(node.stateDir().resolve("attachments"))
                .isDirectoryNotContaining(file -> file.toString().endsWith(".broken"));
    }

    /** SIGTERM, as from systemd or kubelet. */
    private static void terminate(ChildProcess agent) {
        Optional<ProcessHandle> process = ProcessHandle.of(agent.pid());
        assertThat(process).isPresent();
        process.get().destroy();
    }

    private static int exitStatus(ChildProcess process) throws Exception {
        return process.onExit().get(PATIENCE.toSeconds(), TimeUnit.SECONDS).exitValue();
    }

    private static List<String> containers(String prefix, int count) {
        return IntStream.range(0, count)
                .mapToObj(i -> "%s-%02d".formatted(prefix, i))
                .toList();
    }

    /** Of attachments that are being made or removed. */
    private List<String> unfinishedCheckpoints() throws IOException {
        try (Stream<Path> checkpoints = Files.list(node.stateDir().resolve("attachments"))) {
            return checkpoints
                    .map(checkpoint -> checkpoint.getFileName().toString())
                    .filter(name -> name.endsWith(".unfinished"))
                    .toList();
        }
    }

    private VhostUserGuest guest(String container, MacAddress mac) throws IOException {
        VhostUserGuest guest = VhostUserGuest.listen(node.workloadSocket(container, IFNAME), mac);
        guest.awaitConnection(PATIENCE);
        return guest;
    }
}
