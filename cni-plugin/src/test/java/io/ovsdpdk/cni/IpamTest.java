package io.ovsdpdk.cni;

import static io.ovsdpdk.cni.ContainerRuntime.json;
import static io.ovsdpdk.cni.ContainerRuntime.network;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.api.DeletionQueue;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.Reply;
import io.ovsdpdk.api.Request;
import io.ovsdpdk.cni.ContainerRuntime.Answer;
import java.io.IOException;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
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

class IpamTest {
    @TempDir
    Path folder;

    @TempDir
    Path plugins;

    private FakeAgent agent;
    private RecordingIpam ipam;
    private ContainerRuntime runtime;

    @BeforeEach
    void start() throws IOException {
        agent = new FakeAgent(ContainerRuntime.agentSocket(folder));
        ipam = new RecordingIpam(plugins);
        runtime = new ContainerRuntime(folder).with("CNI_PATH", "/nowhere::/usr/lib/cni:" + plugins);
    }

    @AfterEach
    void stop() {
        agent.close();
    }

    private String hostLocal(String version) {
        return network(
                version,
                ",\"ipam\":{\"type\":\"host-local\",\"dataDir\":\"" + folder.resolve("leases")
                        + "\",\"ranges\":[[{\"subnet\":\"10.1.0.0/24\"}],[{\"subnet\":\"fd00::/64\"}]],"
                        + "\"routes\":[{\"dst\":\"0.0.0.0/0\"}]}");
    }

    private List<String> leases() throws IOException {
        Path network = folder.resolve("leases/fast");
        if (!Files.exists(network)) {
            return List.of();
        }
        try (Stream<Path> files = Files.list(network)) {
            return files.map(file -> file.getFileName().toString())
                    .filter(name -> !name.startsWith("last_reserved_ip") && !name.equals("lock"))
                    .sorted()
                    .toList();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"0.3.0", "0.3.1", "0.4.0"})
    void hostLocalsAddressesHaveTheirFamilyBefore10(String version) {
        Answer answer = runtime.call("ADD", hostLocal(version));

        assertThat(answer.json()).isEqualTo(json("""
                {"cniVersion": "%s",
                 "interfaces": [{"name": "net1", "mac": "02:00:5e:10:00:01", "sandbox": "/run/netns/p1"}],
                 "ips": [{"version": "4", "interface": 0, "address": "10.1.0.2/24", "gateway": "10.1.0.1"},
                   {"version": "6", "interface": 0, "address": "fd00::2/64", "gateway": "fd00::1"}],
                 "routes": [{"dst": "0.0.0.0/0"}]}
                """.formatted(version)));
    }

    @Test
    void hostLocalsAddressesIn10() {
        Answer answer = runtime.call("ADD", hostLocal("1.0.0"));

        assertThat(answer.json()).isEqualTo(json("""
                {"cniVersion": "1.0.0",
                 "interfaces": [{"name": "net1", "mac": "02:00:5e:10:00:01", "sandbox": "/run/netns/p1"}],
                 "ips": [{"interface": 0, "address": "10.1.0.2/24", "gateway": "10.1.0.1"},
                   {"interface": 0, "address": "fd00::2/64", "gateway": "fd00::1"}],
                 "routes": [{"dst": "0.0.0.0/0"}]}
                """));
    }

    @Test
    void hostLocalThatDoesNotKnow11IsSpokenToInItsHighestVersion() {
        Answer answer = runtime.call("ADD", hostLocal("1.1.0"));

        assertThat(answer.json()).isEqualTo(json("""
                {"cniVersion": "1.1.0",
                 "interfaces": [{"name": "net1", "mac": "02:00:5e:10:00:01", "mtu": 9000, "sandbox": "/run/netns/p1",
                   "socketPath": "/var/lib/cni/usrspcni/0123456789ab/net1.sock"}],
                 "ips": [{"interface": 0, "address": "10.1.0.2/24", "gateway": "10.1.0.1"},
                   {"interface": 0, "address": "fd00::2/64", "gateway": "fd00::1"}],
                 "routes": [{"dst": "0.0.0.0/0"}]}
                """));
    }

