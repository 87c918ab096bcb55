package io.ovsdpdk.agent;

import io.ovsdpdk.agent.kubernetes.Cluster;
import io.ovsdpdk.agent.kubernetes.NodePods;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.PodIdentity;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/**
 * Which pods are gone for sure: neither the API server nor kubelet has them. Not synchronized: one thread looks at a time;
 * {@link #isStillGone} is for any.
 */
final class GonePods {
    /** What there is of a pod. */
    enum Finding {
        /** The API server has it. */
        PRESENT,
        /** The API server told of no such pod on this node, and kubelet has not removed its folder yet. */
        FOLDER_LEFT,
        GONE
    }

    private final Cluster cluster;
    private final Path pods;
    private final Duration pause;
    private long next = System.nanoTime();

    /**
     * @param kubeletDir kubelet's folder
     * @param pause between two questions to the API server: after the node was started anew there may be hundreds
     */
    GonePods(Cluster cluster, Path kubeletDir, Duration pause) {
        this.cluster = cluster;
        this.pods = kubeletDir.resolve("pods");
        this.pause = pause;
    }

    /** Without Kubernetes nobody knows what has become of a pod. */
    boolean areToldOf() {
        return cluster.pods().isPresent();
    }

    /** Whether the node's pods were seen; also where there is nobody to tell of them. */
    boolean areKnown() {
        return cluster.pods().map(NodePods::isSynchronised).orElse(true);
    }

    /** Where kubelet has what belongs to a pod. */
    Path folderOf(PodIdentity pod) {
        return pods.resolve(pod.uid());
    }

    /** @throws CniException why it can't be known of any pod whether it is gone */
    void requireKnown() throws CniException {
        known().requireSynchronised();
        if (!Files.isDirectory(pods)) {
            throw new CniException(
                    ErrorCode.NOT_AVAILABLE,
                    "there is no folder " + pods + ", so it is not known which pods kubelet has",
                    "an administrator corrects --kubelet-dir, or lets the agent see that folder");
        }
    }

    private NodePods known() throws CniException {
        return cluster.pods()
                .orElseThrow(() -> new CniException(
                        ErrorCode.NOT_AVAILABLE,
                        "the agent runs without Kubernetes, so it is not known which pods are gone",
                        "an administrator deletes ports that nobody needs by ovs-vsctl del-port"));
    }

    /**
     * What there is of a pod now.
     *
     * @param pod with namespace, name and UID
     * @throws CniException when that can't be found out
     */
    Finding look(PodIdentity pod) throws CniException, InterruptedException {
        NodePods known = known();
        if (known.has(pod)) {
            return Finding.PRESENT;
        }
        if (!hasNoFolder(pod)) {
            return Finding.FOLDER_LEFT;
        }
        TimeUnit.NANOSECONDS.sleep(next - System.nanoTime());
        next = System.nanoTime() + pause.toNanos();
        return known.isGone(pod) ? Finding.GONE : Finding.PRESENT;
    }

    /** Whether nothing of a pod that was gone has shown up since. Asks nobody. */
    boolean isStillGone(PodIdentity pod) {
        return cluster.pods().filter(known -> !known.has(pod)).isPresent() && hasNoFolder(pod);
    }

    /** A folder that can't be looked at may be there. */
    private boolean hasNoFolder(PodIdentity pod) {
        return Files.isDirectory(pods) && Files.notExists(folderOf(pod), LinkOption.NOFOLLOW_LINKS);
    }
}
