package io.ovsdpdk.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.Reply;
import io.ovsdpdk.api.Request;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The plugin's command line, as a runtime uses it, with the real agent, a real switch and the IPAM plugins of Debian. */
@Tag("plugin")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class PluginOnSwitchTest {
    private static final String IFNAME = "net1";
    private static final String MAC = "02:00:5e:10:00:01";

    private Node node;
    private String container;

    @BeforeAll
    void startNode() throws IOException {
        node = Node.start();
        container = node.newContainer();
    }

    @AfterEach
    void removeAttachments() throws IOException {
        for (String network : List.of("fast", "other", "leased", "fixed")) {
            node.ask(new Request.Collect(network, Set.of()));
        }
        node.ovs().vsctl("--if-exists", "del-port", "stranger");
        container = node.newContainer();
    }

    @AfterAll
    void closeNode() throws IOException {
        node.close();
    }

    private PluginCall call(String command, ObjectNode network) throws IOException {
        return node.call(command, container, IFNAME, network);
    }

    private PluginCall.Outcome add(ObjectNode network) throws IOException {
        PluginCall.Outcome outcome = call("ADD", network).run();
        assertThat(outcome.code()).as("%s", outcome).isZero();
        return outcome;
    }

    /** An attachment that was there before the plugin is called; made without the plugin's process, which takes time. */
    private void attached(String containerId, ObjectNode network) throws IOException {
        Reply reply = node.ask(
                new Request.Add(node.request(containerId, IFNAME, network), Json.object(), Duration.ofSeconds(10)));
        assertThat(reply).isInstanceOf(Reply.Added.class);
    }

    private static ObjectNode json(String text) throws CniException {
        return Json.readObject("expectation", text.getBytes(StandardCharsets.UTF_8));
    }

    @ParameterizedTest
    @ValueSource(strings = {"0.3.0", "0.3.1", "0.4.0", "1.0.0"})
    void addAnswersTwiceWithTheResultOfItsVersion(String version) throws Exception {
        ObjectNode network = node.network(version, "fast").put("mac", MAC).put("mtu", 1400);

        PluginCall.Outcome first = add(network);
        PluginCall.Outcome second = add(network);

        assertThat(first.json()).isEqualTo(json("""
                {"cniVersion": "%s",
                 "interfaces": [{"name": "net1", "mac": "02:00:5e:10:00:01", "sandbox": "/run/netns/%s"}]}
                """.formatted(version, container)));
        assertThat(second.stdout()).isEqualTo(first.stdout());
    }

    @Test
    void resultOf11NamesSocketAndMtu() throws Exception {
        ObjectNode network = node.network("1.1.0", "fast").put("mac", MAC).put("mtu", 1400);

        PluginCall.Outcome first = add(network);
        PluginCall.Outcome second = add(network);

        assertThat(first.json()).isEqualTo(json("""
                {"cniVersion": "1.1.0",
                 "interfaces": [{"name": "net1", "mac": "02:00:5e:10:00:01", "mtu": 1400, "sandbox": "/run/netns/%s",
                   "socketPath": "%s"}]}
                """.formatted(container, node.workloadSocket(container, IFNAME))));
        assertThat(second.stdout()).isEqualTo(first.stdout());
    }

    @Test
    void portCarriesItsIdentityAndThePathOfTheMount() throws IOException {
        ObjectNode network = node.network("1.1.0", "fast");

        JsonNode result = add(network).json().at("/interfaces/0");

        ObjectNode iface = node.row("Interface", container, IFNAME);
        assertThat(iface.get("name").asText()).matches("vhu[0-9a-f]{11}");
        assertThat(iface.get("type").asText()).isEqualTo("dpdkvhostuserclient");
        assertThat(iface.get("ofport").asInt()).isPositive();
        assertThat(iface.get("error")).isEmpty();
        assertThat(iface.get("options").properties()).hasSize(1);
        Path socket = Path.of(iface.at("/options/vhost-server-path").asText());
        assertThat(socket.getParent().getParent()).isEqualTo(node.runDir().resolve("p"));
        assertThat(socket).hasFileName("net1.sock");
        assertThat(node.mounts()).containsExactly(socket.getParent());
        ObjectNode identity = Json.object()
                .put("owner", "ovs-dpdk-cni")
                .put("container-id", container)
                .put("ifname", "net1")
                .put("network", "fast")
                .put("sandbox", "/run/netns/" + container)
                .put("socket-path", node.workloadSocket(container, IFNAME).toString())
                .put("attached-mac", result.get("mac").asText())
                .put("pod-namespace", "default")
                .put("pod-name", "pod-" + container.substring(0, 12));
        assertThat(iface.get("external_ids")).isEqualTo(identity);
        assertThat(node.row("Port", container, IFNAME).get("external_ids")).isEqualTo(identity);
    }

    @Test
    void withoutMtuNoneIsAskedForAndNonePromised() throws IOException {
        JsonNode result = add(node.network("1.1.0", "fast")).json().at("/interfaces/0");

        assertThat(result.has("mtu")).isFalse();
        assertThat(node.row("Interface", container, IFNAME).get("mtu_request")).isEmpty();
    }

    @Test
    void mtuOfTheNetworkIsAskedFor() throws IOException {
        attached(container, node.network("1.1.0", "fast").put("mtu", 9000));

        assertThat(node.row("Interface", container, IFNAME).get("mtu_request").asInt())
                .isEqualTo(9000);
    }

    @Test
    void derivedMacIsLocalAndTheSameWhenTheInterfaceIsMadeAnew() throws IOException {
        ObjectNode network = node.network("1.1.0", "fast");
        String first = add(network).json().at("/interfaces/0/mac").asText();
        node.ask(new Request.Delete(new AttachmentId(container, IFNAME)));

        String second = add(network).json().at("/interfaces/0/mac").asText();

        assertThat(second).isEqualTo(first);
        assertThat(Integer.parseInt(first.substring(0, 2), 16) & 0b11).isEqualTo(0b10);
    }

    @ParameterizedTest
    @ValueSource(strings = {"0.4.0", "1.0.0", "1.1.0"})
    void checkFindsWhatAddPromised(String version) throws IOException {
        ObjectNode network = node.network(version, "fast").put("mtu", 1400);
        ObjectNode result = add(network).json();

        PluginCall.Outcome check =
                call("CHECK", network.deepCopy().set("prevResult", result)).run();

        assertThat(check.stdout()).isEmpty();
        assertThat(check.status()).isZero();
    }

    @Test
    void checkSeesThatTheBridgeWasDeletedBehindOurBack() throws IOException {
        node.ovs().addBridge("br9");
        ObjectNode network = node.network("1.1.0", "fast").put("bridge", "br9");
        ObjectNode result = add(network).json();
        node.ovs().vsctl("del-br", "br9");

        PluginCall.Outcome check =
                call("CHECK", network.deepCopy().set("prevResult", result)).run();

        assertThat(check.code()).as("%s", check).isEqualTo(100);
        assertThat(check.json().get("msg").asText()).contains("no bridge \"br9\"");
    }

    @Test
    void portThatWasDeletedBehindOurBackIsBack() throws IOException {
        ObjectNode network = node.network("1.1.0", "fast");
        ObjectNode result = add(network).json();
        List<String> ports = node.ports();
        node.ovs().vsctl("del-port", ports.getFirst());

        await().atMost(Duration.ofSeconds(20)).until(() -> node.ports().equals(ports));
        PluginCall.Outcome check =
                call("CHECK", network.deepCopy().set("prevResult", result)).run();
        assertThat(check.status()).as("%s", check).isZero();
    }

    @ParameterizedTest
    @ValueSource(strings = {"0.3.0", "0.3.1"})
    void checkDoesNotExistBefore04(String version) throws IOException {
        PluginCall.Outcome check = call("CHECK", node.network(version, "fast")).run();

        assertThat(check.code()).as("%s", check).isEqualTo(1);
        assertThat(check.json().get("cniVersion").asText()).isEqualTo(version);
    }

    @ParameterizedTest
    @ValueSource(strings = {"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"})
    void delLeavesNothing(String version) throws IOException {
        ObjectNode network = node.network(version, "fast");
        attached(container, network);

        PluginCall.Outcome del = call("DEL", network).run();

        assertThat(del.status()).as("%s", del).isZero();
        assertThat(del.stdout()).isEmpty();
        assertThat(node.remains()).isEmpty();
    }

    /** As containerd does when a container that has stopped is removed. */
    @ParameterizedTest
    @ValueSource(strings = {"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"})
    void delOfWhatIsGoneSucceedsWithoutNamespaceAndPreviousResult(String version) throws IOException {
        PluginCall.Outcome del =
                call("DEL", node.network(version, "fast")).with("CNI_NETNS", "").run();

        assertThat(del.status()).as("%s", del).isZero();
        assertThat(del.stdout()).isEmpty();
        assertThat(node.remains()).isEmpty();
    }

    @Test
    void delNeedsNoNamespaceAndNoPreviousResult() throws IOException {
        ObjectNode network = node.network("1.1.0", "fast");
        attached(container, network);

        PluginCall.Outcome del = call("DEL", network).with("CNI_NETNS", "").run();

        assertThat(del.status()).as("%s", del).isZero();
        assertThat(node.remains()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"})
    void versionAnswersInTheVersionOfTheQuestion(String version) throws Exception {
        PluginCall.Outcome answer =
                call("VERSION", Json.object().put("cniVersion", version)).run();

        assertThat(answer.json()).isEqualTo(json("""
                {"cniVersion": "%s", "supportedVersions": ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]}
                """.formatted(version)));
        assertThat(answer.status()).isZero();
    }

    @Test
    void statusOfHealthyNodeIsSilent() throws IOException {
        PluginCall.Outcome status = nodeCall("STATUS", node.network("1.1.0", "fast"));

        assertThat(status.status()).as("%s", status).isZero();
        assertThat(status.stdout()).isEmpty();
    }

    @Test
    void garbageCollectionTakesTheStaleAttachmentsOfItsNetworkAndNothingElse() throws IOException {
        String stale = node.newContainer();
        String valid = node.newContainer();
        String elsewhere = node.newContainer();
        ObjectNode network = node.network("1.1.0", "fast");
        attached(stale, network);
        attached(valid, network);
        attached(elsewhere, node.network("1.1.0", "other"));
        foreignPortWithIdentityOf(stale);

        network.putArray("cni.dev/valid-attachments")
                .addObject()
                .put("containerID", valid)
                .put("ifname", IFNAME);
        PluginCall.Outcome collected = nodeCall("GC", network);

        assertThat(collected.status()).as("%s", collected).isZero();
        assertThat(collected.stdout()).isEmpty();
        assertThat(node.ports()).containsExactlyInAnyOrder("stranger", portOf(valid), portOf(elsewhere));
        assertThat(node.workloadSocket(stale, IFNAME).getParent()).doesNotExist();
        assertThat(node.workloadSocket(valid, IFNAME).getParent()).isDirectory();
    }

    @ParameterizedTest
    @ValueSource(strings = {"GC", "STATUS"})
    void garbageCollectionAndStatusDoNotExistBefore11(String command) throws IOException {
        PluginCall.Outcome refused = nodeCall(command, node.network("1.0.0", "fast"));

        assertThat(refused.code()).as("%s", refused).isEqualTo(1);
        assertThat(refused.json().get("cniVersion").asText()).isEqualTo("1.0.0");
    }

    /** Of a command that concerns the node and no container. */
    private PluginCall.Outcome nodeCall(String command, ObjectNode network) throws IOException {
        return call(command, network)
                .with("CNI_CONTAINERID", null)
                .with("CNI_NETNS", null)
                .with("CNI_IFNAME", null)
                .with("CNI_ARGS", null)
                .run();
    }

    /** Somebody else's, although it is marked as if it belonged to the container and the network. */
    private void foreignPortWithIdentityOf(String containerId) throws IOException {
        List<String> command = new ArrayList<>(List.of("add-port", "br0", "stranger"));
        command.addAll(List.of("--", "set", "Interface", "stranger", "type=dpdkvhostuserclient"));
        command.add("options:vhost-server-path=" + node.folder().resolve("stranger.sock"));
        for (String table : List.of("Port", "Interface")) {
            command.addAll(List.of("--", "set", table, "stranger", "external_ids:network=fast"));
            command.addAll(List.of("external_ids:container-id=" + containerId, "external_ids:ifname=" + IFNAME));
        }
        node.ovs().vsctl(command.toArray(String[]::new));
    }

    private String portOf(String containerId) throws IOException {
        List<ObjectNode> ports =
                node.rows("Port", "external_ids:owner=ovs-dpdk-cni", "external_ids:container-id=" + containerId);
        assertThat(ports).hasSize(1);
        return ports.getFirst().get("name").asText();
    }

    private ObjectNode hostLocal(String version) {
        ObjectNode network = node.network(version, "leased").put("mac", MAC);
        ObjectNode ipam = network.putObject("ipam")
                .put("type", "host-local")
                .put("dataDir", leasesFolder().toString());
        ipam.putArray("ranges").addArray().addObject().put("subnet", "10.1.0.0/24");
        return network;
    }

    private Path leasesFolder() {
        return node.folder().resolve("leases-" + container);
    }

    /** The addresses that host-local has given away. */
    private List<String> leases() throws IOException {
        Path folder = leasesFolder().resolve("leased");
        if (!Files.exists(folder)) {
            return List.of();
        }
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString())
                    .filter(name -> !name.startsWith("last_reserved_ip") && !name.equals("lock"))
                    .sorted()
                    .toList();
        }
    }

    @Test
    void addressOfHostLocalIsTakenOnceCheckedAndGivenBack() throws IOException {
        ObjectNode network = hostLocal("1.0.0");

        PluginCall.Outcome first = add(network);
        PluginCall.Outcome second = add(network);
        List<String> taken = leases();
        PluginCall.Outcome check = call("CHECK", network.deepCopy().set("prevResult", first.json()))
                .run();
        PluginCall.Outcome del = call("DEL", network).run();

        String address = first.json().at("/ips/0/address").asText();
        assertThat(address).startsWith("10.1.0.").endsWith("/24");
        assertThat(first.json().at("/ips/0/interface").asInt(-1)).isZero();
        assertThat(second.stdout()).isEqualTo(first.stdout());
        assertThat(taken).containsExactly(address.replace("/24", ""));
        assertThat(check.status()).as("%s", check).isZero();
        assertThat(del.status()).as("%s", del).isZero();
        assertThat(leases()).isEmpty();
        assertThat(node.remains()).isEmpty();
    }

    @Test
    void addressIsNotTakenForABridgeThatIsMissing() throws IOException {
        PluginCall.Outcome add =
                call("ADD", hostLocal("1.0.0").put("bridge", "br9")).run();

        assertThat(add.code()).as("%s", add).isEqualTo(100);
        assertThat(leasesFolder()).as("where host-local keeps them").doesNotExist();
        assertThat(node.remains()).isEmpty();
    }

    @Test
    void addressIsGivenBackWhenTheSwitchDoesNotMakeThePort() throws IOException {
        node.configure(Json.object().put("addTimeoutSeconds", 1));
        node.ovs().suspendSwitch();
        PluginCall.Outcome add;
        try {
            add = call("ADD", hostLocal("1.0.0")).run();
        } finally {
            node.ovs().resumeSwitch();
            node.configure(Json.object());
        }

        assertThat(add.code()).as("%s", add).isEqualTo(11);
        assertThat(leasesFolder().resolve("leased/last_reserved_ip.0"))
                .as("host-local did give one")
                .exists();
        assertThat(leases()).isEmpty();
        assertThat(node.remains()).isEmpty();
    }

    @Test
    void addressOfStaticHasItsFamilyInOldVersionsAndPassesCheck() throws Exception {
        ObjectNode network = node.network("0.4.0", "fixed").put("mac", MAC);
        ObjectNode ipam = network.putObject("ipam").put("type", "static");
        ipam.putArray("addresses").addObject().put("address", "10.2.0.7/16").put("gateway", "10.2.0.1");
        ipam.putArray("routes").addObject().put("dst", "0.0.0.0/0");

        ObjectNode result = add(network).json();
        PluginCall.Outcome check =
                call("CHECK", network.deepCopy().set("prevResult", result)).run();
        PluginCall.Outcome del = call("DEL", network).run();

        assertThat(result).isEqualTo(json("""
                {"cniVersion": "0.4.0",
                 "interfaces": [{"name": "net1", "mac": "02:00:5e:10:00:01", "sandbox": "/run/netns/%s"}],
                 "ips": [{"version": "4", "interface": 0, "address": "10.2.0.7/16", "gateway": "10.2.0.1"}],
                 "routes": [{"dst": "0.0.0.0/0"}]}
                """.formatted(container)));
        assertThat(check.status()).as("%s", check).isZero();
        assertThat(del.status()).as("%s", del).isZero();
        assertThat(node.remains()).isEmpty();
    }

    @Test
    void addressOfStaticComesInTheNewestVersionToo() throws IOException {
        ObjectNode network = node.network("1.1.0", "fixed");
        network.putObject("ipam")
                .put("type", "static")
                .putArray("addresses")
                .addObject()
                .put("address", "fd00::7/64");

        ObjectNode result = add(network).json();

        assertThat(result.at("/ips/0/address").asText()).isEqualTo("fd00::7/64");
        assertThat(result.at("/ips/0").has("version")).isFalse();
        assertThat(result.at("/interfaces/0/socketPath").asText())
                .isEqualTo(node.workloadSocket(container, IFNAME).toString());
    }
}
