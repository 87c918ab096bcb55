package io.ovsdpdk.agent.kubernetes;

import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.NodeView;
import io.ovsdpdk.api.PodIdentity;
import java.io.IOException;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/** The cluster that this node belongs to, if it does. Closing ends all connections to its API server. */
public final class Cluster implements AutoCloseable {
    /** Without Kubernetes. */
    public static final Cluster NONE = new Cluster(Optional.empty(), Optional.empty(), Optional.empty());

    private final Optional<KubernetesClient> client;
    private final Optional<NodePods> pods;
    private final Optional<PodEvents> events;
    private volatile Optional<Announcer> announcer = Optional.empty();

    private Cluster(Optional<KubernetesClient> client, Optional<NodePods> pods, Optional<PodEvents> events) {
        this.client = client;
        this.pods = pods;
        this.events = events;
    }

    /**
     * Begins to follow the node's pods; an API server that is away is no failure.
     *
     * @throws IOException when what says where the API server is can't be read
     */
    public static Cluster join(ClusterNode node) throws IOException {
        KubernetesClient client = node.apiServer().client();
        NodePods pods = new NodePods(client, node.name());
        pods.start();
        PodEvents events = new PodEvents(client, node.name(), InstantSource.system());
        return new Cluster(Optional.of(client), Optional.of(pods), Optional.of(events));
    }

    /** One whose connection others made, and which they close. */
    public static Cluster of(NodePods pods) {
        return new Cluster(Optional.empty(), Optional.of(pods), Optional.empty());
    }

    /** Empty without Kubernetes. */
    public Optional<NodePods> pods() {
        return pods;
    }

    /** The way to the API server; empty without Kubernetes. */
    public Optional<KubernetesClient> client() {
        return client;
    }

    /** @throws CniException {@link ErrorCode#NOT_AVAILABLE} as long as the node's pods were not seen once */
    public void requireKnown() throws CniException {
        if (pods.isPresent()) {
            pods.get().requireSynchronised();
        }
    }

    /**
     * Begins to tell the node's pods of their interfaces, those that were made before too. Called once.
     *
     * @param interfaces all of ours that a pod has now; must not wait for anything
     */
    public void announce(Function<Pod, List<PodInterface>> interfaces) {
        announcer = client.flatMap(way -> pods.map(known -> new Announcer(way, known, interfaces)));
    }

    /** An interface was made for a pod, which is told of it as soon as that is possible. */
    public void attached(PodIdentity pod) {
        announcer.ifPresent(found -> found.attached(pod));
    }

    /** An interface of a pod was removed. */
    public void detached(PodIdentity pod, PodInterface gone) {
        announcer.ifPresent(found -> found.detached(pod, gone));
    }

    /**
     * An ADD was refused, or failed: an event says so on its pod, if that can be found out and told. Returns at once.
     *
     * @param pod as the runtime names it
     */
    public void failed(PodIdentity pod, String ifname, CniException why) {
        events.filter(_ -> pod.known()).ifPresent(found -> found.failed(identified(pod), ifname, why));
    }

    /** With its UID, by which events belong to a pod. */
    private PodIdentity identified(PodIdentity pod) {
        return pod.uid().isEmpty()
                ? pods.flatMap(known -> known.find(pod.namespace(), pod.name()))
                        .map(found -> new PodIdentity(
                                pod.namespace(), pod.name(), found.getMetadata().getUid()))
                        .orElse(pod)
                : pod;
    }

    /** What people are shown; empty without Kubernetes. */
    public Optional<NodeView.Cluster> view() {
        return pods.map(known ->
                new NodeView.Cluster(known.nodeName(), known.count(), known.isSynchronised(), known.isWatching()));
    }

    @Override
    public void close() {
        announcer.ifPresent(Announcer::close);
        events.ifPresent(PodEvents::close);
        pods.ifPresent(NodePods::close);
        client.ifPresent(KubernetesClient::close);
    }
}
