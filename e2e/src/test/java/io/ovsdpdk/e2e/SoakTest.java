package io.ovsdpdk.e2e;

import static io.ovsdpdk.agent.kubernetes.testbed.Pods.withVolume;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.mockwebserver.http.MockResponse;
import io.ovsdpdk.agent.kubernetes.testbed.ApiServer;
import io.ovsdpdk.api.Attached;
import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.AttachmentRequest;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.PodIdentity;
import io.ovsdpdk.api.Reply;
import io.ovsdpdk.api.Request;
import io.ovsdpdk.ovsdb.testbed.OvsDpdk;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Mixed load with faults for {@code -Dsoak.minutes} (2 unless told otherwise; {@code make soak} takes 30).
 *
 * <p>In rounds: callers add, repeat, check and delete attachments of plain containers and of pods, guests come and go, and
 * every second or three something fails and is mended. After each round, when the callers are done, nothing may be left:
 * no port, folder, mount, checkpoint or file. In the first half the agent is killed and terminated too; what comes after
 * is one agent's life, in which the rule for "flat" is:
 *
 * <ul>
 *   <li>descriptors: never more than {@value #DESCRIPTORS} above the first sample's, which are connections to the API
 *       server and the database that come and go;
 *   <li>threads, but for those of requests: never more than {@value #THREADS} above;
 *   <li>live heap after a full collection: the least of the last third of the samples at most {@value #HEAP} bytes above
 *       the least of the first third. Half of that is what the agent remembers of the last 4096 containers, the rest are
 *       caches of the JVM and the libraries.
 * </ul>
 */
@Tag("long")
class SoakTest {
    private static final int DESCRIPTORS = 6;
    private static final int THREADS = 12;
    private static final long HEAP = 3 << 19;

    private static final int ROUNDS = 12;
    private static final int CALLERS = 4;
    private static final Duration LENGTH = Duration.ofMinutes(Long.getLong("soak.minutes", 2));

    /** In which every request must be fulfilled, whatever fails meanwhile. */
    private static final Duration PATIENCE = Duration.ofSeconds(90);

    private enum Fault {
        KILL_AGENT,
        TERMINATE_AGENT,
        KILL_SWITCH,
        TERMINATE_SWITCH,
        SUSPEND_SWITCH,
        KILL_DATABASE,
        TERMINATE_DATABASE,
        SUSPEND_DATABASE,
        API_SERVER_REFUSES,
        API_SERVER_BREAKS_WATCHES;

        boolean endsAgent() {
            return this == KILL_AGENT || this == TERMINATE_AGENT;
        }
    }

    private record Sample(long seconds, long agent, int pairs, int faults, Footprint footprint) {}

    @AutoClose
    private KubernetesNode cluster;

    private Node node;
    private final long seed = Long.getLong("soak.seed", System.nanoTime());
    private final Random random = new Random(seed);
    private final AtomicInteger pairs = new AtomicInteger();
    private final AtomicInteger containers = new AtomicInteger();
    private int faults;

    /** A connected guest takes 82 MB of the switch, which has 192. */
    private final Semaphore guests = new Semaphore(1);

    @BeforeEach
    void startNode() throws IOException {
        OvsDpdk ovs = OvsDpdk.start();
        ovs.addBridge("br0");
        cluster = KubernetesNode.start(ovs);
        node = cluster.node;
    }

    @Test
    void agentIsFlatUnderMixedLoadWithFaults() throws Exception {
        System.out.printf("soak of %d minutes, seed %d (-Dsoak.seed)%n", LENGTH.toMinutes(), seed);
        long start = System.nanoTime();
        List<Sample> samples = new ArrayList<>();
        for (int round = 0; round < ROUNDS; round++) {
            runRound(LENGTH.dividedBy(ROUNDS), round < ROUNDS / 2);
            await().atMost(PATIENCE)
                    .untilAsserted(() -> assertThat(cluster.remains()).isEmpty());
            Sample sample = new Sample(
                    TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - start),
                    node.agent().pid(),
                    pairs.get(),
                    faults,
                    Footprint.of(node));
            samples.add(sample);
            print(sample, round == 0);
        }
        assertFlat(samples.stream()
                .filter(sample -> sample.agent() == samples.getLast().agent())
                .toList());
    }

    private static void print(Sample sample, boolean first) {
        if (first) {
            System.out.println("  seconds   agent   pairs  faults  footprint");
        }
        System.out.printf(
                "  %7d %7d %7d %7d  %s%n",
                sample.seconds(), sample.agent(), sample.pairs(), sample.faults(), sample.footprint());
    }

    private static void assertFlat(List<Sample> samples) {
        assertThat(samples).as("of one agent").hasSizeGreaterThanOrEqualTo(ROUNDS / 2);
        List<Footprint> footprints = samples.stream().map(Sample::footprint).toList();
        Footprint first = footprints.getFirst();
        int third = footprints.size() / 3;
        assertThat(footprints).allSatisfy(footprint -> {
            assertThat(footprint.mounts()).isZero();
            assertThat(footprint.descriptors()).isLessThanOrEqualTo(first.descriptors() + DESCRIPTORS);
            assertThat(footprint.otherThreads()).isLessThanOrEqualTo(first.otherThreads() + THREADS);
        });
        assertThat(leastHeap(footprints.subList(footprints.size() - third, footprints.size())))
                .isLessThanOrEqualTo(leastHeap(footprints.subList(0, third)) + HEAP);
    }

    private static long leastHeap(List<Footprint> footprints) {
        return footprints.stream().mapToLong(Footprint::liveBytes).min().orElseThrow();
    }

    private void runRound(Duration length, boolean withFaultsOfTheAgent) throws Exception {
        long end = System.nanoTime() + length.toNanos();
        CountDownLatch over = new CountDownLatch(1);
        try (Crowd crowd = new Crowd()) {
            List<Future<Void>> callers = new ArrayList<>();
            for (int i = 0; i < CALLERS; i++) {
                boolean ofPods = i == 0;
                callers.add(crowd.begin(() -> {
                    while (over.getCount() > 0) {
                        if (ofPods) {
                            servePod();
                        } else {
                            serveContainer();
                        }
                        pairs.incrementAndGet();
                    }
                    return null;
                }));
            }
            try {
                while (System.nanoTime() < end && callers.stream().noneMatch(Future::isDone)) {
                    boolean ended = over.await(1000 + random.nextInt(2000), TimeUnit.MILLISECONDS);
                    assertThat(ended).isFalse();
                    fail(chooseFault(withFaultsOfTheAgent), over);
                    faults++;
                }
            } finally {
                over.countDown();
            }
            Crowd.results(callers);
        }
    }

    private Fault chooseFault(boolean withFaultsOfTheAgent) {
        List<Fault> choice = List.of(Fault.values()).stream()
                .filter(fault -> withFaultsOfTheAgent || !fault.endsAgent())
                .toList();
        return choice.get(random.nextInt(choice.size()));
    }

    /** Something fails, for a while where it makes a difference, and is mended. */
    private void fail(Fault fault, CountDownLatch over) throws Exception {
        switch (fault) {
            case KILL_AGENT -> {
                node.killAgent();
                cluster.startAgent();
            }
            case TERMINATE_AGENT -> {
                node.stopAgent();
                cluster.startAgent();
            }
            case KILL_SWITCH -> {
                node.ovs().killSwitch();
                node.ovs().startSwitch();
            }
            case TERMINATE_SWITCH -> {
                node.ovs().stopSwitch();
                node.ovs().startSwitch();
            }
            case SUSPEND_SWITCH -> {
                node.ovs().suspendSwitch();
                passes(1000, over);
                node.ovs().resumeSwitch();
            }
            case KILL_DATABASE -> {
                node.ovs().database().kill();
                node.ovs().database().start();
            }
            case TERMINATE_DATABASE -> {
                node.ovs().database().stop();
                node.ovs().database().start();
            }
            case SUSPEND_DATABASE -> {
                node.ovs().database().suspend();
                passes(1000, over);
                node.ovs().database().resume();
            }
            case API_SERVER_REFUSES -> {
                int code = List.of(409, 422, 429, 500, 503).get(random.nextInt(5));
                // The agent alone sends a token
                cluster.apiServer.answerWith(
                        request -> request.getHeader("Authorization") != null && !ApiServer.isWatch(request)
                                ? Optional.of(new MockResponse().setResponseCode(code))
                                : Optional.empty());
                passes(1000, over);
                cluster.apiServer.answerWell();
            }
            case API_SERVER_BREAKS_WATCHES -> cluster.apiServer.breakWatches();
        }
    }

    private static void passes(long millis, CountDownLatch over) throws InterruptedException {
        assertThat(over.await(millis, TimeUnit.MILLISECONDS)).isFalse();
    }

    /** One or two interfaces, with all that a runtime may ask, and now and then with a guest. */
    private void serveContainer() throws Exception {
        String container = "c-%010d".formatted(containers.incrementAndGet());
        Attached attached = added(node.add(container, "net1"));
        added(node.add(container, "net2"));
        assertThat(added(node.add(container, "net1"))).isEqualTo(attached);
        if (guests.tryAcquire()) {
            try (VhostUserGuest guest = VhostUserGuest.listen(node.workloadSocket(container, "net1"), attached.mac())) {
                guest.awaitConnection(PATIENCE);
            } finally {
                guests.release();
            }
        }
        assertThat(added(new Request.Check(node.request(container, "net1", node.network("1.1.0", "dpdk-net")))))
                .isEqualTo(attached);
        delete(container, "net2");
        delete(container, "net1");
    }

    /** A pod with a volume of its own, known to the API server. */
    private void servePod() throws Exception {
        int number = containers.incrementAndGet();
        Pod pod = cluster.schedule(withVolume("pod-" + number, KubernetesNode.NAME, "shared-dir", "\"emptyDir\": {}"));
        String container = "p-%010d".formatted(number);
        ObjectNode network = node.network("1.1.0", "fast");
        network.remove("sharedDir");
        added(new Request.Add(
                new AttachmentRequest(
                        new AttachmentId(container, "net1"),
                        "/run/netns/" + container,
                        new PodIdentity(
                                "default",
                                pod.getMetadata().getName(),
                                pod.getMetadata().getUid()),
                        Optional.empty(),
                        network),
                Json.object(),
                Duration.ofSeconds(10)));
        delete(container, "net1");
        cluster.remove(pod);
    }

    private Attached added(Request request) {
        return ((Reply.Added) untilDone(request)).attached();
    }

    private void delete(String container, String ifname) {
        untilDone(node.delete(container, ifname));
    }

    /** As a runtime does: it asks again until it is done. A bug of the agent is no reason to ask again. */
    private Reply untilDone(Request request) {
        return await().atMost(PATIENCE)
                .pollDelay(Duration.ZERO)
                .pollInterval(Duration.ofMillis(100))
                .ignoreExceptionsInstanceOf(IOException.class)
                .until(() -> node.ask(request), reply -> {
                    if (reply instanceof Reply.Failed failed) {
                        assertThat(failed.error().code())
                                .as(failed.error().getMessage())
                                .isNotEqualTo(ErrorCode.INTERNAL.code());
                        return false;
                    }
                    return true;
                });
    }
}
