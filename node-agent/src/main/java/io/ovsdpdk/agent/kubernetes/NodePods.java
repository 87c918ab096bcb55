package io.ovsdpdk.agent.kubernetes;

import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.NamespacedKubernetesClient;
import io.fabric8.kubernetes.client.RequestConfig;
import io.fabric8.kubernetes.client.RequestConfigBuilder;
import io.fabric8.kubernetes.client.ResourceNotFoundException;
import io.fabric8.kubernetes.client.dsl.Resource;
import io.fabric8.kubernetes.client.informers.ResourceEventHandler;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import io.fabric8.kubernetes.client.informers.cache.Cache;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.PodIdentity;
import io.ovsdpdk.ovsdb.Deadline;
import java.net.HttpURLConnection;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The pods of this node, kept in memory by a watch of the API server that lists only them. A watch that ends, is too old
 * (410) or never came about is begun again, for ever; meanwhile memory stays as it was.
 *
 * <p>For any number of threads. {@code lock} guards nothing but the wait for a pod that is not there yet: each event
 * wakes all who wait.
 */
public final class NodePods implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(NodePods.class);

    /** Of a static pod: the UID that kubelet knows it by. Its mirror in the API server has one of its own. */
    private static final String MIRRORED_UID = "kubernetes.io/config.mirror";

    /** Between two questions to an API server that does not answer. */
    private static final Duration PAUSE = Duration.ofMillis(200);

    /** An answer takes milliseconds; one that is lost must not take the whole of an ADD's time. */
    private static final Duration LONGEST_QUESTION = Duration.ofSeconds(3);

    private final KubernetesClient client;
    private final String nodeName;
    private final TrimmedPods pods = new TrimmedPods();
    private final SharedIndexInformer<Pod> informer;

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();

    /**
     * Nothing is asked of the API server before {@link #start}.
     *
     * @param client its owner closes it, after this
     * @param nodeName the node as the cluster calls it
     */
    public NodePods(KubernetesClient client, String nodeName) {
        this.client = client;
        this.nodeName = nodeName;
        this.informer = client.pods()
                .inAnyNamespace()
                .withField("spec.nodeName", nodeName)
                .runnableInformer(0)
                .itemStore(pods)
                .exceptionHandler((_, failure) -> {
                    LOG.warn("the pods of this node are not followed, trying again: reason={}", reason(failure));
                    return true;
                });
        addListener(new PodListener() {
            @Override
            public void changed(Pod pod) {
                wake();
            }

            @Override
            public void gone(Pod pod) {
                wake();
            }
        });
    }

    /** Begins to follow the pods, and returns at once: an API server that is away is tried again and again. */
    public void start() {
        informer.start();
    }

    public String nodeName() {
        return nodeName;
    }

    /** Whether all pods of the node were seen once. */
    public boolean isSynchronised() {
        return informer.hasSynced();
    }

    /** Whether changes are being told right now. */
    public boolean isWatching() {
        return informer.isWatching();
    }

    /** How many pods are in memory. */
    public int count() {
        return pods.size();
    }

    /** Hears of all pods that are in memory already, and of every change from now on. */
    public void addListener(PodListener listener) {
        informer.addEventHandler(new ResourceEventHandler<>() {
            @Override
            public void onAdd(Pod pod) {
                listener.changed(pod);
            }

            @Override
            public void onUpdate(Pod before, Pod pod) {
                if (!before.getMetadata().getUid().equals(pod.getMetadata().getUid())) {
                    // Its end fell into a time in which nothing was seen
                    listener.gone(before);
                }
                listener.changed(pod);
            }

            @Override
            public void onDelete(Pod pod, boolean lastStateUnknown) {
                listener.gone(pod);
            }
        });
    }

    /** What memory has of a pod: metadata, volumes, mounts and users (see {@link TrimmedPods}). */
    public Optional<Pod> find(String namespace, String name) {
        return Optional.ofNullable(pods.get(Cache.namespaceKeyFunc(namespace, name)));
    }

    /**
     * The pod that a runtime makes a sandbox for: from memory; from the API server when memory doesn't have it yet, or
     * has one that it may be the successor of. An API server that doesn't answer is asked again until the deadline, or gone
     * without where memory has a likely one.
     *
     * @param wanted its UID may be empty: then the pod that has the name now is meant
     * @throws CniException {@link ErrorCode#TRY_AGAIN} when there is no such pod, or that could not be found out
     */
    public Pod require(PodIdentity wanted, Deadline deadline) throws CniException, InterruptedException {
        while (true) {
            Optional<Pod> remembered = find(wanted.namespace(), wanted.name()).filter(pod -> isSurely(pod, wanted));
            if (remembered.isPresent()) {
                return remembered.get();
            }
            try {
                return ask(wanted, deadline);
            } catch (KubernetesClientException e) {
                Optional<Pod> likely = likely(wanted);
                if (likely.isPresent() && !isRefusal(e)) {
                    LOG.info("no answer about a pod, it is taken from memory: pod={} reason={}", wanted, reason(e));
                    return likely.get();
                }
                if (isRefusal(e) || deadline.expired()) {
                    throw unanswered(wanted, e);
                }
                LOG.debug("no answer about a pod yet: pod={} reason={}", wanted, reason(e));
                awaitChange(deadline);
            }
        }
    }

    /**
     * Likewise, but as the API server has it now, whatever memory says: for a pod that turned out to be another one.
     *
     * @throws CniException as {@link #require}
     */
    public Pod requireAnew(PodIdentity wanted, Deadline deadline) throws CniException {
        try {
            return ask(wanted, deadline);
        } catch (KubernetesClientException e) {
            throw unanswered(wanted, e);
        }
    }

    /**
     * Whether the pod of that UID does not exist any more: memory does not have it, and the API server, asked now, says in
     * its own words that it has no pod of the name, or has one of another UID.
     *
     * @param pod with namespace, name and UID
     * @throws CniException {@link ErrorCode#NOT_AVAILABLE} or {@link ErrorCode#TRY_AGAIN} when that can't be found out
     */
    public boolean isGone(PodIdentity pod) throws CniException {
        requireSynchronised();
        if (has(pod)) {
            return false;
        }
        try {
            Pod answer = get(pod, Deadline.after(LONGEST_QUESTION), Resource::require);
            requirePod(answer, pod);
            return !isOf(answer, pod);
        } catch (ResourceNotFoundException e) {
            // fabric8 throws it whatever the failure was
            if (e.getCause() instanceof KubernetesClientException failure && !PodRequests.isGone(failure)) {
                throw unanswered(pod, failure);
            }
            return true;
        }
    }

    /** @throws CniException {@link ErrorCode#NOT_AVAILABLE} as long as the node's pods were not seen once */
    public void requireSynchronised() throws CniException {
        if (!isSynchronised()) {
            throw new CniException(
                    ErrorCode.NOT_AVAILABLE,
                    "the agent has not seen the pods of this node yet",
                    "see whether the API server can be reached and allows to list and watch pods");
        }
    }

    /** Whether memory has the pod of that UID. */
    public boolean has(PodIdentity pod) {
        return find(pod.namespace(), pod.name())
                .filter(found -> isOf(found, pod))
                .isPresent();
    }

    /** It must be all there to tell that another has the name. */
    private static void requirePod(Pod answer, PodIdentity wanted) throws CniException {
        if (answer == null
                || answer.getMetadata() == null
                || !wanted.name().equals(answer.getMetadata().getName())
                || answer.getMetadata().getUid() == null
                || answer.getMetadata().getUid().isEmpty()) {
            throw unanswered(wanted, new KubernetesClientException("the answer is no pod of that name"));
        }
    }

    /** Without a UID, one that ends or may have been replaced since might not be the one that is meant. */
    private boolean isSurely(Pod pod, PodIdentity wanted) {
        return wanted.uid().isEmpty()
                ? isWatching() && pod.getMetadata().getDeletionTimestamp() == null
                : isOf(pod, wanted);
    }

    /**
     * Without a UID, what memory has for as long as nobody can be asked: kubelet, which heard of the pod from the same API
     * server, has not heard of another one either. Whoever uses it sees whether its folder is there.
     */
    private Optional<Pod> likely(PodIdentity wanted) {
        return find(wanted.namespace(), wanted.name())
                .filter(pod -> wanted.uid().isEmpty() && pod.getMetadata().getDeletionTimestamp() == null);
    }

    /**
     * Whether a pod of that name is the one that the runtime means. It names static pods by the UID that kubelet gave
     * them.
     */
    public static boolean isOf(Pod pod, PodIdentity wanted) {
        Map<String, String> annotations = pod.getMetadata().getAnnotations();
        return wanted.uid().isEmpty()
                || wanted.uid().equals(pod.getMetadata().getUid())
                || annotations != null && wanted.uid().equals(annotations.get(MIRRORED_UID));
    }

    /** The UID that kubelet knows a pod by: of a static one not that of its mirror in the API server. */
    public static String uidOf(Pod pod) {
        Map<String, String> annotations = pod.getMetadata().getAnnotations();
        String mirrored = annotations == null ? null : annotations.get(MIRRORED_UID);
        return mirrored == null ? pod.getMetadata().getUid() : mirrored;
    }

    /** One GET, with the API server's answer for it; it sees what kubelet saw, so there is no use in waiting for more. */
    private Pod ask(PodIdentity wanted, Deadline deadline) throws CniException {
        Pod pod = get(wanted, deadline, Resource::get);
        if (pod == null) {
            throw new CniException(
                    ErrorCode.TRY_AGAIN, "the API server has no pod " + wanted, "it was deleted in the meantime");
        }
        if (!isOf(pod, wanted)) {
            throw new CniException(
                    ErrorCode.TRY_AGAIN,
                    "pod " + wanted + " has UID " + pod.getMetadata().getUid() + ", and not " + wanted.uid()
                            + " as the runtime says",
                    "the pod of that UID was deleted, and another one has its name now");
        }
        if (!nodeName.equals(pod.getSpec().getNodeName())) {
            throw new CniException(
                    ErrorCode.TRY_AGAIN,
                    "pod " + wanted + " is on node " + pod.getSpec().getNodeName() + ", and this agent serves node "
                            + nodeName,
                    "an administrator corrects --node-name of the agent");
        }
        return pod;
    }

    private Pod get(PodIdentity wanted, Deadline deadline, Function<Resource<Pod>, Pod> question) {
        return client.adapt(NamespacedKubernetesClient.class)
                .withRequestConfig(within(deadline))
                .call(limited -> question.apply(
                        limited.pods().inNamespace(wanted.namespace()).withName(wanted.name())));
    }

    private static RequestConfig within(Deadline deadline) {
        Duration left = deadline.remaining();
        Duration timeout = left.compareTo(LONGEST_QUESTION) < 0 ? left : LONGEST_QUESTION;
        // 0 would mean for ever
        return new RequestConfigBuilder()
                .withRequestTimeout(Math.max(1, (int) timeout.toMillis()))
                .withRequestRetryBackoffLimit(0)
                .build();
    }

    /** The API server answered, and will answer the same again. */
    private static boolean isRefusal(KubernetesClientException e) {
        return e.getCode() == HttpURLConnection.HTTP_UNAUTHORIZED || e.getCode() == HttpURLConnection.HTTP_FORBIDDEN;
    }

    private static CniException unanswered(PodIdentity wanted, KubernetesClientException e) {
        return new CniException(
                ErrorCode.TRY_AGAIN,
                "can't ask the API server about pod " + wanted + ": " + reason(e),
                isRefusal(e)
                        ? "an administrator allows the agent's ServiceAccount to get, list and watch pods"
                        : "try again when the API server answers",
                e);
    }

    /** The innermost words: those around them say no more than that there was a failure. */
    private static String reason(Throwable failure) {
        Throwable innermost = failure;
        while (innermost.getCause() != null && innermost.getCause() != innermost) {
            innermost = innermost.getCause();
        }
        String words = innermost.getMessage() == null ? innermost.getClass().getSimpleName() : innermost.getMessage();
        return words.lines().findFirst().orElse("");
    }

    private void wake() {
        lock.lock();
        try {
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** Until something changed, at most for a pause. */
    private void awaitChange(Deadline deadline) throws InterruptedException {
        Duration pause = deadline.remaining().compareTo(PAUSE) < 0 ? deadline.remaining() : PAUSE;
        lock.lock();
        try {
            changed.await(pause.toNanos(), TimeUnit.NANOSECONDS);
        } finally {
            lock.unlock();
        }
    }

    /** Ends the watch. */
    @Override
    public void close() {
        informer.close();
    }
}
