package io.ovsdpdk.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.MacAddress;
import io.ovsdpdk.api.Reply;
import io.ovsdpdk.api.Request;
import io.ovsdpdk.ovsdb.testbed.OvsDpdk;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a real Open vSwitch does not do, or does silently wrong, is refused with a clear error and leaves no trace. */
@Tag("plugin")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class RefusalTest {
    private static final String IFNAME = "net1";
    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final Duration TIMEOUT = Duration.ofSeconds(2);

    /** What a JVM and the roll-back add to {@link #TIMEOUT} on a busy machine; both together are less than the default. */
    private static final Duration MARGIN = Duration.ofSeconds(6);

    private static final int VHOST_LIMIT = 1024;

    /** What is there of attachments, and the number of the last change that anybody has asked the switch for. */
    private record Footprint(List<String> remains, String nextCfg) {
        static Footprint of(Node node) throws IOException {
            return new Footprint(node.remains(), node.ovs().vsctl("--no-wait", "get", "Open_vSwitch", ".", "next_cfg"));
        }
    }

    private static void addPort(OvsDpdk ovs, String bridge, String name, Path socket) throws IOException {
        ovs.vsctl(
                "add-port",
                bridge,
                name,
                "--",
                "set",
                "Interface",
                name,
                "type=dpdkvhostuserclient",
                "options:vhost-server-path=" + socket);
    }

    private static void assertError(PluginCall.Outcome outcome, int code, String... words) {
        assertThat(outcome.code()).as("%s", outcome).isEqualTo(code);
        assertThat(outcome.json().get("cniVersion").asText()).isEqualTo("1.1.0");
        assertThat(outcome.json().get("msg").asText() + " / "
                        + outcome.json().path("details").asText())
                .contains(words);
    }

    /** With nothing touched: not the switch's database, not the file system. */
    private static void assertRefused(Node node, PluginCall call, int code, String... words) throws IOException {
        Footprint before = Footprint.of(node);

        PluginCall.Outcome outcome = call.run();

        assertError(outcome, code, words);
        assertThat(Footprint.of(node)).isEqualTo(before);
    }

    private static void configure(Node node) throws IOException {
        node.configure(
                Json.object().put("addTimeoutSeconds", TIMEOUT.toSeconds()).put("agentWaitSeconds", 0));
    }

    @Nested
    @TestInstance(TestInstance.Lifecycle.PER_CLASS)
    class OnSwitchWithDpdk {
        private Node node;
        private OvsDpdk ovs;
        private String container;
        private ObjectNode network;

        @BeforeAll
        void startNode() throws IOException {
            node = Node.start();
            ovs = node.ovs();
            configure(node);
        }

        @BeforeEach
        void takeContainer() {
            container = node.newContainer();
            network = node.network("1.1.0", "fast");
        }

        @AfterEach
        void restore() throws IOException {
            node.ask(new Request.Collect("fast", Set.of()));
            removeForeignPorts();
            try (DirectoryStream<Path> sharedDirs = Files.newDirectoryStream(node.sharedRoot())) {
                for (Path emptied : sharedDirs) {
                    Files.delete(emptied);
                }
            }
            // A change of its own, for which ovs-vsctl waits: a switch whose database was away takes a second
            ovs.vsctl("set", "Open_vSwitch", ".", "external_ids:restored-after=" + container);
        }

        private void removeForeignPorts() throws IOException {
            List<String> command = new ArrayList<>(List.of("--no-wait", "init"));
            for (String foreign : node.ports()) {
                command.addAll(List.of("--", "del-port", foreign));
            }
            ovs.vsctl(command.toArray(String[]::new));
        }

        @AfterAll
        void closeNode() throws IOException {
            node.close();
        }

        private PluginCall add(ObjectNode wanted) throws IOException {
            return node.call("ADD", container, IFNAME, wanted);
        }

        private PluginCall status() throws IOException {
            return node.call("STATUS", container, IFNAME, network);
        }

        private void attached(String containerId) throws IOException {
            Reply reply =
                    node.ask(new Request.Add(node.request(containerId, IFNAME, network), Json.object(), PATIENCE));
            assertThat(reply).isInstanceOf(Reply.Added.class);
        }

        @Test
        void portIsMadeBeforeAnybodyListens() throws IOException {
            PluginCall.Outcome outcome = add(network).run();

            assertThat(outcome.code()).as("%s", outcome).isZero();
            ObjectNode iface = node.row("Interface", container, IFNAME);
            assertThat(iface.get("ofport").asInt()).isPositive();
            assertThat(iface.get("link_state").asText()).isEqualTo("down");
            assertThat(node.workloadSocket(container, IFNAME)).doesNotExist();
        }

        /** A {@code sharedDir} below the root with which the path of the workload's socket has that many bytes. */
        private Path sharedDirFor(int bytes) {
            int rest = bytes - node.workloadSocket(container, IFNAME).toString().length() - "/".length();
            return node.sharedRoot().resolve("x".repeat(rest));
        }

        private Path socketBelow(Path sharedDir) {
            return sharedDir.resolve(node.sharedRoot().relativize(node.workloadSocket(container, IFNAME)));
        }

        @Test
        void socketPathOf107BytesIsServed() throws IOException {
            Path sharedDir = sharedDirFor(107);
            assertThat(socketBelow(sharedDir).toString()).hasSize(107);

            PluginCall.Outcome outcome =
                    add(network.put("sharedDir", sharedDir.toString())).run();

            assertThat(outcome.json().at("/interfaces/0/socketPath").asText())
                    .isEqualTo(socketBelow(sharedDir).toString());
            try (VhostUserGuest guest =
                    VhostUserGuest.listen(socketBelow(sharedDir), new MacAddress("02:00:00:00:00:0a"))) {
                guest.awaitConnection(PATIENCE);
                assertThat(guest.connected()).isTrue();
            }
        }

        @Test
        void socketPathOf108BytesIsRefused() throws IOException {
            Path sharedDir = sharedDirFor(108);

            assertRefused(
                    node,
                    add(network.put("sharedDir", sharedDir.toString())),
                    7,
                    socketBelow(sharedDir).toString(),
                    "has 108 bytes; a unix socket's can have 107",
                    "choose a shorter sharedDir");
        }

        @Test
        void hostPathThatAnotherPortHasIsRefused() throws IOException {
            addPort(ovs, "br0", "stranger", node.workloadSocket(container, IFNAME));

            assertRefused(
                    node,
                    add(network),
                    7,
                    node.workloadSocket(container, IFNAME).toString(),
                    "is taken by port \"stranger\" of the switch");
        }

        @Test
        void pathOfOurMountThatAnotherPortHasIsRefused() throws IOException {
            attached(container);
            Path ours = Path.of(node.row("Interface", container, IFNAME)
                    .at("/options/vhost-server-path")
                    .asText());
            node.ask(new Request.Delete(new AttachmentId(container, IFNAME)));
            addPort(ovs, "br0", "stranger", ours);

            assertRefused(node, add(network), 7, ours.toString(), "is taken by port \"stranger\" of the switch");
        }

        /** Userspace CNI's layout names the folder by the beginning of the ID only. */
        @Test
        void folderOfAnotherContainerIsRefused() throws IOException {
            String other = container.substring(0, 12) + "f".repeat(52);
            attached(other);

            assertRefused(node, add(network), 7, "is taken by container " + other);
        }

        @Test
        void missingBridgeIsRefused() throws IOException {
            assertRefused(
                    node,
                    add(network.put("bridge", "br9")),
                    100,
                    "has no bridge \"br9\"",
                    "ovs-vsctl add-br NAME -- set Bridge NAME datapath_type=netdev");
        }

        @Test
        void bridgeOfTheKernelsDatapathIsRefused() throws IOException {
            ovs.vsctl("--no-wait", "add-br", "brk", "--", "set", "Bridge", "brk", "datapath_type=system");
            try {
                assertRefused(
                        node,
                        add(network.put("bridge", "brk")),
                        101,
                        "bridge \"brk\" has datapath_type \"system\"",
                        "vhost-user ports need \"netdev\"");
            } finally {
                ovs.vsctl("--no-wait", "del-br", "brk");
            }
        }

        /** The switch is stopped, since 1024 ports would take it a minute; its columns stay as they are. */
        @Test
        void portBeyondTheLimitOfDpdkIsRefusedWhoeverHasTheOthers() throws IOException {
            ovs.stopSwitch();
            try {
                addForeignPorts(VHOST_LIMIT);
                await().atMost(PATIENCE).untilAsserted(() -> assertThat(announce(node.newContainer()))
                        .isEqualTo(103));

                assertRefused(node, add(network), 103, "has 1024 vhost-user ports, which is its limit");
                assertRefused(node, status(), 50, "has 1024 vhost-user ports, which is its limit");

                ovs.vsctl("--no-wait", "del-port", "foreign0");
                await().atMost(PATIENCE).untilAsserted(() -> assertThat(announce(node.newContainer()))
                        .isZero());
            } finally {
                removeForeignPorts();
                ovs.startSwitch();
            }
        }

        /** What an ADD would be refused with before it makes anything; 0 when it would go on. */
        private int announce(String containerId) throws IOException {
            return node.ask(new Request.Announce(node.request(containerId, IFNAME, network), TIMEOUT))
                            instanceof Reply.Failed failed
                    ? failed.error().code()
                    : 0;
        }

        /** Half of them of the deprecated type, which has its place among the 1024 too. */
        private void addForeignPorts(int count) throws IOException {
            int each = 256;
            for (int first = 0; first < count; first += each) {
                List<String> command = new ArrayList<>(List.of("--no-wait"));
                for (int i = first; i < first + each; i++) {
                    String port = "foreign" + i;
                    command.addAll(List.of("--", "add-port", "br0", port, "--", "set", "Interface", port));
                    if (i % 2 == 0) {
                        command.add("type=dpdkvhostuserclient");
                        command.add("options:vhost-server-path=" + node.folder().resolve(port));
                    } else {
                        command.add("type=dpdkvhostuser");
                    }
                }
                ovs.vsctl(command.toArray(String[]::new));
            }
        }

        @Test
        void addOnSuspendedSwitchIsRolledBackInTime() throws IOException {
            Path sharedDir = node.sharedRoot().resolve("tenant/sockets");
            ovs.suspendSwitch();
            PluginCall.Outcome outcome;
            try {
                outcome = add(network.put("sharedDir", sharedDir.toString())).run();
            } finally {
                ovs.resumeSwitch();
            }

            assertRolledBackInTime(outcome);
        }

        @Test
        @Tag("long")
        void addOnStoppedSwitchIsRolledBackInTime() throws IOException {
            ovs.stopSwitch();
            PluginCall.Outcome outcome;
            try {
                outcome = add(network).run();
            } finally {
                ovs.startSwitch();
            }

            assertRolledBackInTime(outcome);
        }

        private void assertRolledBackInTime(PluginCall.Outcome outcome) throws IOException {
            assertError(outcome, 11, "ovs-vswitchd does not follow its database", "see whether ovs-vswitchd runs");
            assertThat(outcome.took()).isBetween(TIMEOUT, TIMEOUT.plus(MARGIN));
            assertThat(node.remains()).isEmpty();
        }

        @Test
        @Tag("long")
        void addWithoutDatabaseEndsInTime() throws IOException {
            ovs.database().kill();
            PluginCall.Outcome outcome;
            try {
                outcome = add(network).run();
            } finally {
                ovs.database().start();
            }

            assertError(
                    outcome, 11, "the database of the node's Open vSwitch is away", "see whether ovsdb-server runs");
            assertThat(outcome.took()).isLessThan(TIMEOUT.plus(MARGIN));
            assertThat(node.remains()).isEmpty();
        }

        @Test
        void statusTellsThatTheSwitchIsSuspended() throws IOException {
            ovs.suspendSwitch();
            PluginCall.Outcome outcome;
            try {
                outcome = status().run();
            } finally {
                ovs.resumeSwitch();
            }

            assertError(outcome, 51, "ovs-vswitchd does not follow its database");
            assertThat(outcome.took()).isLessThan(Duration.ofSeconds(1).plus(MARGIN));
        }

        @Test
        void statusTellsThatTheDatabaseIsAway() throws IOException {
            ovs.database().kill();
            PluginCall.Outcome outcome;
            try {
                outcome = status().run();
            } finally {
                ovs.database().start();
            }

            assertError(outcome, 50, "no connection to the database", "see whether ovsdb-server runs");
        }

        @Test
        @Tag("long")
        void withoutAgentAddIsToBeTriedAgainAndStatusTells() throws IOException {
            node.killAgent();
            PluginCall.Outcome add;
            PluginCall.Outcome status;
            try {
                add = add(network).run();
                status = status().run();
            } finally {
                node.startAgent();
            }

            assertError(add, 11, "no agent answers at " + node.agentSocket());
            assertError(status, 50, "no agent answers at " + node.agentSocket());
            assertThat(node.remains()).isEmpty();
        }

        @Test
        void interfaceNameOfAnotherNetworkIsRefused() throws IOException {
            attached(container);

            assertRefused(
                    node,
                    add(node.network("1.1.0", "other")),
                    7,
                    "interface net1 of container " + container,
                    "belongs to network \"fast\", not to \"other\"");
        }

        @Test
        void anotherConfigurationOfWhatIsAttachedIsRefused() throws IOException {
            attached(container);

            assertRefused(
                    node,
                    add(network.put("mtu", 9000)),
                    7,
                    "interface net1 of container " + container,
                    "is attached already, with another configuration");
        }

        @Test
        void portOfTheNameThatAnotherMadeIsRefused() throws IOException {
            attached(container);
            String name = node.row("Port", container, IFNAME).get("name").asText();
            node.ask(new Request.Delete(new AttachmentId(container, IFNAME)));
            addPort(ovs, "br0", name, node.folder().resolve("elsewhere.sock"));

            PluginCall.Outcome outcome = add(network).run();

            assertError(outcome, 7, name, "a port that another made");
            assertThat(node.remains()).containsExactly(name);
        }

        @Test
        void folderThatTheNodeDoesNotAllowIsRefused() throws IOException {
            Path elsewhere = node.folder().resolve("elsewhere");

            assertRefused(
                    node,
                    add(network.put("sharedDir", elsewhere.toString())),
                    7,
                    "\"" + elsewhere + "\" is not a folder that this node allows",
                    "allowed are " + node.sharedRoot());
            assertThat(elsewhere).doesNotExist();
        }

        @ParameterizedTest
        @CsvSource(
                delimiter = ';',
                value = {
                    "{'vlan': 5}; unknown keys: \"vlan\"; the known keys are cniVersion, name, type, bridge",
                    "{'sharedDir': 'run/sockets'}; invalid sharedDir: \"run/sockets\"; must be an absolute path",
                    "{'ipam': {'type': '../bin/sh'}}; invalid ipam.type: \"../bin/sh\"; without /"
                })
        void configurationThatCannotBeIsRefused(String keys, String problem, String remedy) throws Exception {
            ObjectNode wrong = Json.readObject("keys", keys.replace('\'', '"').getBytes(StandardCharsets.UTF_8));

            assertRefused(node, add(network.setAll(wrong)), 7, problem, remedy);
        }
    }

    @Nested
    @TestInstance(TestInstance.Lifecycle.PER_CLASS)
    class OnSwitchWithoutDpdk {
        private Node node;

        @BeforeAll
        void startNode() throws IOException {
            OvsDpdk ovs = OvsDpdk.startWithoutDpdk();
            ovs.addBridge("br0");
            node = Node.start(ovs);
            configure(node);
        }

        @AfterAll
        void closeNode() throws IOException {
            node.close();
        }

        private PluginCall call(String command) throws IOException {
            return node.call(command, node.newContainer(), IFNAME, node.network("1.1.0", "fast"));
        }

        @ParameterizedTest
        @CsvSource({"ADD, 102", "STATUS, 50"})
        void missingDpdkIsToldAndWhatToDo(String command, int code) throws IOException {
            assertRefused(
                    node,
                    call(command),
                    code,
                    "runs without DPDK: dpdk_initialized is false, iface_types lacks dpdkvhostuserclient",
                    "other_config:dpdk-init=true");
        }

        /** The database claims DPDK, so that nothing but the switch itself can tell. */
        @Test
        void portThatTheSwitchRefusesIsRolledBackAndItsWordsPassedOn() throws IOException {
            String truth = node.ovs().vsctl("get", "Open_vSwitch", ".", "iface_types");
            node.ovs()
                    .vsctl(
                            "--no-wait",
                            "set",
                            "Open_vSwitch",
                            ".",
                            "dpdk_initialized=true",
                            "iface_types=[dpdkvhostuserclient]");
            PluginCall.Outcome outcome;
            try {
                outcome = call("ADD").run();
            } finally {
                node.ovs()
                        .vsctl(
                                "--no-wait",
                                "set",
                                "Open_vSwitch",
                                ".",
                                "dpdk_initialized=false",
                                "iface_types=" + truth);
            }

            assertError(
                    outcome,
                    104,
                    "ovs-vswitchd refused port vhu",
                    "could not open network device vhu",
                    "(Address family not supported by protocol)");
            assertThat(node.remains()).isEmpty();
        }
    }
}