    @ParameterizedTest
    @ValueSource(strings = {"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"})
    void delReleasesHostLocalsAddresses(String version) throws IOException {
        runtime.call("ADD", hostLocal(version));
        assertThat(leases()).containsExactly("10.1.0.2", "fd00::2");

        Answer answer = runtime.call("DEL", hostLocal(version));

        assertThat(answer).isEqualTo(new Answer(0, "", ""));
        assertThat(leases()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"0.4.0", "1.0.0", "1.1.0"})
    void checkAsksHostLocal(String version) throws IOException {
        ObjectNode result = runtime.call("ADD", hostLocal(version)).json();
        ObjectNode again = json(hostLocal(version)).set("prevResult", result);
        Request.Add add = (Request.Add) agent.requests().getLast();
        agent.then(FakeAgent.reply(new Reply.Added(FakeAgent.attached(
                "net1", "/run/netns/p1", OptionalInt.of(9000), add.ipam().toString()))));
        assertThat(runtime.call("CHECK", again.toString())).isEqualTo(new Answer(0, "", ""));
        Files.delete(folder.resolve("leases/fast/10.1.0.2"));
        Files.delete(folder.resolve("leases/fast/fd00::2"));
        agent.then(FakeAgent.reply(new Reply.Added(FakeAgent.attached(
                "net1",
                "/run/netns/p1",
                OptionalInt.of(9000),
                "{\"ips\":[{\"address\":\"10.1.0.2/24\"},{\"address\":\"fd00::2/64\"}]}"))));

        Answer answer = runtime.call("CHECK", again.toString());

        assertThat(answer.json().path("cniVersion").asText()).isEqualTo(version);
        assertThat(answer.message()).contains("host-local: Failed to find address");
    }

    @ParameterizedTest
    @ValueSource(strings = {"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"})
    void staticAddressesGoThroughAddCheckAndDel(String version) {
        String network = network(
                version,
                ",\"ipam\":{\"type\":\"static\",\"addresses\":[{\"address\":\"10.7.0.5/24\",\"gateway\":\"10.7.0.1\"}],"
                        + "\"dns\":{\"domain\":\"lab\"}}");

        ObjectNode result = runtime.call("ADD", network).json();

        assertThat(result.path("ips").path(0).path("address").asText()).isEqualTo("10.7.0.5/24");
        assertThat(result.path("dns")).isEqualTo(json("{\"domain\":\"lab\"}"));
        ObjectNode again = json(network).set("prevResult", result);
        if (CniVersion.named(version).orElseThrow().atLeast(CniVersion.V0_4_0)) {
            agent.then(FakeAgent.reply(new Reply.Added(FakeAgent.attached(
                    "net1", "/run/netns/p1", OptionalInt.of(9000), "{\"ips\":[{\"address\":\"10.7.0.5/24\"}]}"))));
            assertThat(runtime.call("CHECK", again.toString())).isEqualTo(new Answer(0, "", ""));
        }
        assertThat(runtime.call("DEL", again.toString())).isEqualTo(new Answer(0, "", ""));
    }

    @Test
    void configuredDnsReplacesTheIpamPlugins() {
        Answer answer = runtime.call(
                "ADD",
                network(
                        "1.0.0",
                        ",\"dns\":{\"domain\":\"ours\"},\"ipam\":{\"type\":\"static\","
                                + "\"addresses\":[{\"address\":\"10.7.0.5/24\"}],"
                                + "\"dns\":{\"domain\":\"lab\",\"nameservers\":[\"10.1.0.1\"]}}"));

        assertThat(answer.json().path("dns")).isEqualTo(json("{\"domain\":\"ours\"}"));
    }

