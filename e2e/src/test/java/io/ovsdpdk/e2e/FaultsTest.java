package io.ovsdpdk.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.fabric8.mockwebserver.http.MockResponse;
import io.ovsdpdk.ovsdb.testbed.OvsDpdk;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * What the agent depends on fails under a load of many clients: a DEL succeeds all the same, an ADD may be refused, and when
 * all is well again, what was added works and nothing else is there. {@code -Dfaults.seed} repeats the choices of a run.
 */
@Tag("long")
class FaultsTest {
    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final int TIMES = 6;

    private final long seed = Long.getLong("faults.seed", System.nanoTime());
    private final Random random = new Random(seed);

    /** What happens while clients ask. */
    private interface Faults {
        void happen() throws Exception;
    }

    /** The load while the faults happen, and what is there of it afterwards. */
    private void outlive(Node node, RandomLoad load, Faults faults) throws Exception {
        try (Crowd crowd = new Crowd()) {
            AtomicBoolean enough = new AtomicBoolean();
            Future<Boolean> answered = crowd.begin(() -> load.run(enough));
            try {
                faults.happen();
            } finally {
                enough.set(true);
            }
            assertThat(Crowd.result(answered)).as("everybody got an answer").isTrue();
            assertThat(load.settle()).as("everybody got an answer").isTrue();
            assertThat(load.verify()).isTrue();
        } catch (Exception | AssertionError e) {
            throw new AssertionError("faults.seed=" + seed + "\n" + node.agentLog(), e);
        }
    }

    private static void leavesNothing(Node node, RandomLoad load) throws Exception {
        load.deleteAll();
        assertThat(load.verify()).isTrue();
        assertThat(node.ports()).isEmpty();
    }

    /** The load goes on for so long. */
    private void pause(int millis) {
        long end = System.nanoTime() + Duration.ofMillis(random.nextInt(millis)).toNanos();
        while (System.nanoTime() < end) {
            LockSupport.parkNanos(end - System.nanoTime());
        }
    }

    @Test
    void serversOfTheSwitchDieAgainAndAgain() throws Exception {
        try (Node node = Node.start()) {
            RandomLoad load = new RandomLoad(node, seed, true);

            outlive(node, load, () -> {
                for (int i = 0; i < TIMES; i++) {
                    pause(500);
                    if (random.nextBoolean()) {
                        node.ovs().database().kill();
                        pause(300);
                        node.ovs().database().start();
                    } else {
                        node.ovs().killSwitch();
                        pause(300);
                        node.ovs().startSwitch();
                    }
                }
            });

            load.connectOne();
            leavesNothing(node, load);
        }
    }

    @Test
    void portsComeBackWhenTheDatabaseIsLostUnderTheLoad() throws Exception {
        try (Node node = Node.start()) {
            RandomLoad load = new RandomLoad(node, seed, true);

            for (int i = 0; i < 2; i++) {
                outlive(node, load, () -> {
                    pause(500);
                    node.ovs().loseDatabase();
                    node.ovs().addBridge("br0");
                    pause(500);
                });
            }

            load.connectOne();
            leavesNothing(node, load);
        }
    }

    /** Whatever is asked then: first nothing can be written, then it can again. */
    @Test
    void diskOfTheCheckpointsIsFull() throws Exception {
        try (Node node = Node.start()) {
            node.stopAgent();
            Command.run(
                    "mount",
                    "-t",
                    "tmpfs",
                    "-o",
                    "size=64k,mode=700",
                    "none",
                    node.stateDir().toString());
            node.startAgent();
            RandomLoad load = new RandomLoad(node, seed, true);
            Path rest = node.stateDir().resolve("attachments/rest");

            outlive(node, load, () -> {
                for (int i = 0; i < TIMES; i++) {
                    pause(300);
                    fill(rest);
                    pause(300);
                    Files.delete(rest);
                }
            });

            leavesNothing(node, load);
        }
    }

    /** It dies while the disk is full, and the next one starts so. */
    @Test
    void agentStartsWhileTheDiskOfTheCheckpointsIsFull() throws Exception {
        try (Node node = Node.start()) {
            node.stopAgent();
            Command.run(
                    "mount",
                    "-t",
                    "tmpfs",
                    "-o",
                    "size=64k,mode=700",
                    "none",
                    node.stateDir().toString());
            node.startAgent();
            RandomLoad load = new RandomLoad(node, seed, true);
            outlive(node, load, () -> pause(1000));
            Path rest = node.stateDir().resolve("attachments/rest");
            fill(rest);
            node.killAgent();
            load.deleteWithoutAgent();

            node.startAgent();

            outlive(node, load, () -> {
                pause(500);
                Files.delete(rest);
            });
            leavesNothing(node, load);
        }
    }

