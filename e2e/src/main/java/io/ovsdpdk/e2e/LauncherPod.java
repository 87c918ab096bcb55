package io.ovsdpdk.e2e;

import io.ovsdpdk.ovsdb.testbed.ChildProcess;
import io.ovsdpdk.ovsdb.testbed.FolderTree;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * The pod of a KubeVirt VM, as far as hook sidecars see it: the volume {@code hook-sidecar-sockets}, and containers that run
 * as KubeVirt's user without any capability. A sidecar finds the volume, and the folder of what KubeVirt tells of networks,
 * where KubeVirt mounts them, which is in a mount namespace of its own: it is started without arguments.
 */
public final class LauncherPod implements Closeable {
    /** Of KubeVirt's containers, and their group's. */
    static final int USER = 107;

    /** What KubeVirt calls the volume for sidecars. */
    static final String VOLUME = "hook-sidecar-sockets";

    /** Where all containers see the volume, or their part of it. */
    static final Path MOUNTED = Path.of("/var/run/kubevirt-hooks");

    private static final String MOUNT_AND_START = """
            mount -t tmpfs -o mode=755 none /run
            mkdir /run/kubevirt-hooks
            mount --bind "$1" /run/kubevirt-hooks
            mount -t tmpfs -o mode=755 none /etc
            mkdir /etc/podinfo
            mount --bind "$2" /etc/podinfo
            shift 2
            exec "$@"
            """;

    private final Path folder;
    private final List<String> binding;
    private final List<ChildProcess> sidecars = new ArrayList<>();
    private boolean mounted;

    private LauncherPod(Path folder, List<String> binding) {
        this.folder = folder;
        this.binding = binding;
    }

    /** A pod without any sidecar yet, with a volume of its own. */
    public static LauncherPod create() throws IOException {
        Path folder = Files.createTempDirectory(Path.of("/tmp"), "launcher-");
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-xr-x"));
        Files.createDirectory(folder.resolve("volume"));
        open(folder.resolve("volume"));
        Files.createDirectory(folder.resolve("podinfo"));
        Files.setPosixFilePermissions(folder.resolve("podinfo"), PosixFilePermissions.fromString("rwxr-xr-x"));
        return new LauncherPod(folder, Jars.binding(folder.resolve("image")));
    }

    /** Likewise, with a volume that kubelet made, which is mounted where a path is short enough for a socket's. */
    static LauncherPod with(Path volume) throws IOException {
        LauncherPod pod = create();
        Command.run("mount", "--bind", volume.toString(), pod.volume().toString());
        pod.mounted = true;
        return pod;
    }

    /** As kubelet makes volumes, and folders in them for containers. */
    private static void open(Path volume) throws IOException {
        Files.setPosixFilePermissions(volume, PosixFilePermissions.fromString("rwxrwxrwx"));
    }

    /** The volume {@code hook-sidecar-sockets}. */
    public Path volume() {
        return folder.resolve("volume");
    }

    /** For whatever else belongs to the pod; its user can read it. */
    public Path folder() {
        return folder;
    }

    /** The folders that the agent makes in the volume: the lower one is the pod's, and is returned. */
    public Path makeSocketFolder() throws IOException {
        Path upper = Files.createDirectory(volume().resolve("ovs-dpdk"));
        Files.setPosixFilePermissions(upper, PosixFilePermissions.fromString("rwxr-xr-x"));
        Path sockets = Files.createDirectory(upper.resolve("sockets"));
        Files.setPosixFilePermissions(sockets, PosixFilePermissions.fromString("rwxrwx---"));
        own(sockets);
        return sockets;
    }

    /** Gives a file to KubeVirt's user. */
    static void own(Path file) throws IOException {
        Files.setAttribute(file, "unix:uid", USER);
        Files.setAttribute(file, "unix:gid", USER);
    }

    /**
     * Writes what sidecars see as {@code /etc/podinfo/network-info}, all at once as kubelet does. Before the first time
     * there is no such file, as for a binding without {@code downwardAPI}.
     *
     * @param networkInfo empty as long as KubeVirt knows nothing of the pod's networks
     */
    void tell(String networkInfo) throws IOException {
        Path next = Files.writeString(folder.resolve("podinfo/.next"), networkInfo);
        Files.setPosixFilePermissions(next, PosixFilePermissions.fromString("rw-r--r--"));
        Files.move(next, folder.resolve("podinfo/network-info"), StandardCopyOption.ATOMIC_MOVE);
    }

    /** Starts the binding as KubeVirt from 1.6 on does, where each sidecar sees a folder of its own. */
    public ChildProcess startSidecar(String container, Map<String, String> environment) throws IOException {
        List<String> variables = new ArrayList<>(List.of("CONTAINER_NAME=" + container));
        environment.forEach((name, value) -> variables.add(name + "=" + value));
        return start(sidecarFolder(container), variables, List.of(), container);
    }

    /** The folder of a sidecar in the volume, from KubeVirt 1.6 on. */
    Path sidecarFolder(String container) throws IOException {
        Path own = volume().resolve(container);
        if (!Files.exists(own)) {
            Files.createDirectory(own);
            open(own);
        }
        return own;
    }

    /** Starts the binding as KubeVirt up to 1.5 does, where all sidecars see all of the volume. */
    public ChildProcess startNamelessSidecar() throws IOException {
        return start(volume(), List.of(), List.of(), "nameless-" + sidecars.size());
    }

    /**
     * Starts the binding by another program, which is given its command line.
     *
     * @param starter the program and its arguments, run as root
     */
    ChildProcess startSidecarBy(String container, List<String> starter) throws IOException {
        return start(sidecarFolder(container), List.of("CONTAINER_NAME=" + container), starter, container);
    }

    private ChildProcess start(Path mounted, List<String> variables, List<String> starter, String name)
            throws IOException {
        List<String> command = new ArrayList<>(starter);
        command.addAll(List.of(
                "unshare",
                "--mount",
                "--propagation=private",
                "sh",
                "-ec",
                MOUNT_AND_START,
                "sh",
                mounted.toString(),
                folder.resolve("podinfo").toString()));
        command.addAll(asUser());
        command.addAll(List.of("env", "-i"));
        command.addAll(variables);
        command.addAll(binding);
        ChildProcess started = ChildProcess.start(command, Map.of(), log(name));
        sidecars.add(started);
        return started;
    }

    /** What starts a program as KubeVirt starts its containers', and lets it die with this JVM. */
    static List<String> asUser() {
        return List.of(
                "setpriv",
                "--reuid=" + USER,
                "--regid=" + USER,
                "--clear-groups",
                "--bounding-set=-all",
                "--inh-caps=-all",
                "--no-new-privs",
                "--pdeathsig=KILL");
    }

    /** Where a sidecar's lines go; those of nameless ones by their number. */
    Path log(String name) {
        return folder.resolve(name + ".log");
    }

    /** The binding's command line. */
    List<String> binding() {
        return binding;
    }

    @Override
    public void close() throws IOException {
        for (ChildProcess sidecar : sidecars) {
            sidecar.kill();
        }
        if (mounted) {
            Command.run("umount", "--lazy", volume().toString());
        }
        FolderTree.delete(folder);
    }
}
