package io.ovsdpdk.e2e;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.ovsdb.testbed.ChildProcess;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/**
 * A real containerd on a {@link Node}, whose sandboxes are connected by our plugin and nothing else. It speaks CRI, so it
 * is told what kubelet would tell it.
 *
 * <p>It has mounts and process IDs of its own: with its process all containers and their mounts end, however it ends. Needs
 * the Debian packages {@code containerd}, {@code runc}, {@code busybox-static} and {@code containernetworking-plugins}.
 */
final class Containerd implements AutoCloseable {
    /** The interface that a runtime gives the cluster's default network. */
    static final String IFNAME = "eth0";

    private static final String CONFIGURATION = """
            version = 2
            root = "%1$s/root"
            state = "%1$s/state"
            disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
              "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper",
              "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]
            [grpc]
              address = "%1$s/containerd.sock"
            [ttrpc]
              address = "%1$s/containerd.sock.ttrpc"
            [plugins."io.containerd.internal.v1.opt"]
              path = "%1$s/opt"
            [plugins."io.containerd.grpc.v1.cri"]
              sandbox_image = "%2$s"
              netns_mounts_under_state_dir = true
              restrict_oom_score_adj = true
              disable_apparmor = true
              disable_hugetlb_controller = true
              tolerate_missing_hugetlb_controller = true
              [plugins."io.containerd.grpc.v1.cri".containerd]
                snapshotter = "overlayfs"
              [plugins."io.containerd.grpc.v1.cri".cni]
                bin_dir = "%3$s"
                conf_dir = "%1$s/cni/net.d"
            """;

    private static final String RUN =
            "mkdir -p /run/containerd && mount -t tmpfs tmpfs /run/containerd && exec containerd -c \"$0\"";

    /** NamespaceMode.NODE, ContainerState.CONTAINER_EXITED */
    private static final int NAMESPACE_OF_NODE = 2;

    private static final int EXITED = 2;
    private static final int EXECUTION_SECONDS = 30;

    private static final Duration END = Duration.ofSeconds(10);

    private final Path folder;
    private final String cgroup;
    private final ChildProcess process;
    private final ContainerRuntimeInterface cri;

    /**
     * What kubelet says of a pod.
     *
     * @param attempt how many sandboxes it has had before this one
     * @param privileged whether it has privileged containers, and the node's own network
     */
    record Pod(String namespace, String name, String uid, int attempt, boolean privileged) {
        static Pod named(String name) {
            return new Pod("default", name, "uid-of-" + name, 0, false);
        }

        /** A pod of the node itself, for which no CNI plugin is called. */
        static Pod ofNode(String name, int attempt) {
            return new Pod("node", name, "uid-of-" + name, attempt, true);
        }

        /** The pod with its next sandbox, as after the end of the last one. */
        Pod restarted() {
            return new Pod(namespace, name, uid, attempt + 1, privileged);
        }
    }

    /** How a command in a container ended. */
    record Executed(int status, String output) {}

    /** A call of the plugin that containerd made. */
    record Call(String command, String container, String ifname, String netns) {}

    private Containerd(Path folder, String cgroup, ChildProcess process) {
        this.folder = folder;
        this.cgroup = cgroup;
        this.process = process;
        this.cri = new ContainerRuntimeInterface(folder.resolve("containerd.sock"));
    }

    /**
     * Starts it on a node and waits until it answers.
     *
     * @param network of the sandboxes, without {@code cniVersion} and {@code name}; containerd wants it to give addresses
     */
    static Containerd start(Node node, ObjectNode network) throws IOException {
        Path folder = Files.createDirectory(node.folder().resolve("ctr"));
        Path plugins = Files.createDirectories(folder.resolve("cni/bin"));
        installPlugins(plugins, Files.createFile(folder.resolve("calls")));
        // What it mounts is nobody else's
        return start(
                folder,
                network,
                plugins,
                List.of("unshare", "--mount", "--propagation=slave"),
                Map.of("OVS_DPDK_CONF", node.configuration().toString()));
    }

    /**
     * Likewise, among the files of a node of its own, with the plugins of its {@code /opt/cni/bin}.
     *
     * @param folder for its own files; must be there and empty
     */
    static Containerd start(Path folder, MountNamespace files, ObjectNode network) throws IOException {
        List<String> within = new ArrayList<>(files.enter());
        within.addAll(List.of("unshare", "--mount", "--propagation=unchanged"));
        return start(folder, network, Path.of("/opt/cni/bin"), within, Map.of());
    }

