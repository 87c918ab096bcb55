package io.ovsdpdk.agent.kubernetes;

import static io.ovsdpdk.agent.kubernetes.Recorded.json;
import static io.ovsdpdk.agent.kubernetes.Recorded.networkStatus;
import static io.ovsdpdk.agent.kubernetes.Recorded.ours;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.ovsdpdk.api.PodIdentity;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;

/**
 * Everybody writes a pod's annotations at once, on whatever API server: a stand-in for Multus the status, as a whole;
 * rivals add to it again and again, and to other annotations; the announcer completes it. Each of them does as real ones
 * do: reads, writes with the version that he read, and begins anew after a conflict.
 */
final class AnnouncerRaces implements AutoCloseable {
    private static final String NODE = "node-a";
    private static final String SOCKET = "/var/run/vhost/net1.sock";
    private static final int AT_A_TIME = 10;

    /** How often each rival writes into the status. */
    private static final int MARKS = 4;

    private static final Duration LONGEST_START = Duration.ofMillis(30);

    /** When the stand-in for Multus writes. Each is every third pod's. */
    private enum Multus {
        /** The announcer has something to complete at once. */
        BEFORE,
        /** While the announcer hears of the interface, and again while it completes what was written. */
        DURING,
        /** What the announcer has completed is replaced. */
        AFTER
    }

    private final KubernetesClient writers;
    private final UnaryOperator<Pod> create;
    private final NodePods pods;
    private final Announcer announcer;
    private final Set<String> attached = ConcurrentHashMap.newKeySet();
    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();

    /**
     * @param writers the way to the API server of all but the announcer
     * @param create makes a pod there
     */
    AnnouncerRaces(KubernetesClient writers, KubernetesClient agents, UnaryOperator<Pod> create) {
        this.writers = writers;
        this.create = create;
        pods = new NodePods(agents, NODE);
        announcer = new Announcer(
                agents,
                pods,
                pod -> attached.contains(pod.getMetadata().getName())
                        ? List.of(ours("net1", SOCKET, Recorded.MAC, true))
                        : List.of());
        pods.start();
        await().atMost(Duration.ofSeconds(20)).until(pods::isWatching);
    }

    /** So many pods, each with a race of its own, some at a time. */
    void run(int rounds) throws Exception {
        for (int first = 0; first < rounds; first += AT_A_TIME) {
            List<Future<?>> races = new ArrayList<>();
            for (int round = first; round < Math.min(rounds, first + AT_A_TIME); round++) {
                String name = "race-" + round;
                Multus multus = Multus.values()[round % Multus.values().length];
                races.add(threads.submit(() -> {
                    race(name, multus);
                    return null;
                }));
            }
            for (Future<?> race : races) {
                race.get();
            }
        }
    }

    private void race(String name, Multus multus) throws Exception {
        Pod pod = create.apply(new PodBuilder()
                .withNewMetadata()
                .withNamespace("default")
                .withName(name)
                .addToAnnotations(NetworkStatus.NETWORKS, "rec-simple")
                .endMetadata()
                .withNewSpec()
                .withNodeName(NODE)
                .withAutomountServiceAccountToken(false)
                .addNewContainer()
                .withName("c")
                .withImage("none")
                .endContainer()
                .endSpec()
                .build());
        if (multus != Multus.DURING) {
            multusWrites(pod);
        }
        if (multus == Multus.AFTER) {
            attach(pod);
            await().atMost(Duration.ofSeconds(30)).until(() -> path(pod).equals(SOCKET));
        }
        CyclicBarrier start = new CyclicBarrier(5);
        // What others added to a status that Multus replaces is not ours to keep
        CountDownLatch written = new CountDownLatch(1);
        List<Future<?>> all = List.of(
                begin(start, () -> attach(pod)),
                begin(start, () -> {
                    if (multus != Multus.BEFORE) {
                        multusWrites(pod);
                    }
                    if (multus == Multus.DURING) {
                        multusWrites(pod);
                    }
                    written.countDown();
                }),
                begin(start, () -> marks("careful")
                        .forEach(mark -> editStatus(pod, written, entry -> entry.put(mark, true)))),
                begin(start, () -> marks("careless")
                        .forEach(mark -> editStatus(pod, written, entry -> {
                            // One that knows nothing of it: we must say it again, while the others write
                            entry.remove("device-info");
                            entry.put(mark, true);
                        }))),
                begin(
                        start,
                        () -> edit(pod, annotations -> {
                            annotations.put("rival/one", "1");
                            annotations.put(LegacyAnnotations.MAPPED_DIR, "/of/somebody/else");
                        })));
        for (Future<?> one : all) {
            one.get();
        }
        await().atMost(Duration.ofSeconds(30)).untilAsserted(() -> assertComplete(pod));
    }