    @Test
    void currentPluginRunsOnceWithOurEnvironmentAndTheConfigurationAsItCame() throws IOException {
        String network = " " + network("1.1.0", RecordingIpam.MEMBER + ",\"args\":{\"a\":1.50}") + "\n";

        Answer answer = runtime.call("ADD", network);

        assertThat(answer.json().path("ips")).isEqualTo(json("""
                {"ips": [{"interface": 0, "address": "10.1.0.5/16", "gateway": "10.1.0.1"}]}
                """).path("ips"));
        assertThat(ipam.commands()).containsExactly("ADD");
        assertThat(ipam.stdin("ADD")).isEqualTo(network);
        assertThat(ipam.environment("ADD"))
                .contains(
                        "CNI_COMMAND=ADD",
                        "CNI_CONTAINERID=0123456789abcdef",
                        "CNI_NETNS=/run/netns/p1",
                        "CNI_IFNAME=net1",
                        "CNI_PATH=/nowhere::/usr/lib/cni:" + plugins,
                        "CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=p1;"
                                + "K8S_POD_UID=8a8822f0-3e4e");
    }

    @Test
    void agentIsToldOfTheAddFirstAndGetsTheAddressesInTheirNewestForm() throws IOException {
        ipam.answer(
                "ADD",
                "{\"cniVersion\":\"0.4.0\",\"interfaces\":[{\"name\":\"x\"}],\"dns\":{},\"routes\":null,"
                        + "\"ips\":[{\"version\":\"4\",\"interface\":3,\"address\":\"10.1.0.5/16\"}]}");

        runtime.call("ADD", network("1.1.0", RecordingIpam.MEMBER));

        assertThat(agent.operations()).containsExactly("Announce", "Add");
        assertThat(((Request.Add) agent.requests().get(1)).ipam())
                .isEqualTo(json("{\"ips\":[{\"address\":\"10.1.0.5/16\"}]}"));
    }

    @Test
    void addressesStandBehindThoseOfTheChain() {
        Answer answer = runtime.call(
                "ADD",
                network(
                        "1.0.0",
                        RecordingIpam.MEMBER
                                + ",\"prevResult\":{\"interfaces\":[{\"name\":\"eth0\"}],"
                                + "\"ips\":[{\"address\":\"10.9.0.2/24\",\"interface\":0}]}"));

        assertThat(answer.json().path("ips")).isEqualTo(json("""
                {"ips": [{"address": "10.9.0.2/24", "interface": 0},
                  {"address": "10.1.0.5/16", "gateway": "10.1.0.1", "interface": 1}]}
                """).path("ips"));
    }

    @Test
    void repeatedAddGivesTheStoredResultWithoutIpam() throws IOException {
        agent.then(FakeAgent.reply(new Reply.Announced(Optional.of(FakeAgent.attached(
                "net1", "/run/netns/p1", OptionalInt.empty(), "{\"ips\":[{\"address\":\"10.1.0.9/16\"}]}")))));

        Answer answer = runtime.call("ADD", network("0.4.0", RecordingIpam.MEMBER));

        assertThat(answer.json()).isEqualTo(json("""
                {"cniVersion": "0.4.0",
                 "interfaces": [{"name": "net1", "mac": "02:00:5e:10:00:01", "sandbox": "/run/netns/p1"}],
                 "ips": [{"version": "4", "address": "10.1.0.9/16", "interface": 0}]}
                """));
        assertThat(ipam.commands()).isEmpty();
        assertThat(agent.operations()).containsExactly("Announce");
    }

    @Test
    void refusedAnnouncementLeavesNothingToUndo() throws IOException {
        agent.then(FakeAgent.fail(ErrorCode.BRIDGE_MISSING, "there is no bridge"));

        Answer answer = runtime.call("ADD", network("1.1.0", RecordingIpam.MEMBER));

        assertThat(answer.code()).isEqualTo(100);
        assertThat(ipam.commands()).isEmpty();
        assertThat(agent.operations()).containsExactly("Announce");
    }

