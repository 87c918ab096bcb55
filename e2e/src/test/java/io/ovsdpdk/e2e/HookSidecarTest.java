package io.ovsdpdk.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.grpc.CallOptions;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.ovsdpdk.ovsdb.testbed.ChildProcess;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** KubeVirt's binding as a process beside a VM, and virt-launcher's part of it. */
@Tag("native")
class HookSidecarTest {
    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final Duration END = Duration.ofSeconds(5);
    private static final String CONTAINER = "hook-sidecar-0";
    private static final byte[] DOMAIN = """
            <domain type="kvm"><name>vm</name><devices><emulator>/qemu</emulator></devices></domain>""".getBytes(StandardCharsets.UTF_8);

    /** Of the network "fast". */
    private static final String POD_INTERFACE = "pod115dc3606fb";

    private LauncherPod pod;

    @BeforeEach
    void createPod() throws IOException {
        pod = LauncherPod.create();
    }

    @AfterEach
    void deletePod() throws IOException {
        pod.close();
    }

    /** A VM with one interface of each binding, named {@code fast}, {@code fast2} and so on. */
    private static byte[] vmi(String... bindings) {
        List<String> interfaces = new ArrayList<>();
        List<String> networks = new ArrayList<>();
        for (String binding : bindings) {
            String name = "fast" + (interfaces.isEmpty() ? "" : interfaces.size() + 1);
            interfaces.add("{\"name\":\"" + name + "\",\"binding\":{\"name\":\"" + binding + "\"}}");
            networks.add("{\"name\":\"" + name + "\",\"multus\":{\"networkName\":\"net\"}}");
        }
        return ("{\"metadata\":{\"name\":\"vm\"},\"spec\":{\"domain\":{\"devices\":{\"interfaces\":" + interfaces
                        + "}},\"networks\":" + networks + "}}")
                .getBytes(StandardCharsets.UTF_8);
    }

