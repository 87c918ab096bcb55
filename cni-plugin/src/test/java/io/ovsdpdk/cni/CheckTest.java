package io.ovsdpdk.cni;

import static io.ovsdpdk.cni.ContainerRuntime.json;
import static io.ovsdpdk.cni.ContainerRuntime.network;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.Reply;
import io.ovsdpdk.cni.ContainerRuntime.Answer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.OptionalInt;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class CheckTest {
    private static final Answer SUCCESS = new Answer(0, "", "");

    private static final String RESULT = """
            {"cniVersion": "1.1.0",
             "interfaces": [{"name": "net1"}, {"name": "net1", "sandbox": "/run/netns/other"},
               {"name": "net1", "mac": "02:00:5E:10:00:01", "mtu": 9000, "sandbox": "/run/netns/p1",
                "socketPath": "/var/lib/cni/usrspcni/0123456789ab/net1.sock"}],
             "ips": [{"address": "10.9.0.2/24", "interface": 1},
               {"address": "10.1.0.5/16", "interface": 2}, {"address": "fd00:0:0::5/64", "interface": 2}]}""";

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
        runtime = new ContainerRuntime(folder).with("CNI_PATH", plugins.toString());
        agent.then(FakeAgent.reply(new Reply.Added(FakeAgent.attached(
                "net1",
                "/run/netns/p1",
                OptionalInt.of(9000),
                "{\"ips\":[{\"address\":\"fd00::5/64\"},{\"address\":\"10.1.0.5/16\"}]}"))));
    }

    @AfterEach
    void stop() {
        agent.close();
    }

    private static String previous(String version, String result) {
        return network(version, ",\"prevResult\":" + result);
    }

    @ParameterizedTest
    @ValueSource(strings = {"0.4.0", "1.0.0", "1.1.0"})
    void attachmentThatIsWhatItsAddSaidPasses(String version) throws Exception {
        ObjectNode result = CniResult.read("test data", json(RESULT))
                .write(CniVersion.named(version).orElseThrow());

        assertThat(runtime.call("CHECK", previous(version, result.toString()))).isEqualTo(SUCCESS);
        assertThat(agent.operations()).containsExactly("Check");
    }

    @ParameterizedTest
    @ValueSource(strings = {"0.3.0", "0.3.1"})
    void versionsBefore04HaveNoCheck(String version) {
        Answer answer = runtime.call("CHECK", previous(version, RESULT));

        assertThat(answer.json()).isEqualTo(json("""
                {"cniVersion": "%1$s", "code": 1,
                 "msg": "incompatible CNI version: CHECK does not exist in %1$s",
                 "details": "it needs a cniVersion of 0.4.0 or later"}
                """.formatted(version)));
        assertThat(agent.requests()).isEmpty();
    }

    @Test
    void prevResultIsRequired() {
        Answer answer = runtime.call("CHECK", network("1.0.0", ""));

        assertThat(answer.code()).isEqualTo(ErrorCode.CONFIGURATION.code());
        assertThat(answer.message()).contains("no prevResult");
        assertThat(agent.requests()).isEmpty();
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource(
            delimiter = '|',
            value = {
                "mac        | 02:00:5E:10:00:01       | 02:00:5e:10:00:02 | 02:00:5e:10:00:01 | 02:00:5e:10:00:02",
                "mtu        | 9000                    | 1500              | 9000              | 1500",
                "socketPath | 0123456789ab/net1.sock  | x/net1.sock       | 0123456789ab/net1 | x/net1.sock",
                "addresses  | 10.1.0.5/16             | 10.1.0.6/16       | 10.1.0.5/16       | 10.1.0.6/16",
                "addresses  | 10.1.0.5/16             | 10.1.0.5/24       | 10.1.0.5/16       | 10.1.0.5/24",
                "sandbox    | /run/netns/p1           | /run/netns/p2     | /run/netns/p1     | /run/netns/p2"
            })
    void differenceNamesBothValues(String what, String from, String to, String promised, String known) {
        Answer answer = runtime.call("CHECK", previous("1.1.0", RESULT.replace(from, to)));

        assertThat(answer.code()).isEqualTo(ErrorCode.CONFIGURATION.code());
        assertThat(answer.message()).startsWith(what + " is ").contains(promised, known);
    }

    @Test
    void addressThatPrevResultLacksIsADifference() {
        Answer answer = runtime.call(
                "CHECK", previous("1.1.0", RESULT.replace("{\"address\": \"10.1.0.5/16\", \"interface\": 2},", "")));

        assertThat(answer.message()).startsWith("addresses is ");
    }

    @Test
    void interfaceThatPrevResultLacksIsADifference() {
        Answer answer = runtime.call("CHECK", previous("1.1.0", "{\"interfaces\":[{\"name\":\"eth0\"}]}"));

        assertThat(answer.message()).contains("prevResult has no interface \"net1\"");
    }

    @Test
    void whatAPrevResultOfAnOlderVersionCantHoldIsNotCompared() {
        String older = """
                {"cniVersion": "0.4.0", "interfaces": [{"name": "net1", "sandbox": "/run/netns/p1"}],
                 "ips": [{"version": "4", "address": "10.1.0.5/16", "interface": 0},
                   {"version": "6", "address": "fd00::5/64", "interface": 0}]}""";

        assertThat(runtime.call("CHECK", previous("1.1.0", older))).isEqualTo(SUCCESS);
    }

    @Test
    void containerThatTheAgentDoesNotKnowIsCode3() throws IOException {
        agent.close();
        java.nio.file.Files.delete(ContainerRuntime.agentSocket(folder));
        agent = new FakeAgent(ContainerRuntime.agentSocket(folder))
                .then(FakeAgent.fail(ErrorCode.UNKNOWN_CONTAINER, "there is no such attachment"));

        Answer answer = runtime.call("CHECK", previous("1.1.0", RESULT));

        assertThat(answer.code()).isEqualTo(3);
    }

    @Test
    void ipamIsCheckedWhenTheAttachmentIsRight() throws IOException {
        String network = network("1.1.0", RecordingIpam.MEMBER + ",\"prevResult\":" + RESULT);
        ipam.fails("CHECK", "{\"code\":7,\"msg\":\"lease is gone\"}");

        Answer answer = runtime.call("CHECK", network);

        assertThat(answer.message()).isEqualTo("lease is gone");
        assertThat(ipam.commands()).containsExactly("CHECK");
        assertThat(ipam.stdin("CHECK")).isEqualTo(network);
    }

    @Test
    void ipamPluginOlderThanCheckIsNotAsked() throws IOException {
        ipam.fails("CHECK", "{\"code\":1,\"msg\":\"incompatible CNI versions\"}")
                .answer("VERSION", "{\"supportedVersions\":[\"0.3.1\"]}");

        Answer answer = runtime.call("CHECK", network("1.1.0", RecordingIpam.MEMBER + ",\"prevResult\":" + RESULT));

        assertThat(answer).isEqualTo(SUCCESS);
        assertThat(ipam.commands()).containsExactly("CHECK", "VERSION");
    }
}
