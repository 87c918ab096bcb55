package io.ovsdpdk.agent;

import io.fabric8.kubernetes.api.model.Pod;
import io.ovsdpdk.agent.host.FolderLocation;
import io.ovsdpdk.agent.host.Ownership;
import io.ovsdpdk.agent.kubernetes.Cluster;
import io.ovsdpdk.agent.kubernetes.NodePods;
import io.ovsdpdk.agent.kubernetes.SocketVolume;
import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.NetworkConfiguration;
import io.ovsdpdk.api.PodIdentity;
import io.ovsdpdk.api.Quoted;
import io.ovsdpdk.ovsdb.Deadline;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where the socket of an attachment is: below {@code sharedDir}, or in a volume of the pod. Makes nothing.
 *
 * @param roots folders of the host that a network configuration, or a pod's hostPath, may name
 * @param kubeletDir kubelet's folder
 * @param cluster whose pods are known
 */
record SocketPlaces(SharedRoots roots, Path kubeletDir, Cluster cluster) {
    private static final Logger LOG = LoggerFactory.getLogger(SocketPlaces.class);

    /** The longest that is waited for an answer that an ADD can do without. */
    private static final Duration QUESTION = Duration.ofSeconds(1);

    private static final Path PODS = Path.of("pods");
    private static final Path EMPTY_DIRS = Path.of("volumes/kubernetes.io~empty-dir");
    private static final Path HOOKS = Path.of("ovs-dpdk/sockets");

    /**
     * A place for a socket.
     *
     * @param pod whose it is, with its UID where that is known
     * @param podIsSure whether that is more than somebody's word: without Kubernetes the runtime's must do
     * @param location the socket's folder
     * @param workloadFolder the same as the workload sees it
     */
    record Place(PodIdentity pod, boolean podIsSure, FolderLocation location, Path workloadFolder) {}

    /**
     * Where the socket of an attachment is to be.
     *
     * @param pod as the runtime names it
     * @throws CniException {@link ErrorCode#CONFIGURATION} when network and pod name no place that is allowed,
     *     {@link ErrorCode#TRY_AGAIN} when pod or volume can't be found by the deadline
     */
    Place find(AttachmentId id, PodIdentity pod, NetworkConfiguration network, Deadline deadline)
            throws CniException, InterruptedException {
        return network.sharedDir().isPresent()
                ? inSharedDir(id, pod, network.sharedDir().get(), deadline)
                : inVolume(pod, network.socketVolume(), deadline);
    }

    /** It is served whether or not the API server is there: what is known of the pod must do. */
    private Place inSharedDir(AttachmentId id, PodIdentity pod, Path sharedDir, Deadline deadline)
            throws CniException, InterruptedException {
        FolderLocation location = roots.place(sharedDir, id);
        Optional<Pod> known = cluster.pods().isPresent() && pod.known()
                ? known(cluster.pods().get(), pod, deadline)
                : Optional.empty();
        if (known.filter(SocketVolume::isLauncher).isPresent()) {
            throw new CniException(
                    ErrorCode.CONFIGURATION,
                    "pod " + pod + " is a VM's, whose sockets are always in the volume " + SocketVolume.OF_HOOKS
                            + ", and sharedDir says " + Quoted.of(sharedDir.toString()),
                    "leave sharedDir out: the network binding plugin computes the path for QEMU");
        }
        return new Place(
                known.map(found -> withUid(pod, found)).orElse(pod),
                known.isPresent() || cluster.pods().isEmpty(),
                location,
                location.path());
    }

    /** Without a UID from the runtime it takes an answer to know which pod of that name is meant. */
    private static Optional<Pod> known(NodePods pods, PodIdentity pod, Deadline deadline) throws InterruptedException {
        if (!pod.uid().isEmpty()) {
            return pods.find(pod.namespace(), pod.name()).filter(found -> NodePods.isOf(found, pod));
        }
        Duration left = deadline.remaining();
        try {
            return Optional.of(pods.require(pod, Deadline.after(left.compareTo(QUESTION) < 0 ? left : QUESTION)));
        } catch (CniException e) {
            LOG.info("it is not known which pod is meant: pod={} reason={}", pod, e.getMessage());
            return Optional.empty();
        }
    }

    private Place inVolume(PodIdentity pod, Optional<String> volume, Deadline deadline)
            throws CniException, InterruptedException {
        NodePods pods = cluster.pods()
                .orElseThrow(() -> new CniException(
                        ErrorCode.CONFIGURATION,
                        volume.map(name -> "socketVolume " + Quoted.of(name) + " is the volume of a pod")
                                        .orElse("the network configuration has no sharedDir")
                                + ", and the agent of this node runs without Kubernetes",
                        "name a folder of the host by sharedDir, or let an administrator start the agent with"
                                + " --kubernetes=on"));
        if (!pod.known()) {
            throw new CniException(
                    ErrorCode.CONFIGURATION,
                    "the runtime names no pod (K8S_POD_NAME in CNI_ARGS), so there is no volume for the socket",
                    "name a folder of the host by sharedDir");
        }
        try {
            return place(pod, pods.require(pod, deadline), volume);
        } catch (CniException e) {
            if (!pod.uid().isEmpty() || !e.is(ErrorCode.TRY_AGAIN)) {
                throw e;
            }
            // Its folder is not there: another pod may have its name by now
            return place(pod, pods.requireAnew(pod, deadline), volume);
        }
    }