    @Test
    void refusalOfThePluginIsHandedOnAndTheAnnouncementTakenBackWithoutARelease() throws IOException {
        ipam.fails("ADD", "{\"code\":999,\"msg\":\"no free addresses\",\"details\":\"in 10.1.0.0/16\"}");

        Answer answer = runtime.call("ADD", network("1.1.0", RecordingIpam.MEMBER));

        assertThat(answer.json()).isEqualTo(json("""
                {"cniVersion": "1.1.0", "code": 999, "msg": "no free addresses", "details": "in 10.1.0.0/16"}
                """));
        assertThat(ipam.commands()).containsExactly("ADD");
        assertThat(agent.operations()).containsExactly("Announce", "Delete");
    }

    @Test
    void secondAddThatHostLocalRefusesKeepsTheFirstOnesAddress() throws IOException {
        runtime.call("ADD", hostLocal("1.0.0"));

        Answer answer = runtime.call("ADD", hostLocal("1.0.0"));

        assertThat(answer.message()).contains("duplicate allocation");
        assertThat(leases()).containsExactly("10.1.0.2", "fd00::2");
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource(
            delimiter = '|',
            value = {
                "slow           | 11 | did not finish its ADD within 1000 ms    | sleep 60 & sleep 60",
                "killed         |  5 | ended its ADD with status 137            | kill -9 $$",
                "silent         |  5 | ended its ADD with status 3              | exit 3",
                "no JSON        |  6 | is not valid JSON                        | echo 10.1.0.5",
                "nothing        |  6 | is empty                                 | exit 0",
                "no addresses   |  6 | has no addresses                         | echo '{\"ips\":[]}'",
                "wrong address  |  6 | address \"10.1.0.5\" in ips is wrong     | echo '{\"ips\":[{\"address\":\"10.1.0.5\"}]}'",
                "wrong routes   |  6 | routes must be a JSON array              | echo '{\"ips\":[{\"address\":\"10.1.0.5/8\"}],\"routes\":1}'",
                "too much       |  6 | more than 1048576 bytes                  | head -c 1100000 /dev/zero",
                "no code        |  5 | without a CNI error                      | echo '{\"msg\":\"no code\"}'; exit 1"
            })
    void whatAnUnclearAddMayHaveGivenIsReleased(String name, int code, String message, String shell)
            throws IOException {
        ipam.does("ADD", shell);

        Answer answer = runtime.call("ADD", network("1.1.0", RecordingIpam.MEMBER));

        assertThat(answer.code()).isEqualTo(code);
        assertThat(answer.message()).contains(message);
        assertThat(ipam.commands()).containsExactly("ADD", "DEL");
        assertThat(ipam.environment("DEL")).contains("CNI_COMMAND=DEL");
        assertThat(ipam.stdin("DEL")).isEqualTo(ipam.stdin("ADD"));
        assertThat(agent.operations()).containsExactly("Announce", "Delete");
    }

    @Test
    void slowPluginIsKilledWithItsChildren() throws IOException {
        ipam.does("ADD", "sleep 60 & echo $! > child; wait");

        runtime.call("ADD", network("1.1.0", RecordingIpam.MEMBER));

        long child = Long.parseLong(Files.readString(plugins.resolve("child")).strip());
        await().untilAsserted(() -> assertThat(ProcessHandle.of(child).filter(ProcessHandle::isAlive))
                .isEmpty());
    }

    @Test
    void failureOfTheAgentReleasesTheAddress() throws IOException {
        agent.then(agent.properly(), FakeAgent.fail(ErrorCode.PORT_REFUSED, "vswitchd refused"));

        Answer answer = runtime.call("ADD", hostLocal("1.0.0"));

        assertThat(answer.code()).isEqualTo(104);
        assertThat(leases()).isEmpty();
        assertThat(agent.operations()).containsExactly("Announce", "Add");
    }

    @Test
    void failingReleaseDoesNotHideTheAgentsError() throws IOException {
        ipam.fails("DEL", "{\"code\":7,\"msg\":\"lease store is gone\"}");
        agent.then(agent.properly(), FakeAgent.fail(ErrorCode.PORT_REFUSED, "vswitchd refused"));

        Answer answer = runtime.call("ADD", network("1.1.0", RecordingIpam.MEMBER));

        assertThat(answer.message()).isEqualTo("vswitchd refused");
        assertThat(answer.stderr()).contains("level=warn", "lease store is gone");
        assertThat(ipam.commands()).containsExactly("ADD", "DEL");
    }

    @Test
    void agentsSilenceTakesBackPortAndAddress() throws IOException {
        agent.then(agent.properly(), agent.silence());

        Answer answer = runtime.call("ADD", network("1.1.0", RecordingIpam.MEMBER));

        assertThat(answer.code()).isEqualTo(ErrorCode.TRY_AGAIN.code());
        assertThat(agent.operations()).containsExactly("Announce", "Add", "Delete");
        assertThat(ipam.commands()).containsExactly("ADD", "DEL");
    }

    @Test
    void agentThatWentInBetweenReleasesTheAddress() throws IOException {
        ipam.does("ADD", "rm '" + ContainerRuntime.agentSocket(folder) + "'; echo '" + RecordingIpam.ADDRESSES + "'");

        Answer answer = runtime.call("ADD", network("1.1.0", RecordingIpam.MEMBER));

        assertThat(answer.code()).isEqualTo(ErrorCode.TRY_AGAIN.code());
        assertThat(ipam.commands()).containsExactly("ADD", "DEL");
    }

    /** It may have made the port; a repeated ADD would then be told that all is there, without an address. */
    @Test
    void agentThatDiesWithTheAddFindsItsDeletionBeforeTheAddressIsReleased() throws IOException {
        agent.then(agent.properly(), this::die);

        Answer answer = runtime.call("ADD", hostLocal("1.0.0"));

        assertThat(answer.code()).isEqualTo(ErrorCode.TRY_AGAIN.code());
        assertThat(deletions().read().entries()).hasSize(1);
        assertThat(leases()).isEmpty();
    }

    @Test
    void addressStaysWhereThePortMayStay() throws IOException {
        agent.then(agent.properly(), this::die);

        try (DeletionQueue.Held held = deletions().lock(Duration.ofSeconds(1))) {
            Answer answer = runtime.call("ADD", hostLocal("1.0.0"));

            assertThat(held).isNotNull();
            assertThat(answer.code()).isEqualTo(ErrorCode.TRY_AGAIN.code());
            assertThat(answer.stderr()).contains("the address stays");
        }
        assertThat(leases()).hasSize(2);
        assertThat(deletions().read().entries()).isEmpty();
    }

    private void die(Request request, SocketChannel connection) throws IOException {
        Files.delete(ContainerRuntime.agentSocket(folder));
        connection.close();
    }

    private DeletionQueue deletions() {
        return new DeletionQueue(ContainerRuntime.deletions(folder));
    }

    @Test
    void missingPluginIsSaidBeforeAnythingIsMade() {
        Answer answer = runtime.call("ADD", network("1.0.0", ",\"ipam\":{\"type\":\"whereabouts\"}"));

        assertThat(answer.code()).isEqualTo(ErrorCode.CONFIGURATION.code());
        assertThat(answer.message()).isEqualTo("there is no IPAM plugin \"whereabouts\" in CNI_PATH");
        assertThat(answer.details()).contains("/nowhere", "/usr/lib/cni");
        assertThat(agent.requests()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"../sh", "/bin/sh", "..", ".", "", "a b"})
    void typeThatLeadsOutOfThePathIsRefused(String type) {
        Answer answer = runtime.call("ADD", network("1.0.0", ",\"ipam\":{\"type\":\"" + type + "\"}"));

        assertThat(answer.code()).isEqualTo(ErrorCode.CONFIGURATION.code());
        assertThat(agent.requests()).isEmpty();
    }

    @Test
    void pluginsStandardErrorIsHandedOn() throws IOException {
        ipam.does("ADD", "echo 'pool nearly empty' >&2; echo '" + RecordingIpam.ADDRESSES + "'");

        Answer answer = runtime.call("ADD", network("1.1.0", RecordingIpam.MEMBER));

        assertThat(answer.status()).isZero();
        assertThat(answer.stderr()).isEqualTo("pool nearly empty\n");
    }

    @Test
    void pluginThatNeverReadsAndSaysMuchIsServed() throws IOException {
        Path script = plugins.resolve("deaf");
        Files.copy(plugins.resolve("recording"), script);
        Files.writeString(
                script,
                "#!/bin/sh\nhead -c 300000 /dev/zero >&2; printf '{\"ips\":[{\"address\":\"10.1.0.5/16\"}]'; "
                        + "head -c 300000 /dev/zero | tr '\\0' ' '; echo '}'\n");
        script.toFile().setExecutable(true);

        Answer answer = runtime.call(
                "ADD",
                network("1.1.0", ",\"ipam\":{\"type\":\"deaf\"},\"args\":{\"long\":\"" + "x".repeat(300000) + "\"}"));

        assertThat(answer.status()).isZero();
        assertThat(answer.stderr()).hasSize(300000);
    }

    @Test
    void versionsAreAskedForOnceAndPrevResultIsConverted() throws IOException {
        ipam.answer("VERSION", "{\"cniVersion\":\"1.1.0\",\"supportedVersions\":[\"0.3.1\",\"0.4.0\",\"9.0.0\"]}");
        String refusal = "if grep -q '\"cniVersion\":\"1.1.0\"' \"$CNI_COMMAND.stdin\"; then "
                + "echo '{\"code\":1,\"msg\":\"incompatible CNI versions\"}'; exit 1; fi; ";
        ipam.does("ADD", refusal + "echo '" + RecordingIpam.ADDRESSES.replace("1.1.0", "0.4.0") + "'");
        agent.then(agent.properly(), FakeAgent.fail(ErrorCode.PORT_REFUSED, "vswitchd refused"));

        runtime.call(
                "ADD",
                network(
                        "1.1.0",
                        RecordingIpam.MEMBER
                                + ",\"prevResult\":{\"cniVersion\":\"1.1.0\",\"interfaces\":[{\"name\":\"a\",\"mtu\":1}],"
                                + "\"ips\":[{\"address\":\"10.9.0.2/24\"}]}"));

        assertThat(ipam.commands()).containsExactly("ADD", "VERSION", "ADD", "DEL");
        assertThat(ipam.stdin("VERSION")).isEqualTo("{\"cniVersion\":\"1.1.0\"}");
        assertThat(ipam.network("DEL"))
                .isEqualTo(json(network(
                        "0.4.0",
                        RecordingIpam.MEMBER
                                + ",\"prevResult\":{\"cniVersion\":\"0.4.0\",\"interfaces\":[{\"name\":\"a\"}],"
                                + "\"ips\":[{\"version\":\"4\",\"address\":\"10.9.0.2/24\"}]}")));
    }

    @Test
    void pluginWithoutACommonVersionIsAnError() throws IOException {
        ipam.fails("ADD", "{\"code\":1,\"msg\":\"incompatible CNI versions\"}");
        ipam.answer("VERSION", "{\"cniVersion\":\"2.0.0\",\"supportedVersions\":[\"0.1.0\",\"2.0.0\"]}");

        Answer answer = runtime.call("ADD", network("1.0.0", RecordingIpam.MEMBER));

        assertThat(answer.code()).isEqualTo(ErrorCode.INCOMPATIBLE_VERSION.code());
        assertThat(answer.message()).contains("IPAM plugin recording");
        assertThat(agent.operations()).containsExactly("Announce", "Delete");
    }
}