    private void attach(Pod pod) {
        String name = pod.getMetadata().getName();
        attached.add(name);
        announcer.attached(new PodIdentity("default", name, pod.getMetadata().getUid()));
    }

    private void multusWrites(Pod pod) {
        edit(pod, annotations -> annotations.put(NetworkStatus.ANNOTATION, networkStatus("p-noid")));
    }

    private String path(Pod pod) {
        return json(writers.resource(pod).get().getMetadata().getAnnotations().get(NetworkStatus.ANNOTATION))
                .at("/1/device-info/vhost-user/path")
                .asText();
    }

    private static List<String> marks(String writer) {
        return IntStream.range(0, MARKS)
                .mapToObj(number -> writer + "-" + number)
                .toList();
    }

    private Future<?> begin(CyclicBarrier start, Runnable work) {
        return threads.submit(() -> {
            start.await();
            LockSupport.parkNanos(ThreadLocalRandom.current().nextLong(LONGEST_START.toNanos()));
            work.run();
            return null;
        });
    }

    /** Changes our entry as another controller would, when Multus has written for the last time. */
    private void editStatus(Pod pod, CountDownLatch written, Consumer<ObjectNode> change) {
        await().atMost(Duration.ofSeconds(30)).until(() -> written.getCount() == 0);
        edit(pod, annotations -> {
            ArrayNode entries = (ArrayNode) json(annotations.get(NetworkStatus.ANNOTATION));
            change.accept((ObjectNode) entries.get(1));
            annotations.put(NetworkStatus.ANNOTATION, entries.toString());
        });
    }

    private void edit(Pod pod, Consumer<Map<String, String>> change) {
        while (true) {
            Pod read = writers.resource(pod).get();
            change.accept(read.getMetadata().getAnnotations());
            try {
                writers.resource(read)
                        .lockResourceVersion(read.getMetadata().getResourceVersion())
                        .updateStatus();
                return;
            } catch (KubernetesClientException e) {
                if (e.getCode() != 409) {
                    throw e;
                }
            }
        }
    }

    private void assertComplete(Pod pod) {
        Map<String, String> annotations =
                writers.resource(pod).get().getMetadata().getAnnotations();
        JsonNode status = json(annotations.get(NetworkStatus.ANNOTATION));
        ObjectNode expected = (ObjectNode) json(networkStatus("p-noid")).get(1);
        assertThat(status.get(0)).isEqualTo(json(networkStatus("p-noid")).get(0));
        assertThat(status.get(1).at("/device-info/vhost-user/path").asText()).isEqualTo(SOCKET);
        assertThat(status.get(1).properties().stream().map(Map.Entry::getKey))
                .containsAll(marks("careful"))
                .containsAll(marks("careless"));
        expected.properties().forEach(member -> assertThat(status.get(1).get(member.getKey()))
                .isEqualTo(member.getValue()));
        assertThat(annotations)
                .containsEntry("rival/one", "1")
                .containsEntry(NetworkStatus.NETWORKS, "rec-simple")
                .containsEntry(LegacyAnnotations.MAPPED_DIR, "/var/run/vhost/")
                .containsKey(LegacyAnnotations.CONFIGURATION_DATA);
    }

    @Override
    public void close() {
        announcer.close();
        pods.close();
        threads.shutdownNow();
    }
}
