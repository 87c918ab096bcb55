package io.ovsdpdk.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/** Multus starts the plugin in a {@code chroot} to a host that nobody knows: it needs nothing of it. */
@Tag("native")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class EmptyRootTest {
    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final Path PLUGINS = Path.of("/opt/cni/bin");
    private static final Path PLUGIN = PLUGINS.resolve("ovs-dpdk");
    private static final String RUN_DIR = "/run/ovs-dpdk-cni";
    private static final String AGENT_SOCKET = RUN_DIR + "/agent/agent.sock";
    private static final String IFNAME = "net1";

    /** In a mount namespace of its own, which ends with it: mounts one thing of the node, and starts the rest in the root. */
    private static final String IN_ROOT = """
            mount --bind "$1" "$2$3"
            root=$2
            shift 3
            exec chroot "$root" "$@"
            """;

    private Node node;
    private Path root;
    private String container;
    private ObjectNode network;

    @BeforeAll
    void startNode() throws IOException {
        node = Node.start();
    }

    @AfterAll
    void closeNode() throws IOException {
        node.close();
    }

    @BeforeEach
    void makeRoot() throws IOException {
        container = node.newContainer();
        network = node.network("1.0.0", "fast");
        root = Files.createDirectory(node.folder().resolve("root-" + container));
        copy(Jars.nativePlugin(), PLUGIN);
    }

    @AfterEach
    void removeAttachments() throws IOException {
        node.ask(node.delete(container, IFNAME));
    }

    private void copy(Path file, Path to) throws IOException {
        Path copy = inRoot(to);
        Files.createDirectories(copy.getParent());
        Files.copy(file, copy);
    }

    private Path inRoot(Path path) {
        return root.resolve(Path.of("/").relativize(path));
    }

    /** The plugin in the root with nothing of the node. */
    private PluginCall alone(String command) throws IOException {
        PluginCall call = node.call(command, container, IFNAME, network)
                .with("CNI_PATH", PLUGINS.toString())
                .with("OVS_DPDK_CONF", null);
        return new PluginCall(
                List.of("/usr/sbin/chroot", root.toString(), PLUGIN.toString()), call.environment(), call.network());
    }

    /** The plugin in the root, where the agent's socket is where the plugin looks for it. */
    private PluginCall withAgent(String command) throws IOException {
        Path place = inRoot(Path.of(AGENT_SOCKET));
        Files.createDirectories(place.getParent());
        if (!Files.exists(place)) {
            Files.createFile(place);
        }
        return withMount(command, node.agentSocket(), AGENT_SOCKET);
    }

    private PluginCall withMount(String command, Path source, String place) throws IOException {
        PluginCall call = alone(command);
        return inRootWith(
                source, place, new PluginCall(List.of(PLUGIN.toString()), call.environment(), call.network()));
    }

    private PluginCall inRootWith(Path source, String place, PluginCall call) {
        return call.by(
                "/usr/bin/unshare",
                "--mount",
                "/bin/sh",
                "-e",
                "-c",
                IN_ROOT,
                "sh",
                source.toString(),
                root.toString(),
                place);
    }

    private static PluginCall.Outcome succeed(PluginCall call) throws IOException {
        PluginCall.Outcome outcome = call.run();
        assertThat(outcome.status()).as("%s", outcome).isZero();
        return outcome;
    }

    private List<Path> filesInRoot() throws IOException {
        try (Stream<Path> walk = Files.walk(root)) {
            return walk.filter(Files::isRegularFile)
                    .map(file -> Path.of("/").resolve(root.relativize(file)))
                    .sorted()
                    .toList();
        }
    }

    @Test
    void versionNeedsNothing() throws IOException {
        assertThat(succeed(alone("VERSION")).json().path("supportedVersions")).hasSize(5);
        assertThat(filesInRoot()).containsExactly(PLUGIN);
    }

    /** The executable is read by way of {@code /proc}; nothing else is needed for it, no random numbers either. */
    @Test
    void installationNeedsProcAndSaysSo() throws IOException {
        List<String> install = List.of(PLUGIN.toString(), "install", "--to", "/");
        PluginCall call = new PluginCall(install, Map.of(), new byte[0]);

        PluginCall.Outcome without =
                call.by("/usr/sbin/chroot", root.toString()).run();

        assertThat(without.status()).as("%s", without).isEqualTo(1);
        assertThat(without.stderr()).contains("is /proc mounted?");
        assertThat(filesInRoot()).containsExactly(PLUGIN);
        Files.createDirectory(inRoot(Path.of("/proc")));
        succeed(inRootWith(Path.of("/proc"), "/proc", call));
        assertThat(inRoot(Path.of("/ovs-dpdk"))).hasSameBinaryContentAs(Jars.nativePlugin());
        assertThat(filesInRoot()).containsExactlyInAnyOrder(Path.of("/ovs-dpdk"), PLUGIN);
    }

    @Test
    void absentAgentIsTold() throws IOException {
        network.put("cniVersion", "1.1.0");

        PluginCall.Outcome outcome = alone("STATUS").run();

        assertThat(outcome.code()).as("%s", outcome).isEqualTo(50);
        assertThat(outcome.json().path("msg").asText()).contains("no agent answers at " + AGENT_SOCKET);
    }

    @Test
    void addCheckAndDelNeedTheAgentsSocket() throws IOException {
        ObjectNode result = succeed(withAgent("ADD")).json();
        assertThat(filesInRoot()).containsExactly(PLUGIN, Path.of(AGENT_SOCKET));
        assertThat(node.attachedContainers()).containsExactly(container);

        network.set("prevResult", result);
        succeed(withAgent("CHECK"));
        succeed(withAgent("DEL"));

        assertThat(node.remains()).isEmpty();
    }

    @Test
    void garbageIsCollected() throws IOException {
        network.put("cniVersion", "1.1.0");
        succeed(withAgent("ADD"));
        network.putArray("cni.dev/valid-attachments");

        succeed(withAgent("GC"));

        assertThat(node.remains()).isEmpty();
    }

    @Test
    void addressesNeedTheIpamPluginAndItsLibraries() throws Exception {
        copy(Node.CNI_PATH.resolve("host-local"), PLUGINS.resolve("host-local"));
        for (Path library : librariesOf(Node.CNI_PATH.resolve("host-local"))) {
            copy(library, library);
        }
        network.putObject("ipam").put("type", "host-local").put("subnet", "10.1.0.0/24");
        Path lease = inRoot(Path.of("/var/lib/cni/networks/fast/10.1.0.2"));

        ObjectNode result = succeed(withAgent("ADD")).json();

        assertThat(result.at("/ips/0/address").asText()).isEqualTo("10.1.0.2/24");
        assertThat(lease).exists();
        network.set("prevResult", result);
        succeed(withAgent("CHECK"));
        succeed(withAgent("DEL"));
        assertThat(lease).doesNotExist();
        assertThat(node.remains()).isEmpty();
    }

    /** As the dynamic linker finds them, itself included. */
    private static List<Path> librariesOf(Path executable) throws IOException {
        Process ldd = new ProcessBuilder("ldd", executable.toString())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (BufferedReader output = ldd.inputReader()) {
            List<Path> libraries = new ArrayList<>();
            for (String line : output.readAllLines()) {
                Pattern.compile("(/\\S+) \\(0x")
                        .matcher(line)
                        .results()
                        .map((MatchResult found) -> Path.of(found.group(1)))
                        .forEach(libraries::add);
            }
            return libraries;
        }
    }

    @Test
    void deletionIsLeftForAnAgentThatIsAway() throws IOException {
        Files.createDirectories(inRoot(Path.of(RUN_DIR)));
        succeed(withMount("ADD", node.runDir(), RUN_DIR));
        node.stopAgent();

        succeed(withMount("DEL", node.runDir(), RUN_DIR));

        assertThat(node.attachedContainers()).containsExactly(container);
        node.startAgent();
        await().atMost(PATIENCE).until(() -> node.remains().isEmpty());
    }

    @Test
    void queueIsMadeWhereNoAgentEverRan() throws IOException {
        Files.createDirectory(inRoot(Path.of("/run")));

        succeed(alone("DEL"));

        Path queue = inRoot(Path.of(RUN_DIR, "deletions"));
        try (Stream<Path> files = Files.list(queue)) {
            assertThat(files.filter(file -> file.toString().endsWith(".json"))).hasSize(1);
        }
    }

    @Test
    void peopleAreAnsweredToo() throws IOException {
        succeed(withAgent("ADD"));

        PluginCall list = withAgent("ADD").with("CNI_COMMAND", null).with(new byte[0]);
        List<String> command = new ArrayList<>(list.command());
        command.addAll(List.of("list", "-o", "json"));
        PluginCall.Outcome listed = succeed(new PluginCall(command, list.environment(), list.network()));

        assertThat(new ObjectMapper()
                        .readTree(listed.stdout())
                        .at("/0/containerId")
                        .asText())
                .isEqualTo(container);
    }
}
