package io.ovsdpdk.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The executable as a person starts it. */
@Tag("plugin")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class NodeCommandLineTest {
    private static final String CONTAINER = "0123456789abcdef";

    private Node node;

    @BeforeAll
    void start() throws IOException {
        node = Node.start();
        PluginCall.Outcome added = node.call("ADD", CONTAINER, "net1", node.network("1.1.0", "fast"))
                .run();
        assertThat(added.succeeded()).as(added.toString()).isTrue();
    }

    @AfterAll
    void stop() throws IOException {
        node.close();
    }

    private PluginCall.Outcome run(String... arguments) throws IOException {
        return commandLine(arguments).run();
    }

    private PluginCall commandLine(String... arguments) throws IOException {
        List<String> command = new ArrayList<>(
                node.call("VERSION", "c", "i", node.network("1.1.0", "n")).command());
        command.addAll(List.of(arguments));
        return new PluginCall(
                command, Map.of("OVS_DPDK_CONF", node.configuration().toString()), new byte[0]);
    }

    @Test
    void listShowsWhatIsAttached() throws IOException {
        PluginCall.Outcome outcome = run("list", "-o", "json");

        assertThat(outcome.status()).as(outcome.toString()).isZero();
        JsonNode json = new ObjectMapper().readTree(outcome.stdout());
        assertThat(json).hasSize(1);
        assertThat(json.at("/0/containerId").asText()).isEqualTo(CONTAINER);
        assertThat(json.at("/0/socketPath").asText())
                .isEqualTo(node.workloadSocket(CONTAINER, "net1").toString());
        assertThat(json.at("/0/link").asText()).isEqualTo("down");
        assertThat(json.at("/0/problem").asText()).isEmpty();
    }

    @Test
    void showFindsThePod() throws IOException {
        PluginCall.Outcome outcome = run("show", "default/pod-0123456789ab");

        assertThat(outcome.status()).as(outcome.toString()).isZero();
        assertThat(outcome.stdout()).contains(CONTAINER, "fast", "br0");
    }

    @Test
    void statusSaysThatTheNodeServes() throws IOException {
        PluginCall.Outcome outcome = run("status");

        assertThat(outcome.status()).as(outcome.toString()).isZero();
        assertThat(outcome.stdout()).contains("ready", "yes", "DPDK", "1 of 1024");
    }

    @ParameterizedTest
    @ValueSource(strings = {"ready", "live"})
    void probesOfARunningAgentSucceed(String probe) throws IOException {
        PluginCall.Outcome outcome = run(probe);

        assertThat(outcome.status()).as(outcome.toString()).isZero();
    }

    @Test
    void cniCommandInTheEnvironmentMeansCniWhateverTheArgumentsAre() throws IOException {
        PluginCall version = node.call("VERSION", "c", "i", node.network("1.1.0", "n"));
        List<String> command = new ArrayList<>(version.command());
        command.add("list");

        PluginCall.Outcome outcome = new PluginCall(command, version.environment(), version.network()).run();

        assertThat(outcome.json().path("supportedVersions")).hasSize(5);
    }

    /** The many cases of the commands are in their module; these see what a native image may lack. */
    @Tag("native")
    @ParameterizedTest
    @ValueSource(
            strings = {
                "--help",
                "version --help",
                "status --help",
                "list --help",
                "show --help",
                "gc --help",
                "install --help",
                "uninstall --help",
                "ready --help",
                "live --help"
            })
    void everyCommandHasHelp(String line) throws IOException {
        PluginCall.Outcome outcome = run(line.split(" "));

        assertThat(outcome.status()).as("%s", outcome).isZero();
        assertThat(outcome.stdout()).startsWith("Usage: ovs-dpdk").contains("--help");
        assertThat(outcome.stderr()).isEmpty();
    }

    @Tag("native")
    @ParameterizedTest
    @ValueSource(
            strings = {"list nonsense", "list -o yaml", "gc --now --dry-run", "show", "install", "--no-such-option"})
    void wrongUsageIsToldOnTheErrorStream(String line) throws IOException {
        PluginCall.Outcome outcome = run(line.split(" "));

        assertThat(outcome.status()).as("%s", outcome).isEqualTo(2);
        assertThat(outcome.stderr()).contains("Usage: ovs-dpdk");
        assertThat(outcome.stdout()).isEmpty();
    }

    @Tag("native")
    @Test
    void everyCommandAnswers() throws IOException {
        assertThat(run("version").stdout()).matches("ovs-dpdk \\d+\\.\\S+\n");
        assertThat(run("list").stdout()).startsWith("POD ").contains("pod-0123456789ab");
        assertThat(json(run("status", "-o", "json")).path("attachments").asInt())
                .isEqualTo(1);
        assertThat(json(run("show", "0123", "-o", "json")).at("/0/network").asText())
                .isEqualTo("fast");
        assertThat(run("gc", "--dry-run").stderr()).contains("without Kubernetes");
        assertThat(run("show", "default/nobody").status()).isEqualTo(1);
    }

    private static JsonNode json(PluginCall.Outcome outcome) throws IOException {
        assertThat(outcome.status()).as("%s", outcome).isZero();
        return new ObjectMapper().readTree(outcome.stdout());
    }

    @Tag("native")
    @Test
    void absentAgentIsStatus69() throws IOException {
        Path elsewhere = Files.writeString(
                node.folder().resolve("elsewhere.conf"), "{\"agentSocket\": \"/nonexistent/agent/agent.sock\"}");

        PluginCall.Outcome outcome =
                commandLine("list").with("OVS_DPDK_CONF", elsewhere.toString()).run();

        assertThat(outcome.status()).as("%s", outcome).isEqualTo(69);
        assertThat(outcome.stderr()).contains("no agent answers at /nonexistent/agent/agent.sock");
    }

    /** As an update of the DaemonSet does under running pods: nobody sees half a file, and what runs goes on. */
    @Tag("native")
    @Test
    void installationReplacesAnExecutableThatRuns() throws Exception {
        Path plugins = Files.createDirectory(node.folder().resolve("bin"));
        Path installed = plugins.resolve("ovs-dpdk");
        assertThat(run("install", "--to", plugins.toString()).status()).isZero();
        assertThat(installed).hasSameBinaryContentAs(Jars.nativePlugin());
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(installed)))
                .isEqualTo("rwxr-xr-x");
        Object first = Files.getAttribute(installed, "unix:ino");
        PluginCall version = node.call("VERSION", "c", "i", node.network("1.1.0", "n"));
        PluginCall call = new PluginCall(List.of(installed.toString()), version.environment(), version.network());
        Process running = call.process().start();

        // By itself, from the folder that it goes to
        PluginCall.Outcome again = new PluginCall(
                        List.of(installed.toString(), "install", "--to", plugins.toString()), Map.of(), new byte[0])
                .run();

        assertThat(again.status()).as("%s", again).isZero();
        assertThat(again.stdout()).isEqualTo("installed " + installed + "\n");
        assertThat(Files.getAttribute(installed, "unix:ino")).isNotEqualTo(first);
        assertThat(installed).hasSameBinaryContentAs(Jars.nativePlugin());
        try (Stream<Path> files = Files.list(plugins)) {
            assertThat(files).containsExactly(installed);
        }
        assertThat(running.isAlive()).isTrue();
        try (OutputStream stdin = running.getOutputStream()) {
            stdin.write(call.network());
        }
        assertThat(new String(running.getInputStream().readAllBytes(), StandardCharsets.UTF_8))
                .contains("supportedVersions");
        assertThat(running.waitFor()).isZero();
        assertThat(call.run().json().path("supportedVersions")).hasSize(5);
    }

    @Tag("native")
    @Test
    void installationIntoAFolderThatIsNotThereIsTold() throws IOException {
        PluginCall.Outcome outcome = run("install", "--to", node.folder() + "/nowhere");

        assertThat(outcome.status()).isEqualTo(1);
        assertThat(outcome.stderr()).contains(node.folder() + "/nowhere");
    }
}
