package io.ovsdpdk.agent.kubernetes;

import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.ovsdpdk.api.PodIdentity;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * Tells the pods of this node, by their annotations, where the sockets of their interfaces are: after they were made, and
 * again whenever somebody wrote the annotations without. It takes no part in an ADD, which succeeds without it; what an
 * API server that is away can't be told is told later, until the pod is gone.
 *
 * <p>For any number of threads, none of which waits: all that is said to a pod is one {@link Conversation}'s, with a
 * virtual thread of its own while there is something to do.
 */
public final class Announcer implements PodListener, AutoCloseable {
    /** Phases that a pod does not leave. */
    private static final Set<String> ENDED = Set.of("Succeeded", "Failed");

    private final NodePods pods;
    private final Function<Pod, List<PodInterface>> interfaces;
    private final PodRequests requests;

    /** By the pods' UIDs; from a pod's first interface that was made or removed until it is gone. */
    private final Map<String, Conversation> conversations = new ConcurrentHashMap<>();

    /**
     * Interfaces that were removed before their pods were seen: those of DELs that came while no agent ran. Only until all
     * pods were seen once, so no more than the switch can have ports.
     */
    private final Map<PodIdentity, List<PodInterface>> ofUnseen = new ConcurrentHashMap<>();

    private final ExecutorService threads = Executors.newThreadPerTaskExecutor(
            Thread.ofVirtual().name("announcer-", 0).factory());

    /**
     * Listens to the pods from now on.
     *
     * @param client its owner closes it, after this
     * @param interfaces all of ours that a pod has now; called on any thread, and must not wait for anything
     */
    public Announcer(KubernetesClient client, NodePods pods, Function<Pod, List<PodInterface>> interfaces) {
        this.pods = pods;
        this.interfaces = interfaces;
        this.requests = new PodRequests(client);
        pods.addListener(this);
    }

    /** An interface was made for a pod. One that the watch has not told of yet is told when it does. */
    public void attached(PodIdentity pod) {
        pods.find(pod.namespace(), pod.name())
                .filter(found -> NodePods.isOf(found, pod))
                .ifPresent(found -> {
                    changed(found);
                    endIfGone(found);
                });
    }

    /** Then it may have gone before there was a conversation to end. */
    private void endIfGone(Pod found) {
        if (!isThere(found)) {
            gone(found);
        }
    }

    /**
     * An interface of a pod was removed: what the pod was told of it goes, and where another one of its name is there, the
     * pod is told of that. To a pod that ends nothing is said any more.
     */
    public void detached(PodIdentity pod, PodInterface gone) {
        boolean early = !pods.isSynchronised();
        if (early) {
            ofUnseen.merge(pod, List.of(gone), Announcer::both);
        }
        // After that: it may have been seen meanwhile
        pods.find(pod.namespace(), pod.name())
                .filter(found -> NodePods.isOf(found, pod))
                .ifPresent(found -> {
                    if (early) {
                        changed(found);
                    } else if (!isEnding(found)) {
                        // An agent before this one may have told of it, and there is nothing else to tell
                        tell(found, List.of(gone));
                    }
                    endIfGone(found);
                });
    }

    private void tell(Pod pod, List<PodInterface> gone) {
        conversations
                .computeIfAbsent(pod.getMetadata().getUid(), _ -> new Conversation(requests, interfaces, threads))
                .hear(pod, gone);
    }

    private List<PodInterface> departed(Pod pod) {
        return ofUnseen.keySet().stream()
                .filter(identity -> isOf(pod, identity))
                .map(ofUnseen::remove)
                .filter(Objects::nonNull)
                .flatMap(List::stream)
                .toList();
    }

    private static boolean isOf(Pod pod, PodIdentity identity) {
        return identity.name().equals(pod.getMetadata().getName())
                && identity.namespace().equals(pod.getMetadata().getNamespace())
                && NodePods.isOf(pod, identity);
    }

    private static List<PodInterface> both(List<PodInterface> some, List<PodInterface> others) {
        return Stream.concat(some.stream(), others.stream()).distinct().toList();
    }

    private static boolean isEnding(Pod pod) {
        return pod.getMetadata().getDeletionTimestamp() != null
                || pod.getStatus() != null
                        && ENDED.contains(String.valueOf(pod.getStatus().getPhase()));
    }

    private boolean isThere(Pod pod) {
        return pods.find(pod.getMetadata().getNamespace(), pod.getMetadata().getName())
                .filter(now ->
                        now.getMetadata().getUid().equals(pod.getMetadata().getUid()))
                .isPresent();
    }

    @Override
    public void changed(Pod pod) {
        List<PodInterface> gone = isEnding(pod) ? List.of() : departed(pod);
        if (!interfaces.apply(pod).isEmpty() || !gone.isEmpty()) {
            tell(pod, gone);
        }
    }

    @Override
    public void gone(Pod pod) {
        Optional.ofNullable(conversations.remove(pod.getMetadata().getUid())).ifPresent(Conversation::end);
    }

    /** How many pods were told of their interfaces, or are to be. */
    int conversations() {
        return conversations.size();
    }

    /** Stops telling. What is not told yet is told by the next agent. */
    @Override
    public void close() {
        conversations.values().forEach(Conversation::end);
        threads.shutdownNow();
    }
}