    private Place place(PodIdentity named, Pod pod, Optional<String> chosen) throws CniException {
        PodIdentity identity = withUid(named, pod);
        SocketVolume volume = SocketVolume.of(pod, chosen);
        FolderLocation location = location(identity, volume);
        requireVolume(identity, location, volume.source());
        return new Place(identity, true, location, volume.workloadFolder());
    }

    private FolderLocation location(PodIdentity pod, SocketVolume volume) throws CniException {
        return switch (volume.source()) {
            case SocketVolume.Source.EmptyDir _ -> {
                Path folder = emptyDirs(pod).resolve(volume.name());
                yield volume.ofHooks()
                        ? FolderLocation.hooks(kubeletDir, folder, volume.owner())
                        : FolderLocation.volume(kubeletDir, folder, volume.subPath(), volume.owner());
            }
            case SocketVolume.Source.HostPath hostPath -> {
                Path root = roots.properlyAbove(hostPath.path())
                        .orElseThrow(() -> new CniException(
                                ErrorCode.CONFIGURATION,
                                "pod " + pod + " has the volume " + volume.name() + " with hostPath "
                                        + Quoted.of(hostPath.path().toString())
                                        + ", which is not below a folder that this node allows for sockets",
                                "use an emptyDir; or a folder below one of " + roots.listed()
                                        + ", which themselves are for all pods"));
                yield FolderLocation.volume(root, root.relativize(hostPath.path()), volume.subPath(), volume.owner());
            }
        };
    }

    private static Path emptyDirs(PodIdentity pod) {
        return PODS.resolve(pod.uid()).resolve(EMPTY_DIRS);
    }

    /** The UID that kubelet knows it by: the runtime has it from there. */
    private static PodIdentity withUid(PodIdentity named, Pod pod) {
        return named.uid().isEmpty() ? new PodIdentity(named.namespace(), named.name(), NodePods.uidOf(pod)) : named;
    }

    /** kubelet sets volumes up before it has the sandbox made, so there is nothing to wait for. */
    private static void requireVolume(PodIdentity pod, FolderLocation location, SocketVolume.Source source)
            throws CniException {
        Path volume = location.trustedRoot().resolve(location.volume());
        if (!Files.isDirectory(volume, LinkOption.NOFOLLOW_LINKS)) {
            throw unseen(pod, location, "has no folder " + volume + " on this node");
        }
        if (source.equals(new SocketVolume.Source.EmptyDir(true)) && !isMounted(volume)) {
            throw unseen(pod, location, "has its volume in memory, which is not mounted at " + volume);
        }
    }

    private static CniException unseen(PodIdentity pod, FolderLocation location, String what) {
        return new CniException(
                ErrorCode.TRY_AGAIN,
                "pod " + pod + " " + what,
                "the pod is gone; or the agent does not see what the host has in " + location.trustedRoot()
                        + ": it needs that folder at the same path, with HostToContainer propagation");
    }

    private static boolean isMounted(Path folder) {
        try {
            return !Files.getAttribute(folder, "unix:dev").equals(Files.getAttribute(folder.getParent(), "unix:dev"));
        } catch (IOException e) {
            return false;
        }
    }

    /**
     * The location that a port's identity tells of. Whoever may write to the switch's database could have made it up, so
     * it must be one that we could have chosen.
     *
     * @throws IllegalArgumentException when we could not
     */
    FolderLocation recorded(Path folder, PodIdentity pod) {
        if (!folder.isAbsolute() || !folder.equals(folder.normalize())) {
            throw new IllegalArgumentException("no absolute path without . and ..: " + folder);
        }
        Path emptyDirs = kubeletDir.resolve(emptyDirs(pod));
        if (!pod.uid().isEmpty() && folder.startsWith(emptyDirs) && !folder.equals(emptyDirs)) {
            Path inside = emptyDirs.relativize(folder);
            Path volume = kubeletDir.relativize(emptyDirs).resolve(inside.getName(0));
            Path subPath = inside.getName(0).relativize(inside);
            return inside.startsWith(SocketVolume.OF_HOOKS) && subPath.equals(HOOKS)
                    ? FolderLocation.hooks(kubeletDir, volume, Ownership.ANYBODY)
                    : FolderLocation.volume(kubeletDir, volume, subPath, Ownership.ANYBODY);
        }
        Path root = roots.properlyAbove(folder)
                .orElseThrow(() -> new IllegalArgumentException("no folder for sockets: " + folder));
        return FolderLocation.volume(root, root.relativize(folder), Path.of(""), Ownership.ANYBODY);
    }
}
