package io.ovsdpdk.agent.kubernetes;

import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodSecurityContext;
import io.fabric8.kubernetes.api.model.SecurityContext;
import io.fabric8.kubernetes.api.model.Volume;
import io.fabric8.kubernetes.api.model.VolumeMount;
import io.ovsdpdk.agent.host.Ownership;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.Quoted;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The volume of a pod that its sockets go into, and where the workload sees them. What a pod says of itself is its
 * author's: everything is checked.
 *
 * @param name the volume's, an RFC 1123 label
 * @param source what the volume is
 * @param ofHooks whether it is the one that KubeVirt gives to hook sidecars, where the socket has a folder of its own
 * @param subPath folder in the volume, relative and without {@code .} and {@code ..}; empty for the volume itself
 * @param workloadFolder where the workload sees the socket's folder: absolute, without {@code .} and {@code ..}
 * @param owner whose a folder becomes that has to be made
 */
public record SocketVolume(
        String name, Source source, boolean ofHooks, Path subPath, Path workloadFolder, Ownership owner) {

    /** What Userspace CNI and the forks of KubeVirt call it. */
    public static final String BY_CUSTOM = "shared-dir";

    /** Every virt-launcher of a VM with a network binding plugin has it. */
    public static final String OF_HOOKS = "hook-sidecar-sockets";

    /** The binding computes this path, too; it is the same on both sides of a live migration. */
    private static final Path HOOKS_FOLDER = Path.of("/var/run/kubevirt-hooks/ovs-dpdk/sockets");

    /** The user of QEMU in a virt-launcher, and its group. */
    private static final int QEMU = 107;

    private static final Pattern NAME = Pattern.compile("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?");

    /** What a volume is, as far as sockets can be in it. */
    public sealed interface Source {
        /** Made by kubelet, and gone with the pod; in memory it is a mount. */
        record EmptyDir(boolean inMemory) implements Source {}

        /** A folder of the host, absolute and without {@code .} and {@code ..}. */
        record HostPath(Path path) implements Source {}
    }

    private record Mount(Container container, VolumeMount mount) {}

    /**
     * Finds it.
     *
     * @param pod as {@link NodePods} has it
     * @param chosen {@code socketVolume} of the network configuration
     * @throws CniException {@link ErrorCode#CONFIGURATION} when there is none that sockets can be in
     */
    public static SocketVolume of(Pod pod, Optional<String> chosen) throws CniException {
        if (isLauncher(pod)) {
            return ofLauncher(pod, chosen);
        }
        Volume volume = volume(pod, chosen);
        Mount mounted = mount(pod, volume.getName());
        return new SocketVolume(
                volume.getName(),
                source(pod, volume),
                false,
                subPath(pod, mounted.mount()),
                workloadFolder(pod, mounted.mount()),
                owner(pod, mounted.container()));
    }

    /** Whether it is KubeVirt's pod of a VM with a network binding plugin. */
    public static boolean isLauncher(Pod pod) {
        return find(pod, OF_HOOKS).isPresent();
    }

    private static SocketVolume ofLauncher(Pod pod, Optional<String> chosen) throws CniException {
        if (chosen.isPresent()) {
            throw refused(
                    pod,
                    "is a VM's, whose sockets are always in the volume " + OF_HOOKS + ", and socketVolume says "
                            + Quoted.of(chosen.get()),
                    "leave socketVolume out: the network binding plugin computes the path for QEMU");
        }
        Volume volume = find(pod, OF_HOOKS).orElseThrow();
        if (!(source(pod, volume) instanceof Source.EmptyDir source)) {
            throw refused(
                    pod, "has a volume " + OF_HOOKS + " that is no emptyDir", "it is KubeVirt's name: choose another");
        }
        PodSecurityContext security = pod.getSpec().getSecurityContext();
        int uid = number(security, PodSecurityContext::getRunAsUser)
                .filter(user -> user != 0)
                .orElse(QEMU);
        int gid = number(security, PodSecurityContext::getFsGroup)
                .filter(group -> group != 0)
                .orElse(QEMU);
        return new SocketVolume(OF_HOOKS, source, true, Path.of(""), HOOKS_FOLDER, Ownership.of(uid, gid));
    }

    private static Volume volume(Pod pod, Optional<String> chosen) throws CniException {
        Optional<Volume> volume = find(pod, chosen.orElse(BY_CUSTOM));
        if (volume.isEmpty()) {
            throw refused(
                    pod,
                    chosen.isPresent()
                            ? "has no volume " + Quoted.of(chosen.get()) + ", which socketVolume names"
                            : "has no volume for the socket",
                    "give the pod an emptyDir named " + chosen.orElse(BY_CUSTOM) + " and mount it in the container that"
                            + " uses the socket"
                            + (chosen.isPresent()
                                    ? ""
                                    : "; or name one of its volumes by socketVolume of the network configuration, or a"
                                            + " folder of the host by sharedDir; a VM needs KubeVirt's network binding"
                                            + " plugin"));
        }
        return volume.get();
    }

    private static Optional<Volume> find(Pod pod, String name) {
        return pod.getSpec().getVolumes().stream()
                .filter(volume -> name.equals(volume.getName()))
                .filter(volume -> NAME.matcher(name).matches())
                .findFirst();
    }

    private static Source source(Pod pod, Volume volume) throws CniException {
        if (volume.getEmptyDir() != null) {
            String medium = volume.getEmptyDir().getMedium() == null
                    ? ""
                    : volume.getEmptyDir().getMedium();
            if (medium.isEmpty() || medium.equals("Memory")) {
                return new Source.EmptyDir(!medium.isEmpty());
            }
            throw refused(
                    pod,
                    "has the volume " + volume.getName() + " of medium " + Quoted.of(medium)
                            + ", which can't hold sockets",
                    "use an emptyDir without medium, or with medium Memory");
        }
        if (volume.getHostPath() != null) {
            return new Source.HostPath(hostPath(pod, volume));
        }
        throw refused(
                pod,
                "has the volume " + volume.getName() + ", which is neither an emptyDir nor a hostPath",
                "sockets need a folder of this node: use an emptyDir");
    }

    private static Path hostPath(Pod pod, Volume volume) throws CniException {
        String text = volume.getHostPath().getPath();
        return clean(text)
                .filter(Path::isAbsolute)
                .orElseThrow(() -> refused(
                        pod,
                        "has the volume " + volume.getName() + " with hostPath " + Quoted.of(String.valueOf(text)),
                        "use an absolute path without . and .."));
    }

    /** The first mount that a server can bind a socket in, else the first of all, so that it can be told what is wrong. */
    private static Mount mount(Pod pod, String volume) throws CniException {
        List<Mount> mounts = Stream.concat(
                        pod.getSpec().getContainers().stream(), pod.getSpec().getInitContainers().stream())
                .flatMap(container -> container.getVolumeMounts().stream().map(mount -> new Mount(container, mount)))
                .filter(mount -> volume.equals(mount.mount().getName()))
                .toList();
        if (mounts.isEmpty()) {
            throw refused(
                    pod,
                    "has the volume " + volume + ", but no container mounts it",
                    "add it to the volumeMounts of the container that uses the socket");
        }
        Optional<Mount> writable = mounts.stream()
                .filter(mount -> !Boolean.TRUE.equals(mount.mount().getReadOnly()))
                .findFirst();
        return writable.orElseThrow(() -> refused(
                pod,
                "mounts the volume " + volume + " read-only",
                "the workload makes the socket there, as the server: take readOnly away"));
    }

    private static Path subPath(Pod pod, VolumeMount mount) throws CniException {
        if (mount.getSubPathExpr() != null && !mount.getSubPathExpr().isEmpty()) {
            throw refused(
                    pod,
                    "mounts the volume " + mount.getName() + " with a subPathExpr, which only kubelet can work out",
                    "use subPath, or none");
        }
        String text = mount.getSubPath() == null ? "" : mount.getSubPath();
        return clean(text.equals(".") ? "" : text)
                .filter(path -> !path.isAbsolute())
                .orElseThrow(() -> refused(
                        pod,
                        "mounts the volume " + mount.getName() + " with subPath " + Quoted.of(text),
                        "use a relative path without . and .."));
    }

    private static Path workloadFolder(Pod pod, VolumeMount mount) throws CniException {
        String text = String.valueOf(mount.getMountPath());
        return clean(text)
                .filter(Path::isAbsolute)
                .orElseThrow(() -> refused(
                        pod,
                        "mounts the volume " + mount.getName() + " at " + Quoted.of(text),
                        "use an absolute path without . and .."));
    }

    /** A path that means the same to everybody, or nothing. */
    private static Optional<Path> clean(String text) {
        if (text == null || text.length() > 4096 || text.codePoints().anyMatch(SocketVolume::isNoLetter)) {
            return Optional.empty();
        }
        try {
            // a slash too many is no other path
            Path path = Path.of(text);
            return path.equals(path.normalize()) && !path.startsWith("..") ? Optional.of(path) : Optional.empty();
        } catch (InvalidPathException e) {
            return Optional.empty();
        }
    }

    private static boolean isNoLetter(int codePoint) {
        return Character.isISOControl(codePoint) || Character.getType(codePoint) == Character.SURROGATE;
    }

    /** Of the container's user, else the pod's; of anybody where neither says. A group that nobody names is root's. */
    private static Ownership owner(Pod pod, Container container) {
        SecurityContext own = container.getSecurityContext();
        PodSecurityContext common = pod.getSpec().getSecurityContext();
        Optional<Integer> uid =
                number(own, SecurityContext::getRunAsUser).or(() -> number(common, PodSecurityContext::getRunAsUser));
        int gid = number(common, PodSecurityContext::getFsGroup)
                .or(() -> number(own, SecurityContext::getRunAsGroup))
                .or(() -> number(common, PodSecurityContext::getRunAsGroup))
                .orElse(0);
        return uid.map(user -> Ownership.of(user, gid)).orElse(Ownership.ANYBODY);
    }

    /** A user's or a group's number; one that no Linux user has counts as none. */
    private static <T> Optional<Integer> number(T context, Function<T, Long> number) {
        return Optional.ofNullable(context)
                .map(number)
                .filter(value -> value >= 0 && value <= Integer.MAX_VALUE)
                .map(Long::intValue);
    }

    private static CniException refused(Pod pod, String what, String remedy) {
        return new CniException(
                ErrorCode.CONFIGURATION,
                "pod " + pod.getMetadata().getNamespace() + "/"
                        + pod.getMetadata().getName() + " " + what,
                remedy);
    }
}
