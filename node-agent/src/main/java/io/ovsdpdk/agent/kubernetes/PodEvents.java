package io.ovsdpdk.agent.kubernetes;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.PodIdentity;
import java.net.HttpURLConnection;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells who looks at a pod ({@code kubectl describe pod}) why its ADD failed: a Warning of reason {@value #REASON}. The
 * same kind of failure of the same interface is counted on the event that there is, with its last words; and an agent
 * writes {@value #BURST} events at once at most, and then one a second. Whoever reports never waits: what can't be written
 * is dropped and counted.
 *
 * <p>One virtual thread writes; all but the queue and the counter are its own.
 */
public final class PodEvents implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(PodEvents.class);

    public static final String REASON = "OvsDpdkAttachFailed";

    private static final String COMPONENT = "ovs-dpdk-cni";

    /** A node's pods that all fail at once may all be told of, in a while. */
    private static final int BURST = 25;

    private static final Duration REFILL = Duration.ofSeconds(1);

    /** Of what is not written yet: twice a node's pods. */
    private static final int QUEUE = 256;

    /** Events that are counted on; the API server forgets them too, after an hour as a rule. */
    private static final int REMEMBERED = 256;

    /** Bytes of UTF-8 at most, as events.k8s.io has it; here characters of which none has more than three. */
    private static final int LONGEST_MESSAGE = 1024 / 3;

    /** So long may a pod's name be within that of an event. */
    private static final int LONGEST_NAME = 200;

    private record Failure(Kind kind, String message) {}

    /** What is counted on one event. */
    private record Kind(PodIdentity pod, String ifname, int code) {}

    private record Written(String name, int count) {}

    private final BlockingQueue<Failure> queue = new ArrayBlockingQueue<>(QUEUE);
    private final AtomicLong dropped = new AtomicLong();
    private final Map<Kind, Written> written = new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Kind, Written> eldest) {
            return size() > REMEMBERED;
        }
    };
    private final PlainRequests requests;
    private final String nodeName;
    private final InstantSource clock;
    private final Thread writer;

    /** How many may be written at once, by {@code refilled}. */
    private int tokens = BURST;

    private Instant refilled;
    private boolean failing;

    /**
     * Writes from now on.
     *
     * @param client its owner closes it, after this
     */
    public PodEvents(KubernetesClient client, String nodeName, InstantSource clock) {
        this.requests = new PlainRequests(client);
        this.nodeName = nodeName;
        this.clock = clock;
        this.refilled = clock.instant();
        this.writer = Thread.ofVirtual().name("events").start(this::write);
    }

    /**
     * An ADD was refused, or failed. Returns at once.
     *
     * @param pod with its UID, or the event is of no use
     */
    public void failed(PodIdentity pod, String ifname, CniException why) {
        String words = ifname + ": " + why.getMessage() + (why.details().isEmpty() ? "" : ": " + why.details());
        String message = words.length() > LONGEST_MESSAGE ? words.substring(0, LONGEST_MESSAGE - 1) + "…" : words;
        if (!queue.offer(new Failure(new Kind(pod, ifname, why.code()), message))) {
            dropped.incrementAndGet();
        }
    }

    /** How many failures no event tells of. */
    long dropped() {
        return dropped.get();
    }

    private void write() {
        try {
            while (true) {
                tryToWrite(queue.take());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void tryToWrite(Failure failure) throws InterruptedException {
        Optional<Written> before = Optional.ofNullable(written.get(failure.kind()));
        if (!takeToken()) {
            // Counted with the next one
            before.ifPresentOrElse(
                    event -> remember(failure, event.name(), event.count() + 1), dropped::incrementAndGet);
            return;
        }
        try {
            if (before.isEmpty() || !counted(failure, before.get())) {
                create(failure);
            }
            if (failing) {
                failing = false;
                LOG.info("events are written again: dropped={}", dropped);
            }
        } catch (RuntimeException e) {
            dropped.incrementAndGet();
            if (!failing) {
                failing = true;
                LOG.warn("events of pods can't be written: reason={}", e.getMessage());
            }
        }
    }

    private boolean takeToken() {
        Instant now = clock.instant();
        long more = Math.max(0, Duration.between(refilled, now).dividedBy(REFILL));
        tokens = (int) Math.min(BURST, tokens + more);
        // A clock that was put back begins anew
        refilled = now.isBefore(refilled) ? now : refilled.plus(REFILL.multipliedBy(more));
        return tokens > 0 && tokens-- > 0;
    }

    private void remember(Failure failure, String name, int count) {
        written.put(failure.kind(), new Written(name, count));
    }

    /** @return false when the API server has forgotten the event */
    private boolean counted(Failure failure, Written event) throws InterruptedException {
        // Also when it can't be written: then with the next one
        remember(failure, event.name(), event.count() + 1);
        ObjectNode patch = Json.object()
                .put("count", event.count() + 1)
                .put("lastTimestamp", now())
                .put("message", failure.message());
        try {
            requests.send(
                    "PATCH",
                    path(failure.kind().pod()) + "/" + event.name(),
                    "application/merge-patch+json",
                    new String(Json.write(patch), StandardCharsets.UTF_8));
            return true;
        } catch (KubernetesClientException e) {
            if (e.getCode() == HttpURLConnection.HTTP_NOT_FOUND) {
                written.remove(failure.kind());
                return false;
            }
            throw e;
        }
    }

    private void create(Failure failure) throws InterruptedException {
        PodIdentity pod = failure.kind().pod();
        String begin = pod.name().substring(0, Math.min(LONGEST_NAME, pod.name().length()));
        String name =
                begin + "." + UUID.randomUUID().toString().replace("-", "").substring(0, 16);
        ObjectNode event = Json.object().put("apiVersion", "v1").put("kind", "Event");
        event.putObject("metadata").put("namespace", pod.namespace()).put("name", name);
        event.putObject("involvedObject")
                .put("apiVersion", "v1")
                .put("kind", "Pod")
                .put("namespace", pod.namespace())
                .put("name", pod.name())
                .put("uid", pod.uid());
        event.put("type", "Warning").put("reason", REASON).put("message", failure.message());
        event.putObject("source").put("component", COMPONENT).put("host", nodeName);
        event.put("firstTimestamp", now()).put("lastTimestamp", now()).put("count", 1);
        requests.send("POST", path(pod), "application/json", new String(Json.write(event), StandardCharsets.UTF_8));
        remember(failure, name, 1);
    }

    private static String path(PodIdentity pod) {
        return "namespaces/" + pod.namespace() + "/events";
    }

    private String now() {
        return clock.instant().truncatedTo(ChronoUnit.SECONDS).toString();
    }

    /** Stops writing; what was not written is not told. */
    @Override
    public void close() {
        writer.interrupt();
    }
}