    private static Containerd start(
            Path folder, ObjectNode network, Path plugins, List<String> within, Map<String, String> environment)
            throws IOException {
        Files.writeString(folder.resolve("config.toml"), CONFIGURATION.formatted(folder, PauseImage.NAME, plugins));
        configureNetwork(Files.createDirectories(folder.resolve("cni/net.d")), network);
        List<String> command = new ArrayList<>(within);
        command.addAll(List.of("--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", RUN));
        command.add(folder.resolve("config.toml").toString());
        // containerd's shims have their sockets there, wherever its own folders are
        Files.createDirectories(Path.of("/run/containerd"));
        ChildProcess process = ChildProcess.start(command, environment, folder.resolve("containerd.log"));
        Containerd containerd =
                new Containerd(folder, "/ovs-dpdk-" + folder.getParent().getFileName(), process);
        try {
            containerd.cri.call("Version", ProtobufMessage.EMPTY);
            PauseImage.write(folder.resolve("pause.tar"), folder.resolve("jib"));
            containerd.importImage(folder.resolve("pause.tar"));
            return containerd;
        } catch (IOException e) {
            e.addSuppressed(new IOException(process.output()));
            containerd.close();
            throw e;
        }
    }

    /** Ours behind a script that writes its calls down, and Debian's, of which containerd runs {@code loopback} itself. */
    private static void installPlugins(Path bin, Path calls) throws IOException {
        try (DirectoryStream<Path> debian = Files.newDirectoryStream(Node.CNI_PATH)) {
            for (Path plugin : debian) {
                Files.createSymbolicLink(bin.resolve(plugin.getFileName()), plugin);
            }
        }
        String command = Jars.plugin().stream().map(word -> "'" + word + "'").collect(Collectors.joining(" "));
        Path plugin = bin.resolve("ovs-dpdk");
        Files.writeString(plugin, """
                #!/bin/sh
                echo "$CNI_COMMAND,$CNI_CONTAINERID,$CNI_IFNAME,$CNI_NETNS," >>'%s'
                exec %s
                """.formatted(calls, command));
        Files.setPosixFilePermissions(plugin, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    private static void configureNetwork(Path folder, ObjectNode network) throws IOException {
        ObjectNode list = Json.object().put("cniVersion", "1.0.0").put("name", "pods");
        list.putArray("plugins").add(network);
        Files.write(folder.resolve("10-pods.conflist"), Json.write(list));
    }

    /** Loads an image from a tar file, as if it had been pulled. */
    void importImage(Path tar) throws IOException {
        run(
                "ctr",
                "-a",
                folder.resolve("containerd.sock").toString(),
                "-n",
                "k8s.io",
                "images",
                "import",
                tar.toString());
    }

    /**
     * Runs a pod's sandbox.
     *
     * @return its ID, which is the container ID of the plugin's calls
     */
    String runSandbox(Pod pod) throws IOException {
        ProtobufMessage request = ProtobufMessage.EMPTY.with(1, configuration(pod));
        return cri.call("RunPodSandbox", request).text(1);
    }

    private ProtobufMessage configuration(Pod pod) {
        ProtobufMessage metadata = ProtobufMessage.EMPTY
                .with(1, pod.name())
                .with(2, pod.uid())
                .with(3, pod.namespace())
                .with(4, pod.attempt());
        ProtobufMessage linux = ProtobufMessage.EMPTY.with(1, cgroup);
        if (pod.privileged()) {
            ProtobufMessage namespaces = ProtobufMessage.EMPTY.with(1, NAMESPACE_OF_NODE);
            linux = linux.with(2, ProtobufMessage.EMPTY.with(1, namespaces).with(6, 1));
        }
        return ProtobufMessage.EMPTY
                .with(1, metadata)
                // With the node's network comes its name
                .with(2, pod.privileged() ? "" : pod.name())
                .with(3, folder.toString())
                .with(8, linux);
    }

    /**
     * Starts a container in a sandbox.
     *
     * @param container its configuration as CRI has it
     * @return its ID
     */
    String startContainer(String sandbox, Pod pod, ProtobufMessage container) throws IOException {
        ProtobufMessage request =
                ProtobufMessage.EMPTY.with(1, sandbox).with(2, container).with(3, configuration(pod));
        String id = cri.call("CreateContainer", request).text(1);
        cri.call("StartContainer", ProtobufMessage.EMPTY.with(1, id));
        return id;
    }

    /** The exit status of a container, once it has ended. */
    OptionalInt exitStatus(String container) throws IOException {
        ProtobufMessage status = cri.call("ContainerStatus", ProtobufMessage.EMPTY.with(1, container))
                .message(1);
        return status.number(3) == EXITED ? OptionalInt.of((int) status.number(7)) : OptionalInt.empty();
    }

    /** A container as the runtime handed it to runc. */
    JsonNode specification(String container) throws IOException {
        ProtobufMessage request = ProtobufMessage.EMPTY.with(1, container).with(2, 1);
        for (ProtobufMessage entry : cri.call("ContainerStatus", request).messages(2)) {
            if (entry.text(1).equals("info")) {
                return new ObjectMapper().readTree(entry.text(2)).path("runtimeSpec");
            }
        }
        throw new IOException("containerd tells nothing of " + container);
    }

    /** Runs a command in a container, as for a probe. */
    Executed execute(String container, List<String> command) throws IOException {
        ProtobufMessage request = ProtobufMessage.EMPTY.with(1, container);
        for (String word : command) {
            request = request.with(2, word);
        }
        ProtobufMessage answer = cri.call("ExecSync", request.with(3, EXECUTION_SECONDS));
        return new Executed((int) answer.number(3), answer.text(1) + answer.text(2));
    }

    /** What a container has written to its standard output and error, if its configuration names such a log. */
    String log(String name) throws IOException {
        Path log = folder.resolve(name);
        return Files.exists(log) ? Files.readString(log) : "";
    }

    /** SIGTERM, and SIGKILL when that was not enough within the seconds given. */
    void stopContainer(String container, int grace) throws IOException {
        cri.call("StopContainer", ProtobufMessage.EMPTY.with(1, container).with(2, grace));
    }

    /** Ends what there is, the pods of the node itself last, as a node is drained. */
    void removeAllSandboxes() throws IOException {
        List<ProtobufMessage> sandboxes = new ArrayList<>(
                cri.call("ListPodSandbox", ProtobufMessage.EMPTY).messages(1));
        sandboxes.sort(Comparator.comparing(
                sandbox -> sandbox.message(2).text(3).equals(Pod.ofNode("", 0).namespace())));
        for (ProtobufMessage sandbox : sandboxes) {
            stopSandbox(sandbox.text(1));
            removeSandbox(sandbox.text(1));
        }
    }

    void stopSandbox(String sandbox) throws IOException {
        cri.call("StopPodSandbox", ProtobufMessage.EMPTY.with(1, sandbox));
    }

    void removeSandbox(String sandbox) throws IOException {
        cri.call("RemovePodSandbox", ProtobufMessage.EMPTY.with(1, sandbox));
    }

    /** The address that containerd tells kubelet. */
    String address(String sandbox) throws IOException {
        return cri.call("PodSandboxStatus", ProtobufMessage.EMPTY.with(1, sandbox))
                .message(1)
                .message(5)
                .text(1);
    }

    /** All calls of our plugin so far, in order. */
    List<Call> calls() throws IOException {
        return Files.readAllLines(folder.resolve("calls")).stream()
                .map(line -> line.split(",", -1))
                .map(word -> new Call(word[0], word[1], word[2], word[3]))
                .toList();
    }

    /** Those for one container. */
    List<Call> calls(String container) throws IOException {
        return calls().stream()
                .filter(call -> call.container().equals(container))
                .toList();
    }

    private static void run(String... command) throws IOException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        Output output = Output.of(process.getInputStream());
        try {
            if (!process.waitFor(60, TimeUnit.SECONDS) || process.exitValue() != 0) {
                process.destroyForcibly();
                throw new IOException(String.join(" ", command) + ": " + output.text());
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while waiting for " + command[0]);
        }
    }

    /** Ends it with all that it runs; its files are the node's to remove. */
    @Override
    public void close() throws IOException {
        cri.close();
        // The first process of its namespace: the kernel ends all others before this one is gone, and unshare after it
        ProcessHandle.of(process.pid()).stream()
                .flatMap(ProcessHandle::children)
                .forEach(ProcessHandle::destroyForcibly);
        if (!process.awaitExit(END)) {
            process.kill();
        }
        removeCgroups();
    }

    /** What the containers were counted in: folders in as many hierarchies as the kernel has. */
    private void removeCgroups() throws IOException {
        Path root = Path.of("/sys/fs/cgroup");
        List<Path> hierarchies = new ArrayList<>(List.of(root));
        try (DirectoryStream<Path> folders = Files.newDirectoryStream(root, Files::isDirectory)) {
            folders.forEach(hierarchies::add);
        }
        for (Path hierarchy : hierarchies) {
            Path own = hierarchy.resolve(cgroup.substring(1));
            if (Files.isDirectory(own)) {
                run("find", own.toString(), "-depth", "-type", "d", "-exec", "rmdir", "{}", ";");
            }
        }
    }
}
