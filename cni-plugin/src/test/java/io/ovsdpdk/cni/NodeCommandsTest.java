package io.ovsdpdk.cni;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.AttachmentView;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.MacAddress;
import io.ovsdpdk.api.NodeView;
import io.ovsdpdk.api.OrphanReport;
import io.ovsdpdk.api.OrphanView;
import io.ovsdpdk.api.PodIdentity;
import io.ovsdpdk.api.Request;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class NodeCommandsTest {
    private static final AttachmentView ALICE = view("a11ce000000000", "net1", "default", "alice", "up", "");
    private static final AttachmentView BOB = view("b0b00000000000", "vhu0", "", "", "down", "could not open device");

    @TempDir
    private Path folder;

    private FakeAgent agent;
    private ContainerRuntime runtime;
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    @BeforeEach
    void start() throws IOException {
        runtime = new ContainerRuntime(folder);
        agent = new FakeAgent(ContainerRuntime.agentSocket(folder));
    }

    @AfterEach
    void stop() {
        agent.close();
    }

    private static AttachmentView view(
            String container, String ifname, String namespace, String pod, String link, String problem) {
        return new AttachmentView(
                new AttachmentId(container, ifname),
                new PodIdentity(namespace, pod, ""),
                "fast",
                "br0",
                "vhu" + container.substring(0, 11),
                new MacAddress("02:00:00:00:00:01"),
                OptionalInt.empty(),
                "/x/" + ifname + ".sock",
                "/run/p/" + ifname + ".sock",
                "made",
                link,
                problem);
    }

    private int run(String... arguments) {
        return NodeCommands.run(
                runtime.nodeConfiguration(),
                List.of(arguments),
                new PrintWriter(out, true),
                new PrintWriter(err, true));
    }

    @Test
    void listIsATable() {
        agent.has(ALICE, BOB);

        assertThat(run("list")).isZero();
        assertThat(out.toString().lines())
                .containsExactly(
                        "POD             INTERFACE   NETWORK   BRIDGE   PORT             LINK   STATE                         CONTAINER",
                        "default/alice   net1        fast      br0      vhua11ce000000   up     made                          a11ce0000000",
                        "-               vhu0        fast      br0      vhub0b00000000   down   made, could not open device   b0b000000000");
    }

    @Test
    void listAsJsonHasAllThatIsKnown() throws IOException {
        agent.has(ALICE, BOB);

        assertThat(run("list", "-o", "json")).isZero();
        JsonNode json = new ObjectMapper().readTree(out.toString());
        assertThat(json).hasSize(2);
        assertThat(json.get(0)).isEqualTo(ALICE.toJson());
    }

    @ParameterizedTest
    @ValueSource(strings = {"default/alice", "a11ce", "a11ce000000000"})
    void showFindsByPodAndByTheBeginningOfTheContainerId(String whose) {
        agent.has(ALICE, BOB);

        assertThat(run("show", whose)).isZero();
        assertThat(out.toString()).contains("a11ce000000000", "/x/net1.sock").doesNotContain("vhu0");
    }

    @ParameterizedTest
    @ValueSource(strings = {"version", "list", "list -o json", "status", "--help"})
    void answerThatCantBeWrittenIsStatusOne(String line) {
        agent.has(ALICE);
        OutputStream full = new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                throw new IOException("No space left on device");
            }
        };

        int status = NodeCommands.run(
                runtime.nodeConfiguration(),
                List.of(line.split(" ")),
                new PrintWriter(new PrintStream(full), true),
                new PrintWriter(err, true));

        assertThat(status).isEqualTo(1);
        assertThat(err.toString()).contains("standard output can't be written");
    }

    @Test
    void versionNeedsNoAgent() throws IOException {
        agent.close();

        assertThat(run("version")).isZero();
        assertThat(out.toString()).isEqualTo("ovs-dpdk " + Plugin.productVersion() + "\n");
        out.getBuffer().setLength(0);
        assertThat(run("version", "-o", "json")).isZero();
        assertThat(new ObjectMapper().readTree(out.toString()).path("version").asText())
                .isEqualTo(Plugin.productVersion());
    }

    @Test
    void showOfAnEmptyNameIsWrongUsageAndNotEverything() {
        agent.has(ALICE, BOB);

        assertThat(run("show", "")).isEqualTo(2);
        assertThat(out.toString()).isEmpty();
        assertThat(err.toString()).contains("is empty", "Usage: ovs-dpdk show");
    }

    @Test
    void showOfNothingIsStatusOneAndSaysSo() {
        agent.has(ALICE);

        assertThat(run("show", "default/carol")).isEqualTo(1);
        assertThat(out.toString()).isEmpty();
        assertThat(err.toString()).contains("no attachment of \"default/carol\"");
    }

    @Test
    void statusOfANodeThatServesIsZero() {
        assertThat(run("status")).isZero();
        assertThat(out.toString())
                .contains("ready              yes", "3 of 1024", "DPDK 22.11", "kubernetes         off");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "true|true|node node-a, 7 pods",
                "true|false|node node-a, 7 pods; the API server is away",
                "false|false|node node-a, pods not known yet; the API server is away"
            })
    void statusTellsOfTheCluster(boolean synchronised, boolean following, String words) {
        agent.is(new NodeView(
                "1",
                "",
                "",
                true,
                0,
                1024,
                0,
                0,
                "full",
                Optional.of(new NodeView.Cluster("node-a", 7, synchronised, following)),
                0,
                "",
                ""));

        assertThat(run("status")).isZero();
        assertThat(out.toString().lines()).contains("kubernetes         " + words);
    }

    @Test
    void statusTellsOfWhatIsLeftBehind() {
        assertThat(run("status")).isZero();
        assertThat(out.toString().lines()).contains("attachments        2");

        agent.is(new NodeView("1", "", "", true, 3, 1024, 2, 1, "full", Optional.empty(), 0, "", ""));

        assertThat(run("status")).isZero();
        assertThat(out.toString().lines()).contains("attachments        2, and left behind: 1 (ovs-dpdk gc --dry-run)");
    }

    @Test
    void statusOfANodeThatDoesNotServeSaysWhyAndIsOne() {
        agent.is(new NodeView(
                "1", "", "", true, 0, 1024, 0, 0, "full", Optional.empty(), 50, "runs without DPDK", "set dpdk-init"));

        assertThat(run("status")).isEqualTo(1);
        assertThat(out.toString()).contains("no: runs without DPDK", "set dpdk-init", "off");
    }

    private static final OrphanView PORT = new OrphanView(
            "vhua11ce000000",
            new PodIdentity("default", "alice", "uid-1"),
            "a11ce000000000",
            "net1",
            "",
            42,
            258,
            OrphanView.State.WAITING,
            "");
    private static final OrphanView MOUNT = new OrphanView(
            "", PodIdentity.NONE, "", "", "/run/p/0123456789abcdef", 300, 0, OrphanView.State.KEPT, "it is busy");

    @Test
    void orphansAreATable() {
        agent.finds(new OrphanReport(List.of(PORT, MOUNT), 300, ""));

        assertThat(run("gc")).isZero();
        assertThat(out.toString().lines())
                .containsExactly(
                        "PORT OR MOUNT             POD             UID     INTERFACE   CONTAINER      SEEN FOR   STATE",
                        "vhua11ce000000            default/alice   uid-1   net1        a11ce0000000   42 s       goes in 258 s if it is still so",
                        "/run/p/0123456789abcdef   -               -       -           -              300 s      stays: it is busy");
    }

    @Test
    void orphansAsJsonHaveAllThatIsKnown() throws IOException {
        OrphanReport report = new OrphanReport(List.of(PORT, MOUNT), 300, "");
        agent.finds(report);

        assertThat(run("gc", "--dry-run", "-o", "json")).isZero();
        assertThat(new ObjectMapper().readTree(out.toString())).isEqualTo(report.toJson());
    }

    @ParameterizedTest
    @CsvSource({"gc, DUE", "gc --dry-run, NONE", "gc --now, ALL"})
    void optionsSayWhichOrphansGo(String line, Request.CollectOrphans.Removal removal) {
        assertThat(run(line.split(" "))).isZero();
        assertThat(agent.requests()).containsExactly(new Request.CollectOrphans(removal));
        assertThat(out.toString()).isEqualTo("nothing is left behind\n");
    }

    @Test
    void orphansThatCantBeToldAreStatusOne() {
        agent.finds(new OrphanReport(List.of(MOUNT), 300, "the API server is away"));

        assertThat(run("gc")).isEqualTo(1);
        assertThat(out.toString()).contains("/run/p/0123456789abcdef");
        assertThat(err.toString()).contains("the API server is away");
    }

    @ParameterizedTest
    @ValueSource(strings = {"ready", "live"})
    void agentThatIsReadyPassesBothProbes(String probe) {
        assertThat(run(probe)).isZero();
        assertThat(agent.operations()).containsExactly("Ready");
    }

    @Test
    void agentThatWaitsForSomethingIsLiveAndNotReady() {
        agent.then(
                FakeAgent.fail(ErrorCode.NOT_AVAILABLE, "no connection to the database"),
                FakeAgent.fail(ErrorCode.NOT_AVAILABLE, "no connection to the database"));

        assertThat(run("live")).isZero();
        assertThat(run("ready")).isEqualTo(1);
        assertThat(err.toString()).contains("no connection to the database");
    }

    @ParameterizedTest
    @ValueSource(strings = {"ready", "live"})
    void agentThatEndsInTheMiddleFailsBothProbes(String probe) {
        agent.then(FakeAgent.say(""));

        assertThat(run(probe)).isEqualTo(69);
    }

    @ParameterizedTest
    @ValueSource(strings = {"status", "list", "gc", "ready", "live"})
    void agentThatIsAwayIsStatus69(String command) {
        agent.close();

        assertThat(run(command)).isEqualTo(69);
        assertThat(err.toString()).contains("no agent answers at");
    }

    @Test
    void failureOfTheAgentIsTold() {
        agent.then(FakeAgent.fail(ErrorCode.INTERNAL, "a bug in the agent"));

        assertThat(run("list")).isEqualTo(1);
        assertThat(err.toString()).contains("a bug in the agent");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "--help",
                "version --help",
                "status --help",
                "list --help",
                "show --help",
                "gc --help",
                "ready --help",
                "live --help",
                "install --help",
                "uninstall --help"
            })
    void everyCommandHasHelp(String line) {
        assertThat(run(line.split(" "))).isZero();
        assertThat(out.toString()).startsWith("Usage: ovs-dpdk");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "list nonsense",
                "list -o yaml",
                "gc --now --dry-run",
                "gc all",
                "show",
                "install",
                "uninstall",
                "--no-such-option"
            })
    void wrongUsageIsStatusTwo(String line) {
        assertThat(run(line.split(" "))).isEqualTo(2);
        assertThat(err.toString()).contains("Usage: ovs-dpdk");
    }

    @Test
    void unknownCommandIsStatusTwoAndTheOnesThereAreAreNamed() {
        assertThat(run("destroy")).isEqualTo(2);
        assertThat(err.toString()).contains("destroy");
    }

    @Test
    void installationReplacesTheFileAtOnceAndLeavesNothingElse() throws IOException {
        Path source = Files.writeString(folder.resolve("source"), "new");
        Path plugins = Files.createDirectory(folder.resolve("plugins"));
        Files.writeString(plugins.resolve("ovs-dpdk"), "old");

        Path installed = new Installation(source).into(plugins);

        assertThat(installed).hasContent("new");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(installed)))
                .isEqualTo("rwxr-xr-x");
        try (Stream<Path> files = Files.list(plugins)) {
            assertThat(files).containsExactly(installed);
        }
    }

    @Test
    void installationRemovesWhatAKilledOneLeftAndNothingOfOneThatRuns() throws IOException {
        Path source = Files.writeString(folder.resolve("source"), "new");
        Path plugins = Files.createDirectory(folder.resolve("plugins"));
        Path left = Files.writeString(plugins.resolve(".ovs-dpdk-1.new"), "n");
        Files.setLastModifiedTime(left, FileTime.from(Instant.now().minus(Duration.ofHours(1))));
        Path running = Files.writeString(plugins.resolve(".ovs-dpdk-2.new"), "n");

        Path installed = new Installation(source).into(plugins);

        try (Stream<Path> files = Files.list(plugins)) {
            assertThat(files).containsExactlyInAnyOrder(installed, running);
        }
    }

    @Test
    void installationThatFailsChangesNothing() throws IOException {
        Path plugins = Files.createDirectory(folder.resolve("plugins"));
        Files.writeString(plugins.resolve("ovs-dpdk"), "old");

        assertThat(run("install", "--to", plugins.toString())).isEqualTo(1);
        assertThat(err.toString()).contains("native");
        try (Stream<Path> files = Files.list(plugins)) {
            assertThat(files).singleElement().satisfies(file -> assertThat(file).hasContent("old"));
        }
    }

    @Test
    void uninstallationTakesTheFileAwayAndListsThePortsThatStay() throws IOException {
        agent.has(ALICE, BOB);
        Path plugins = Files.createDirectory(folder.resolve("plugins"));
        Path plugin = Files.writeString(plugins.resolve("ovs-dpdk"), "old");
        Path neighbour = Files.writeString(plugins.resolve("bridge"), "another's");

        assertThat(run("uninstall", "--from", plugins.toString())).isZero();
        assertThat(plugin).doesNotExist();
        assertThat(neighbour).exists();
        assertThat(out.toString())
                .contains("removed " + plugin, "2 attachments are left", "vhua11ce000000", "default/alice", "vhub0b");
    }

    @Test
    void uninstallationWithoutAnAgentListsWhatItsCheckpointsName() throws IOException {
        agent.close();
        Path checkpoints = Files.createDirectories(folder.resolve("state/attachments"));
        Files.writeString(checkpoints.resolve("vhua11ce000000.json"), "{}");

        assertThat(run(
                        "uninstall",
                        "--from",
                        folder.toString(),
                        "--state-dir",
                        folder.resolve("state").toString()))
                .isZero();
        assertThat(out.toString())
                .contains("there is no " + folder.resolve("ovs-dpdk"), "1 attachment is left", "port vhua11ce000000");
    }

    @ParameterizedTest
    @ValueSource(strings = {"install --to=", "uninstall --from="})
    void emptyFolderIsWrongUsageAndNotTheWorkingDirectory(String line) {
        assertThat(run(line.split(" "))).isEqualTo(2);
        assertThat(err.toString()).contains("is empty: it must be a folder", "Usage: ovs-dpdk");
    }

    @Test
    void folderInThePlaceOfThePluginIsTold() throws IOException {
        Files.createDirectories(folder.resolve("plugins/ovs-dpdk/something"));

        assertThat(run("uninstall", "--from", folder.resolve("plugins").toString()))
                .isEqualTo(1);
        assertThat(err.toString()).contains("it is a folder with files in it: " + folder.resolve("plugins/ovs-dpdk"));
    }

    @Test
    void installationIntoAFolderThatIsNotThereIsTold() throws IOException {
        Path source = Files.writeString(folder.resolve("source"), "new");
        Path nowhere = folder.resolve("nowhere");

        assertThatThrownBy(() -> new Installation(source).into(nowhere))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("there is no folder " + nowhere);
    }

    @Test
    void uninstallationOfANodeWithoutAttachmentsSaysSo() {
        assertThat(run("uninstall", "--from", folder.toString())).isZero();
        assertThat(out.toString()).contains("no attachments are left");
    }
}
