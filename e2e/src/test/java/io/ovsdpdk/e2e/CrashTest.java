package io.ovsdpdk.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.ovsdpdk.ovsdb.testbed.ChildProcess;
import io.ovsdpdk.ovsdb.testbed.OvsDpdk;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * The agent dies at any moment of its work, again and again, under a load of many clients; the next one finds what it left.
 * {@code -Dcrash.kills} says how often; {@code -Dcrash.seed} repeats the choices of a run, though not the order in which
 * the agent's threads come to them.
 */
@Tag("native")
class CrashTest {
    private static final int KILLS = Integer.getInteger("crash.kills", 30);

    /** Each third agent serves pods of a cluster: it takes longer to start. */
    private static final int PODS_SHARE = 3;

    private static final List<String> QUICK_START = List.of("-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC");
    private static final Duration LONGEST_LOAD = Duration.ofSeconds(2);

    /** A start passes some 30 such moments, an ADD and its DEL some 60. */
    private static final int LONGEST_WAY = 500;

    private static final int IN_THE_BEGINNING = 60;

    private final long seed = Long.getLong("crash.seed", System.nanoTime());
    private final Random random = new Random(seed);
    private final ScheduledExecutorService clock = Executors.newSingleThreadScheduledExecutor();
    private Node node;

    /** The way to start an agent. */
    private interface Start {
        void agent() throws IOException;
    }

    @AfterEach
    void stopClock() {
        clock.shutdownNow();
    }

    @Test
    void whatWasAddedWorksAndNothingElseIsThereWhereverTheAgentDies() throws Exception {
        try (Node plain = Node.start()) {
            node = plain;
            RandomLoad load = new RandomLoad(node, seed, false);
            die(KILLS - KILLS / PODS_SHARE, load, node::startAgent);
            load.deleteAll();
            assertThat(load.verify()).isTrue();
            assertThat(node.remains()).isEmpty();
        }
    }

    @Test
    void theSameWithPodsOfACluster() throws Exception {
        OvsDpdk ovs = OvsDpdk.start();
        ovs.addBridge("br0");
        try (KubernetesNode cluster = KubernetesNode.start(ovs)) {
            node = cluster.node;
            RandomLoad load = new RandomLoad(cluster, seed, false);
            die(KILLS / PODS_SHARE, load, cluster::startAgent);
            load.verifyAnnotations();
            load.deleteAll();
            assertThat(load.verify()).isTrue();
            assertThat(node.remains()).isEmpty();
        }
    }

    private void die(int times, RandomLoad load, Start start) throws Exception {
        node.stopAgent();
        Path jar = CrashPoints.jar(node.folder());
        for (int kill = 1; kill <= times; kill++) {
            int n = 1 + random.nextInt(random.nextInt(4) == 0 ? IN_THE_BEGINNING : LONGEST_WAY);
            Path note = node.folder().resolve("halted-" + kill);
            String round = "crash.seed=%d kill=%d n=%d".formatted(seed, kill, n);
            useJvm(CrashPoints.options(jar, n, note));
            String reached;
            try {
                reached = live(load, start);
            } catch (Exception | AssertionError e) {
                throw new AssertionError(round + "\n" + node.agentLog(), e);
            }
            System.out.println(round + " " + reached + ", halted " + CrashPoints.noted(note));
            load.deleteWithoutAgent();
        }
        useJvm(List.of());
        start.agent();
        assertThat(load.settle()).isTrue();
        assertThat(load.verify()).isTrue();
    }

    private void useJvm(List<String> options) {
        List<String> all = new ArrayList<>(QUICK_START);
        all.addAll(options);
        node.useJvm(all);
    }

    /** An agent from its start to its end. */
    private String live(RandomLoad load, Start start) throws Exception {
        try {
            start.agent();
        } catch (IOException e) {
            assertThat(node.agent().isAlive()).as("it serves, or it is dead").isFalse();
            assertThat(ended()).as(e.getMessage()).isEqualTo(CrashPoints.HALTED);
            return "died in its start";
        }
        String reached = "died before it was verified";
        if (load.settle() && load.verify()) {
            if (random.nextInt(4) == 0) {
                load.connectOne();
            }
            reached = "verified";
            AtomicBoolean enough = new AtomicBoolean();
            clock.schedule(() -> enough.set(true), LONGEST_LOAD.toMillis(), TimeUnit.MILLISECONDS);
            load.run(enough);
        }
        if (!node.agent().awaitExit(Duration.ofSeconds(5))) {
            node.killAgent();
            return reached + ", killed from outside";
        }
        assertThat(ended()).isEqualTo(CrashPoints.HALTED);
        return reached;
    }

    private int ended() {
        ChildProcess agent = node.agent();
        return agent.onExit().join().exitValue();
    }
}