    private static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }

    private GrpcConnection connect(Path socket) throws IOException {
        await().atMost(PATIENCE).until(() -> Files.exists(socket));
        GrpcConnection connection = new GrpcConnection(socket);
        assertThat(connection.connect(PATIENCE)).isTrue();
        return connection;
    }

    private Path socket() {
        return pod.volume().resolve(CONTAINER).resolve(CONTAINER + ".sock");
    }

    private static void assertEndsWell(ChildProcess sidecar) throws Exception {
        assertThat(sidecar.awaitExit(END)).as(sidecar.output()).isTrue();
        assertThat(sidecar.onExit().get().exitValue()).as(sidecar.output()).isZero();
    }

    /** What the agent makes in the volume, with a VM's socket in it, which is no hook. */
    private ServerSocketChannel socketOfTheVm() throws IOException {
        Path sockets = pod.makeSocketFolder();
        ServerSocketChannel vm = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        vm.bind(UnixDomainSocketAddress.of(sockets.resolve(POD_INTERFACE + ".sock")));
        return vm;
    }

    /** The launcher as a process of KubeVirt's user, with classes that this user can read. */
    private ChildProcess startLauncher(VirtLauncher.Release release) throws IOException {
        Path classes = Files.createDirectory(pod.folder().resolve("classes"));
        List<String> classPath = new ArrayList<>();
        for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
            Path file = Path.of(entry);
            String name = file.getFileName().toString();
            if (Files.isDirectory(file)) {
                copyClasses(file, classes);
            } else if (name.matches("(grpc|netty|guava|failureaccess|perfmark|gson).*")) {
                classPath.add(Files.copy(file, pod.folder().resolve(name)).toString());
            }
        }
        classPath.add(classes.toString());
        Path vmi = Files.write(pod.folder().resolve("vmi"), vmi("ovs-dpdk"));
        Path domain = Files.write(pod.folder().resolve("domain"), DOMAIN);
        Path results = Files.createDirectory(pod.folder().resolve("results"));
        LauncherPod.own(results);
        List<String> command = new ArrayList<>(LauncherPod.asUser());
        command.addAll(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                String.join(File.pathSeparator, classPath),
                VirtLauncher.class.getName(),
                pod.volume().toString(),
                release.name(),
                "1",
                vmi.toString(),
                domain.toString(),
                results.resolve("domain").toString()));
        return ChildProcess.start(command, Map.of(), pod.folder().resolve("launcher.log"));
    }

    private static void copyClasses(Path from, Path to) throws IOException {
        try (Stream<Path> files = Files.walk(from)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Path copy = to.resolve(from.relativize(file).toString());
                Files.createDirectories(copy.getParent());
                if (!Files.exists(copy)) {
                    Files.copy(file, copy);
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void launcherFindsItBesideTheAgentsFoldersDefinesTwiceAndEndsIt(VirtLauncher.Release release) throws Exception {
        try (ServerSocketChannel vm = socketOfTheVm()) {
            ChildProcess sidecar =
                    switch (release) {
                        case V1_5 -> pod.startNamelessSidecar();
                        case V1_6 -> pod.startSidecar(CONTAINER, Map.of());
                    };

            ChildProcess launcher = startLauncher(release);

            assertThat(launcher.awaitExit(Duration.ofSeconds(40)))
                    .as(launcher.output())
                    .isTrue();
            assertThat(launcher.onExit().get().exitValue())
                    .as(launcher.output())
                    .isZero();
            assertThat(launcher.output())
                    .contains("name=ovs-dpdk, version=v1alpha3, points=[OnDefineDomain, Shutdown]");
            Path result = pod.folder().resolve("results/domain");
            assertThat(result)
                    .content()
                    .contains(
                            "<interface type='vhostuser'>",
                            "path='/var/run/kubevirt-hooks/ovs-dpdk/sockets/" + POD_INTERFACE + ".sock' mode='server'",
                            "<access mode='shared'/>");
            assertThat(pod.folder().resolve("results/domain.twice")).hasSameBinaryContentAs(result);
            assertEndsWell(sidecar);
            assertThat(vm.isOpen()).isTrue();
            try (Stream<Path> left = Files.walk(pod.volume())) {
                assertThat(left)
                        .noneMatch(file -> file.toString().contains("hook-sidecar-0.sock")
                                || file.getFileName().toString().matches("ovs-dpdk-.*"));
            }
        }
    }

    @Test
    void eachOfTwoBindingsOfAVmAddsItsOwnInterface() throws Exception {
        ChildProcess first = pod.startSidecar("hook-sidecar-0", Map.of("NETWORK_BINDING_PLUGIN_NAME", "ovs-dpdk"));
        ChildProcess second = pod.startSidecar("hook-sidecar-1", Map.of("NETWORK_BINDING_PLUGIN_NAME", "dpdk-2"));
        byte[] vmi = vmi("ovs-dpdk", "dpdk-2", "passt");

        VirtLauncher launcher = VirtLauncher.collect(pod.volume(), VirtLauncher.Release.V1_6, 2, PATIENCE);
        byte[] once = launcher.onDefineDomain(DOMAIN, vmi);
        byte[] twice = launcher.onDefineDomain(once, vmi);
        launcher.shutdown();

        assertThat(text(once))
                .containsOnlyOnce("ua-fast'")
                .containsOnlyOnce("ua-fast2'")
                .doesNotContain("ua-fast3");
        assertThat(twice).asString().isEqualTo(text(once));
        assertEndsWell(first);
        assertEndsWell(second);
    }

    /** Up to KubeVirt 1.5 nobody tells them their names. */
    @Test
    void twoInOneFolderDontTakeEachOthersPlace() throws Exception {
        ChildProcess first = pod.startNamelessSidecar();
        ChildProcess second = pod.startNamelessSidecar();

        VirtLauncher launcher = VirtLauncher.collect(pod.volume(), VirtLauncher.Release.V1_5, 2, PATIENCE);
        byte[] defined = launcher.onDefineDomain(DOMAIN, vmi("ovs-dpdk"));
        launcher.shutdown();

        assertThat(text(defined)).containsOnlyOnce("<interface ");
        assertEndsWell(first);
        assertEndsWell(second);
    }

    @Test
    void terminationEndsItWithStatusZero() throws Exception {
        ChildProcess sidecar = pod.startSidecar(CONTAINER, Map.of());
        connect(socket()).close();

        sidecar.terminate();

        assertEndsWell(sidecar);
        assertThat(socket()).doesNotExist();
    }

    @Test
    void clientThatIsIdleKeepsNothingFromEnding() throws Exception {
        ChildProcess sidecar = pod.startSidecar(CONTAINER, Map.of());
        GrpcConnection idle = connect(socket());

        sidecar.terminate();

        assertEndsWell(sidecar);
        idle.close();
    }

    @ParameterizedTest
    @ValueSource(strings = {"v1alpha1", "v1alpha2", "v1alpha3"})
    void everyVersionDefinesDomains(String version) throws Exception {
        pod.startSidecar(CONTAINER, Map.of());
        try (GrpcConnection connection = connect(socket())) {
            ProtobufMessage answer = connection.call(
                    "kubevirt.hooks." + version + ".Callbacks/OnDefineDomain",
                    ProtobufMessage.EMPTY.with(1, DOMAIN).with(2, vmi("ovs-dpdk")),
                    CallOptions.DEFAULT);

            assertThat(answer.text(1)).contains("ua-fast");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"v1alpha2", "v1alpha3"})
    void cloudInitDataIsHandedBackAsItCame(String version) throws Exception {
        pod.startSidecar(CONTAINER, Map.of());
        try (GrpcConnection connection = connect(socket())) {
            ProtobufMessage answer = connection.call(
                    "kubevirt.hooks." + version + ".Callbacks/PreCloudInitIso",
                    ProtobufMessage.EMPTY.with(1, "older").with(2, "vmi").with(3, "newer"),
                    CallOptions.DEFAULT);

            assertThat(answer.text(1)).isEqualTo("older");
            assertThat(answer.text(3)).isEqualTo("newer");
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "v1alpha1.Callbacks/PreCloudInitIso",
                "v1alpha2.Callbacks/Shutdown",
                "v1alpha4.Callbacks/Shutdown"
            })
    void callsOfLaterVersionsAreUnknown(String method) throws Exception {
        ChildProcess sidecar = pod.startSidecar(CONTAINER, Map.of());
        try (GrpcConnection connection = connect(socket())) {
            assertThatThrownBy(() ->
                            connection.call("kubevirt.hooks." + method, ProtobufMessage.EMPTY, CallOptions.DEFAULT))
                    .isInstanceOfSatisfying(
                            StatusRuntimeException.class,
                            e -> assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.UNIMPLEMENTED));
            assertThat(sidecar.isAlive()).isTrue();
        }
    }

    @Test
    void refusalReachesTheLauncherInWordsAndTheNextVmIsServed() throws Exception {
        ChildProcess sidecar = pod.startSidecar(CONTAINER, Map.of());
        VirtLauncher launcher = VirtLauncher.collect(pod.volume(), VirtLauncher.Release.V1_6, 1, PATIENCE);

        assertThatThrownBy(() -> launcher.onDefineDomain(
                        "<!DOCTYPE x><domain/>".getBytes(StandardCharsets.UTF_8), vmi("ovs-dpdk")))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("INVALID_ARGUMENT")
                .hasMessageContaining("DOCTYPE");
        assertThatThrownBy(() -> launcher.onDefineDomain(DOMAIN, new byte[0])).hasMessageContaining("VMI");

        assertThat(text(launcher.onDefineDomain(DOMAIN, vmi("ovs-dpdk")))).contains("ua-fast");
        assertThat(sidecar.output()).contains("level=warn call=OnDefineDomain", "DOCTYPE");
    }

    /** KubeVirt writes it when it knows the pod's networks, which may be after the launcher has asked. */
    @Test
    void networkInfoThatIsFilledLateIsWaitedFor() throws Exception {
        pod.tell("");
        ChildProcess sidecar = pod.startSidecar(CONTAINER, Map.of());
        VirtLauncher launcher = VirtLauncher.collect(pod.volume(), VirtLauncher.Release.V1_6, 1, PATIENCE);
        CompletableFuture<byte[]> defined = CompletableFuture.supplyAsync(() -> define(launcher));
        await().atMost(PATIENCE).until(() -> sidecar.output().contains("waits up to 10 s"));

        pod.tell("{\"interfaces\":[{\"network\":\"fast\",\"mac\":\"02:00:00:00:00:0a\",\"mtu\":9000}]}");

        assertThat(text(defined.get(PATIENCE.toSeconds(), TimeUnit.SECONDS)))
                .contains("<mac address='02:00:00:00:00:0a'/>", "<mtu size='9000'/>");
        launcher.shutdown();
        assertEndsWell(sidecar);
    }

    @Test
    void terminationEndsAWaitWithStatusZero() throws Exception {
        pod.tell("");
        ChildProcess sidecar = pod.startSidecar(CONTAINER, Map.of());
        VirtLauncher launcher = VirtLauncher.collect(pod.volume(), VirtLauncher.Release.V1_6, 1, PATIENCE);
        CompletableFuture<byte[]> defined = CompletableFuture.supplyAsync(() -> define(launcher));
        await().atMost(PATIENCE).until(() -> sidecar.output().contains("waits up to 10 s"));

        sidecar.terminate();

        assertEndsWell(sidecar);
        assertThat(defined).failsWithin(PATIENCE);
    }

    private static byte[] define(VirtLauncher launcher) {
        try {
            return launcher.onDefineDomain(DOMAIN, vmi("ovs-dpdk"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void largeDocumentsPassThroughSmallWindows() throws Exception {
        pod.startSidecar(CONTAINER, Map.of());
        String domain = text(DOMAIN).replace("<name>", "<!--" + "x".repeat(900_000) + "--><name>");
        String vmi =
                text(vmi("ovs-dpdk")).replaceFirst("\\{", "{\"status\":{\"x\":\"" + "y".repeat(1_200_000) + "\"},");
        VirtLauncher launcher = VirtLauncher.collect(pod.volume(), VirtLauncher.Release.V1_6, 1, PATIENCE);

        byte[] defined =
                launcher.onDefineDomain(domain.getBytes(StandardCharsets.UTF_8), vmi.getBytes(StandardCharsets.UTF_8));

        assertThat(text(defined)).contains("x".repeat(900_000), "ua-fast");
    }

    @Test
    void socketOfAnEarlierRunIsReplaced() throws Exception {
        try (ServerSocketChannel stale = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            Path socket = pod.sidecarFolder(CONTAINER).resolve(CONTAINER + ".sock");
            stale.bind(UnixDomainSocketAddress.of(socket));
            LauncherPod.own(socket);
        }

        pod.startSidecar(CONTAINER, Map.of());

        assertThat(VirtLauncher.collect(pod.volume(), VirtLauncher.Release.V1_6, 1, PATIENCE)
                        .hooks())
                .hasSize(1);
    }
}
