package io.ovsdpdk.agent;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

class AgentCommandTest {
    private static final Map<String, String> OPTIONS = Map.ofEntries(
            Map.entry("--ovsdb", "OVS_DPDK_OVSDB"),
            Map.entry("--run-dir", "OVS_DPDK_RUN_DIR"),
            Map.entry("--state-dir", "OVS_DPDK_STATE_DIR"),
            Map.entry("--shared-dir-root", "OVS_DPDK_SHARED_DIR_ROOTS"),
            Map.entry("--kubernetes", "OVS_DPDK_KUBERNETES"),
            Map.entry("--node-name", "OVS_DPDK_NODE_NAME"),
            Map.entry("--kubeconfig", "OVS_DPDK_KUBECONFIG"),
            Map.entry("--kubelet-dir", "OVS_DPDK_KUBELET_DIR"),
            Map.entry("--ovs-user", "OVS_DPDK_OVS_USER"),
            Map.entry("--without-nosymfollow", "OVS_DPDK_WITHOUT_NOSYMFOLLOW"),
            Map.entry("--orphan-interval", "OVS_DPDK_ORPHAN_INTERVAL"),
            Map.entry("--request-timeout", "OVS_DPDK_REQUEST_TIMEOUT"),
            Map.entry("--stop-grace", "OVS_DPDK_STOP_GRACE"),
            Map.entry("--log-level", "OVS_DPDK_LOG_LEVEL"));

    private record Outcome(int status, String out, String err) {}

    /** In this process: only for what ends before it serves. */
    private static Outcome run(String... arguments) {
        java.io.StringWriter out = new java.io.StringWriter();
        java.io.StringWriter err = new java.io.StringWriter();
        int status = new CommandLine(new AgentCommand())
                .setOut(new java.io.PrintWriter(out))
                .setErr(new java.io.PrintWriter(err))
                .execute(arguments);
        return new Outcome(status, out.toString(), err.toString());
    }

    /** With environment variables, which only another process can have. */
    private static Outcome runWith(Map<String, String> environment, String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                ProcessHandle.current().info().command().orElseThrow(),
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                Main.class.getName()));
        command.addAll(Arrays.asList(arguments));
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().putAll(environment);
        Process process = builder.start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return new Outcome(process.onExit().join().exitValue(), output, output);
    }

    @Test
    void helpListsEveryOptionAndItsEnvironmentVariable() {
        Outcome outcome = run("--help");

        assertThat(outcome.status()).isZero();
        assertThat(outcome.out()).contains(OPTIONS.keySet()).contains(OPTIONS.values());
    }

    @Test
    void everyOptionIsInThisTest() {
        assertThat(new CommandLine(new AgentCommand())
                        .getCommandSpec().options().stream()
                                .map(option -> option.longestName())
                                .filter(name -> !List.of("--help", "--version").contains(name)))
                .containsExactlyInAnyOrderElementsOf(OPTIONS.keySet());
    }

    @Test
    void versionIsShown() {
        assertThat(run("--version").out()).isNotBlank();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "--ovsdb=tcp:127.0.0.1:6640",
                "--ovsdb=unix:relative.sock",
                "--run-dir=relative",
                "--run-dir=/run/../etc",
                "--state-dir=relative",
                "--shared-dir-root=/",
                "--shared-dir-root=/a,relative",
                "--shared-dir-root=/run/ovs-dpdk-cni",
                "--shared-dir-root=/run/ovs-dpdk-cni/p",
                "--shared-dir-root=/a,/var/lib",
                "--shared-dir-root=/var/lib/kubelet/pods",
                "--kubernetes=maybe",
                "--kubernetes=on",
                "--kubeconfig=relative",
                "--kubelet-dir=relative",
                "--orphan-interval=-1",
                "--orphan-interval=86401",
                "--request-timeout=0",
                "--request-timeout=61",
                "--request-timeout=soon",
                "--stop-grace=-1",
                "--stop-grace=301",
                "--ovs-user=-1",
                "--ovs-user=openvswitch",
                "--ovs-user=4294967296",
                "--log-level=loud",
                "--none=1"
            })
    void badOptionIsAUsageErrorThatNamesIt(String option) {
        Outcome outcome = run(option);

        assertThat(outcome.status()).isEqualTo(2);
        assertThat(outcome.err().lines().findFirst().orElseThrow()).contains(option.substring(0, option.indexOf('=')));
        assertThat(outcome.err()).doesNotContain("\tat ");
    }

    @ParameterizedTest
    @ValueSource(strings = {"--run-dir=/", "--ovsdb=unix:/"})
    void pathThatIsTooLongForASocketIsAUsageError(String option) {
        Outcome outcome = run(option + "x".repeat(107));

        assertThat(outcome.status()).isEqualTo(2);
        assertThat(outcome.err()).contains("can have 107 bytes");
    }

    @Test
    void folderThatOthersCanWriteToIsRefusedAndLeftAsItIs(@TempDir Path folder) throws Exception {
        Path shared = Files.createDirectory(folder.resolve("shared"));
        Files.setPosixFilePermissions(shared, PosixFilePermissions.fromString("rwxrwxrwx"));

        Outcome outcome = runWith(
                Map.of(),
                "--run-dir=" + shared,
                "--state-dir=" + folder.resolve("state"),
                "--shared-dir-root=" + folder.resolve("roots"));

        assertThat(outcome.status()).isEqualTo(69);
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(shared)))
                .isEqualTo("rwxrwxrwx");
        assertThat(shared).isEmptyDirectory();
    }

    @ParameterizedTest
    @ValueSource(strings = {"--kubeconfig=/etc/none", "--kubeconfig=/etc/none,--node-name=Upper_Case"})
    void memberOfAClusterMustHaveANodesName(String options) {
        Outcome outcome = run(options.split(","));

        assertThat(outcome.status()).isEqualTo(2);
        assertThat(outcome.err()).contains("invalid --node-name", "--kubernetes=off");
    }

    @Test
    void podOfAClusterIsAMemberOfIt() throws Exception {
        Map<String, String> pod =
                Map.of("KUBERNETES_SERVICE_HOST", "10.0.0.1", "KUBERNETES_SERVICE_PORT", "443", "NODE_NAME", "");

        assertThat(runWith(pod).err()).contains("invalid --node-name: nothing");
        assertThat(runWith(Map.of("KUBECONFIG", "/etc/none", "NODE_NAME", "A")).err())
                .contains("invalid --node-name: A");
    }

    @Test
    void environmentIsTheDefaultAndAnOptionGoesBeforeIt() throws Exception {
        Outcome environment = runWith(Map.of("OVS_DPDK_RUN_DIR", "from-environment"));
        Outcome option = runWith(Map.of("OVS_DPDK_RUN_DIR", "from-environment"), "--run-dir=from-option");

        assertThat(environment.status()).isEqualTo(2);
        assertThat(environment.err()).contains("invalid --run-dir: from-environment");
        assertThat(option.err()).contains("invalid --run-dir: from-option");
    }
}
