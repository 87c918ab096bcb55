package io.ovsdpdk.cni;

import static io.ovsdpdk.cni.ContainerRuntime.json;
import static io.ovsdpdk.cni.ContainerRuntime.network;
import static org.assertj.core.api.Assertions.assertThat;

import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.AttachmentRequest;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.MacAddress;
import io.ovsdpdk.api.PodIdentity;
import io.ovsdpdk.api.Request;
import io.ovsdpdk.cni.ContainerRuntime.Answer;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class AddTest {
    @TempDir
    Path folder;

    private FakeAgent agent;
    private ContainerRuntime runtime;

    @BeforeEach
    void start() throws IOException {
        agent = new FakeAgent(ContainerRuntime.agentSocket(folder));
        runtime = new ContainerRuntime(folder);
    }

    @AfterEach
    void stop() {
        agent.close();
    }

    @ParameterizedTest
    @ValueSource(strings = {"0.3.0", "0.3.1", "0.4.0", "1.0.0"})
    void resultBefore11HasNameMacAndSandbox(String version) {
        Answer answer = runtime.call("ADD", network(version, ""));

        assertThat(answer.status()).isZero();
        assertThat(answer.json()).isEqualTo(json("""
                {"cniVersion": "%s",
                 "interfaces": [{"name": "net1", "mac": "02:00:5e:10:00:01", "sandbox": "/run/netns/p1"}]}
                """.formatted(version)));
    }

    @Test
    void resultOf11HasMtuAndSocketPathToo() {
        Answer answer = runtime.call("ADD", network("1.1.0", ",\"mtu\":9000"));

        assertThat(answer.json()).isEqualTo(json("""
                {"cniVersion": "1.1.0",
                 "interfaces": [{"name": "net1", "mac": "02:00:5e:10:00:01", "mtu": 9000,
                   "sandbox": "/run/netns/p1",
                   "socketPath": "/var/lib/cni/usrspcni/0123456789ab/net1.sock"}]}
                """));
    }

    @Test
    void withoutMtuTheResultHasNone() {
        agent.withoutMtu();

        Answer answer = runtime.call("ADD", network("1.1.0", ""));

        assertThat(answer.json().path("interfaces").path(0).has("mtu")).isFalse();
    }

    @Test
    void withoutIpamTheAgentIsAskedOnce() {
        runtime.with("CNI_ARGS", "MAC=02:AA:bb:cc:dd:01;" + "K8S_POD_NAME=p1;IgnoreUnknown=1;K8S_POD_NAMESPACE=default")
                .call("ADD", network("1.0.0", ",\"mtu\":1500"));

        assertThat(agent.requests())
                .containsExactly(new Request.Add(
                        new AttachmentRequest(
                                new AttachmentId("0123456789abcdef", "net1"),
                                "/run/netns/p1",
                                new PodIdentity("default", "p1", ""),
                                Optional.of(new MacAddress("02:aa:bb:cc:dd:01")),
                                json(network("1.0.0", ",\"mtu\":1500"))),
                        json("{}"),
                        Duration.ofSeconds(1)));
    }

    @Test
    void emptyIpamMeansNone() {
        runtime.call("ADD", network("1.0.0", ",\"ipam\":{}"));

        assertThat(agent.operations()).containsExactly("Add");
    }

    @Test
    void configuredDnsIsInTheResultWithoutItsEmptyParts() {
        Answer answer = runtime.call(
                "ADD", network("1.0.0", ",\"dns\":{\"nameservers\":[\"10.1.0.1\"],\"search\":[],\"domain\":\"\"}"));

        assertThat(answer.json().path("dns")).isEqualTo(json("{\"nameservers\": [\"10.1.0.1\"]}"));
    }

    @Test
    void prevResultIsPassedThroughAndOursAppended() {
        Answer answer = runtime.call("ADD", network("1.1.0", """
                ,"prevResult": {"cniVersion": "1.1.0",
                  "interfaces": [{"name": "cni0"}, {"name": "eth0", "mac": "02:00:00:00:00:09", "mtu": 1400,
                    "sandbox": "/run/netns/p1", "pciID": "0000:01:00.0"}],
                  "ips": [{"address": "10.9.0.2/24", "gateway": "10.9.0.1", "interface": 1}],
                  "routes": [{"dst": "0.0.0.0/0", "gw": "10.9.0.1", "priority": 5}],
                  "dns": {"domain": "cluster.local"}}"""));

        assertThat(answer.json()).isEqualTo(json("""
                {"cniVersion": "1.1.0",
                 "interfaces": [{"name": "cni0"}, {"name": "eth0", "mac": "02:00:00:00:00:09", "mtu": 1400,
                    "sandbox": "/run/netns/p1", "pciID": "0000:01:00.0"},
                   {"name": "net1", "mac": "02:00:5e:10:00:01", "mtu": 9000, "sandbox": "/run/netns/p1",
                    "socketPath": "/var/lib/cni/usrspcni/0123456789ab/net1.sock"}],
                 "ips": [{"address": "10.9.0.2/24", "gateway": "10.9.0.1", "interface": 1}],
                 "routes": [{"dst": "0.0.0.0/0", "gw": "10.9.0.1", "priority": 5}],
                 "dns": {"domain": "cluster.local"}}
                """));
    }

    @Test
    void prevResultOfANewerVersionIsConverted() {
        Answer answer = runtime.call("ADD", network("0.4.0", """
                ,"prevResult": {"cniVersion": "1.1.0",
                  "interfaces": [{"name": "eth0", "mtu": 1400, "socketPath": "/x", "pciID": "0000:01:00.0"}],
                  "ips": [{"address": "10.9.0.2/24", "interface": 0}, {"address": "fd00::2/64"}],
                  "routes": [{"dst": "fd00:1::/64", "mtu": 1, "advmss": 1, "priority": 1, "table": 1, "scope": 0}]}"""));

        assertThat(answer.json()).isEqualTo(json("""
                {"cniVersion": "0.4.0",
                 "interfaces": [{"name": "eth0"},
                   {"name": "net1", "mac": "02:00:5e:10:00:01", "sandbox": "/run/netns/p1"}],
                 "ips": [{"version": "4", "address": "10.9.0.2/24", "interface": 0},
                   {"version": "6", "address": "fd00::2/64"}],
                 "routes": [{"dst": "fd00:1::/64"}]}
                """));
    }

    @Test
    void prevResultOfAnOlderVersionIsConverted() {
        Answer answer = runtime.call("ADD", network("1.0.0", """
                ,"prevResult": {"cniVersion": "0.3.1", "interfaces": [{"name": "eth0"}],
                  "ips": [{"version": "4", "address": "10.9.0.2/24", "interface": 0}], "dns": {}}"""));

        assertThat(answer.json()).isEqualTo(json("""
                {"cniVersion": "1.0.0",
                 "interfaces": [{"name": "eth0"},
                   {"name": "net1", "mac": "02:00:5e:10:00:01", "sandbox": "/run/netns/p1"}],
                 "ips": [{"address": "10.9.0.2/24", "interface": 0}]}
                """));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "6 | 7",
                "6 | [1]",
                "7 | {\"cniVersion\":\"2.0.0\"}",
                "6 | {\"interfaces\":{}}",
                "6 | {\"interfaces\":[\"eth0\"]}",
                "6 | {\"interfaces\":[{\"mac\":\"02:00:00:00:00:09\"}]}",
                "6 | {\"ips\":\"10.1.0.1\"}",
                "6 | {\"ips\":[{}]}",
                "6 | {\"ips\":[{\"address\":\"10.1.0.1\"}]}",
                "6 | {\"ips\":[{\"address\":\"10.1.0.1/33\"}]}",
                "6 | {\"ips\":[{\"address\":\"10.1.0.1/24\",\"interface\":0}]}",
                "6 | {\"interfaces\":[{\"name\":\"a\"}],\"ips\":[{\"address\":\"10.1.0.1/24\",\"interface\":-1}]}",
                "6 | {\"routes\":[{\"gw\":\"10.1.0.1\"}]}",
                "6 | {\"dns\":[]}"
            })
    void malformedPrevResultIsRefusedBeforeAnythingIsMade(int code, String previous) {
        Answer answer = runtime.call("ADD", network("1.0.0", ",\"prevResult\":" + previous));

        assertThat(answer.code()).isEqualTo(code);
        assertThat(answer.message()).contains("prevResult");
        assertThat(agent.requests()).isEmpty();
    }

    @Test
    void nullPrevResultIsNone() {
        Answer answer = runtime.call("ADD", network("1.0.0", ",\"prevResult\":null"));

        assertThat(answer.status()).isZero();
    }

    @Test
    void nameThatAnEarlierPluginOfTheChainTookIsRefused() {
        Answer answer = runtime.call(
                "ADD",
                network(
                        "1.0.0",
                        ",\"prevResult\":{\"interfaces\":[{\"name\":\"net1\",\"sandbox\":\"/run/netns/p1\"}]}"));

        assertThat(answer.code()).isEqualTo(ErrorCode.CONFIGURATION.code());
        assertThat(answer.message()).contains("\"net1\" is taken");
        assertThat(agent.requests()).isEmpty();
    }

    @Test
    void agentsErrorIsHandedOnAsItIs() {
        agent.then(FakeAgent.fail(ErrorCode.BRIDGE_MISSING, "there is no bridge \"br0\""));

        Answer answer = runtime.call("ADD", network("0.3.1", ""));

        assertThat(answer.status()).isEqualTo(1);
        assertThat(answer.json()).isEqualTo(json("""
                {"cniVersion": "0.3.1", "code": 100, "msg": "there is no bridge \\"br0\\"",
                 "details": "details of BRIDGE_MISSING"}
                """));
    }

    @Test
    void addWithoutAnAnswerMayBeTheSecondAndIsNotTakenBack() {
        agent.then(agent.silence());

        Answer answer = runtime.call("ADD", network("1.0.0", ""));

        assertThat(answer.code()).isEqualTo(ErrorCode.TRY_AGAIN.code());
        assertThat(agent.operations()).containsExactly("Add");
    }

    @Test
    void errorOfABrokenConfigurationNamesKeyAndValue() {
        Answer answer = runtime.call("ADD", network("1.1.0", ",\"mtu\":\"jumbo\""));

        assertThat(answer.json()).isEqualTo(json("""
                {"cniVersion": "1.1.0", "code": 7,
                 "msg": "invalid mtu: \\"jumbo\\" must be a number of bytes from 68 to 9702"}
                """));
        assertThat(agent.requests()).isEmpty();
    }
}