    /** Neither ovsdb-server nor, through it, ovs-vswitchd and the agent can change anything then. */
    @Test
    void diskOfTheSwitchsDatabaseIsFull() throws Exception {
        OvsDpdk ovs = OvsDpdk.start();
        ovs.addBridge("br0");
        try (Node node = Node.start(ovs)) {
            Path disk = limitDatabase(ovs);
            try {
                RandomLoad load = new RandomLoad(node, seed, true);
                Path rest = disk.resolve("rest");

                outlive(node, load, () -> {
                    for (int i = 0; i < TIMES; i++) {
                        pause(300);
                        fill(rest);
                        pause(500);
                        Files.delete(rest);
                    }
                });

                assertThat(ovs.database().log()).contains("No space left");
                load.connectOne();
                leavesNothing(node, load);
            } finally {
                ovs.database().kill();
                Command.run("umount", "--lazy", disk.toString());
            }
        }
    }

    /** The database goes on on a small disk of its own. */
    private static Path limitDatabase(OvsDpdk ovs) throws IOException {
        ovs.database().kill();
        Path database = ovs.folder().resolve("conf.db");
        Path disk = Files.createDirectory(ovs.folder().resolve("disk"));
        Command.run("mount", "-t", "tmpfs", "-o", "size=16m", "none", disk.toString());
        Files.move(database, disk.resolve("conf.db"));
        Files.createSymbolicLink(database, disk.resolve("conf.db"));
        ovs.database().start();
        return disk;
    }

    private static void fill(Path file) throws IOException {
        try (var output = Files.newOutputStream(file)) {
            byte[] block = new byte[4096];
            while (true) {
                output.write(block);
            }
        } catch (IOException e) {
            assertThat(e).hasMessageContaining("No space left");
        }
    }

    /** An administrator sets the time of the day, or NTP does, by hours and days, forth and back. */
    @Test
    void clockJumps() throws Exception {
        try (Node node = Node.start()) {
            node.stopAgent();
            Path offset = Files.writeString(node.folder().resolve("offset"), "+0\n");
            node.useEnvironment(Map.of(
                    "LD_PRELOAD",
                    libfaketime().toString(),
                    "FAKETIME_TIMESTAMP_FILE",
                    offset.toString(),
                    "FAKETIME_CACHE_DURATION",
                    "1",
                    // The kernel's own does not jump either
                    "FAKETIME_DONT_FAKE_MONOTONIC",
                    "1"));
            node.startAgent();
            RandomLoad load = new RandomLoad(node, seed, false);

            outlive(node, load, () -> {
                for (String jump : List.of("+8640000", "-86400")) {
                    Files.writeString(offset, jump + "\n");
                    await().atMost(PATIENCE)
                            .until(() -> Duration.between(
                                                    agentsTime(node),
                                                    Instant.now().plusSeconds(Long.parseLong(jump)))
                                            .abs()
                                            .compareTo(Duration.ofMinutes(10))
                                    < 0);
                    pause(500);
                }
            });

            leavesNothing(node, load);
        }
    }

    /** What the time is for the agent, by the last line of its log. */
    private static Instant agentsTime(Node node) throws IOException {
        List<String> lines = node.agentLog().lines().toList();
        return Instant.parse(lines.getLast().substring(0, lines.getLast().indexOf(' ')));
    }

    private static Path libfaketime() throws IOException {
        try (DirectoryStream<Path> architectures = Files.newDirectoryStream(Path.of("/usr/lib"), "*-linux-gnu")) {
            for (Path architecture : architectures) {
                Path library = architecture.resolve("faketime/libfaketime.so.1");
                if (Files.exists(library)) {
                    return library;
                }
            }
        }
        throw new IOException("libfaketime is missing: install the package faketime");
    }

    @Test
    void apiServerAnswersAsItLikes() throws Exception {
        OvsDpdk ovs = OvsDpdk.start();
        ovs.addBridge("br0");
        try (KubernetesNode cluster = KubernetesNode.start(ovs)) {
            await().atMost(PATIENCE).until(() -> cluster.apiServer.watches() > 0);
            RandomLoad load = new RandomLoad(cluster, seed, true);
            List<MockResponse> faults = List.of(
                    new MockResponse().setResponseCode(409),
                    new MockResponse().setResponseCode(422),
                    new MockResponse().setResponseCode(429).setHeader("Retry-After", "1"),
                    new MockResponse().setResponseCode(500),
                    new MockResponse().setResponseCode(200).setBody("{\"kind\": \"Pod\", \"metadata\": {\"na"),
                    // It has two lengths, one of which is a lie: who believes it waits for the rest
                    new MockResponse()
                            .setResponseCode(200)
                            .setBody("{\"kind\": \"Pod\", \"metadata\": {\"na")
                            .setHeader("Content-Length", "1000"));

            outlive(cluster.node, load, () -> {
                for (int i = 0; i < TIMES; i++) {
                    cluster.apiServer.answerWith(_ -> {
                        int choice = ThreadLocalRandom.current().nextInt(faults.size() + 1);
                        return choice < faults.size() ? Optional.of(faults.get(choice)) : Optional.empty();
                    });
                    pause(500);
                    if (i % 2 == 0) {
                        cluster.apiServer.stop();
                        pause(500);
                        cluster.apiServer.restart();
                    } else {
                        cluster.apiServer.answerWell();
                        cluster.apiServer.breakWatches();
                        pause(500);
                    }
                }
                cluster.apiServer.answerWell();
            });

            load.verifyAnnotations();
            leavesNothing(cluster.node, load);
        }
    }
}
