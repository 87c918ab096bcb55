package io.ovsdpdk.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.e2e.Containerd.Pod;
import io.ovsdpdk.image.BindingImage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.OptionalInt;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The binding's image as a hook sidecar in a real containerd, as KubeVirt has it: user 107 without capabilities, a root that
 * can't be written to, 64 MB, and the volume {@code hook-sidecar-sockets}.
 */
@Tag("native")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class BindingImageInContainerdTest {
    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final String IMAGE = "localhost/ovs-dpdk-cni/binding:test";
    private static final String CONTAINER = "hook-sidecar-0";

    /** Of a sidecar of a VM with dedicated CPUs, in bytes. */
    private static final long MEMORY = 64_000_000;

    private static final byte[] DOMAIN = """
            <domain type="kvm"><name>vm</name><devices><emulator>/qemu</emulator></devices></domain>""".getBytes(StandardCharsets.UTF_8);
    private static final byte[] VMI = """
            {"metadata": {"name": "vm"}, "spec": {
              "domain": {"devices": {"interfaces": [{"name": "fast", "binding": {"name": "ovs-dpdk"}}]}},
              "networks": [{"name": "fast", "multus": {"networkName": "net"}}]}}""".getBytes(StandardCharsets.UTF_8);

    private Node node;
    private Containerd containerd;

    @BeforeAll
    void startContainerd() throws IOException {
        node = Node.start();
        ObjectNode network = node.network("1.0.0", "pods");
        network.remove(List.of("cniVersion", "name"));
        network.putObject("ipam")
                .put("type", "host-local")
                .put("subnet", "10.98.0.0/24")
                .put("dataDir", node.folder().resolve("leases").toString());
        containerd = Containerd.start(node, network);
        Path tar = node.folder().resolve("binding.tar");
        new BindingImage(Jars.nativeBinding()).write(IMAGE, node.folder().resolve("jib"), tar);
        containerd.importImage(tar);
    }

    @AfterAll
    void closeNode() throws IOException {
        try (Node _ = node) {
            containerd.close();
        }
    }

    /** An emptyDir, or a folder in one for a container, as kubelet makes it. */
    private static Path volume(Path folder) throws IOException {
        Files.createDirectory(folder);
        return Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxrwxrwx"));
    }

    private static ProtobufMessage user(int id) {
        return ProtobufMessage.EMPTY.with(1, id);
    }

    /** {@code ContainerConfig} of CRI. */
    private static ProtobufMessage sidecar(Path mounted, String log) {
        ProtobufMessage security = ProtobufMessage.EMPTY
                .with(1, ProtobufMessage.EMPTY.with(2, "ALL"))
                .with(5, user(LauncherPod.USER))
                .with(7, 1)
                .with(11, 1)
                .with(12, user(LauncherPod.USER));
        return ProtobufMessage.EMPTY
                .with(1, ProtobufMessage.EMPTY.with(1, CONTAINER))
                .with(2, ProtobufMessage.EMPTY.with(1, IMAGE))
                .with(
                        7,
                        ProtobufMessage.EMPTY
                                .with(1, LauncherPod.MOUNTED.toString())
                                .with(2, mounted.toString()))
                .with(11, log)
                .with(
                        15,
                        ProtobufMessage.EMPTY
                                .with(1, ProtobufMessage.EMPTY.with(4, MEMORY))
                                .with(2, security));
    }

    private static ProtobufMessage named(ProtobufMessage sidecar) {
        return sidecar.with(6, ProtobufMessage.EMPTY.with(1, "CONTAINER_NAME").with(2, CONTAINER));
    }

    /** The folder in /proc of the process that sees a volume where KubeVirt mounts it. */
    private static Path processWith(Path volume) {
        String place = volume.getParent().getFileName() + "/" + volume.getFileName();
        return ProcessHandle.allProcesses()
                .map(process -> Path.of("/proc", Long.toString(process.pid())))
                .filter(process -> mounts(process)
                        .anyMatch(mount -> mount[3].contains(place) && mount[4].equals(LauncherPod.MOUNTED.toString())))
                .findFirst()
                .orElseThrow();
    }

    /** Lines of proc(5)'s mountinfo by their words; none of a process that has just ended. */
    private static Stream<String[]> mounts(Path process) {
        try {
            return Files.readAllLines(process.resolve("mountinfo")).stream().map(line -> line.split(" "));
        } catch (IOException e) {
            return Stream.empty();
        }
    }

    @ParameterizedTest
    @EnumSource
    void sidecarOfTheImageDefinesADomainAndEndsWithTheVm(VirtLauncher.Release release) throws IOException {
        Path volume = volume(node.folder().resolve("hooks-" + release));
        Pod pod = Pod.named("virt-launcher-" + release.ordinal());
        String log = release + ".log";
        ProtobufMessage container =
                switch (release) {
                    case V1_5 -> sidecar(volume, log);
                    case V1_6 -> named(sidecar(volume(volume.resolve(CONTAINER)), log));
                };
        String sandbox = containerd.runSandbox(pod);
        String sidecar = containerd.startContainer(sandbox, pod, container);

        VirtLauncher launcher = VirtLauncher.collect(volume, release, 1, PATIENCE);
        Path process = processWith(volume);
        String status = Files.readString(process.resolve("status"));
        String root = mounts(process)
                .filter(mount -> mount[4].equals("/"))
                .findFirst()
                .orElseThrow()[5];
        String defined = new String(launcher.onDefineDomain(DOMAIN, VMI), StandardCharsets.UTF_8);
        launcher.shutdown();

        assertThat(status).contains("Uid:\t107\t107", "Gid:\t107\t107", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1");
        assertThat(root).containsPattern("^ro\\b");
        assertThat(defined)
                .contains(
                        "<interface type='vhostuser'>", "/var/run/kubevirt-hooks/ovs-dpdk/sockets/pod115dc3606fb.sock");
        await().atMost(PATIENCE).untilAsserted(() -> assertThat(containerd.exitStatus(sidecar))
                .as(containerd.log(log))
                .isEqualTo(OptionalInt.of(0)));
        containerd.stopSandbox(sandbox);
        containerd.removeSandbox(sandbox);
    }
}
