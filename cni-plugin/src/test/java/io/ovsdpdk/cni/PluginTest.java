package io.ovsdpdk.cni;

import static io.ovsdpdk.cni.ContainerRuntime.json;
import static io.ovsdpdk.cni.ContainerRuntime.network;
import static org.assertj.core.api.Assertions.assertThat;

import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.cni.ContainerRuntime.Answer;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Everything before a command begins: what it is asked, by whom, in which version, and whether that can be. */
class PluginTest {
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

    @Test
    void withoutACommandItSaysWhatItIs() {
        Answer answer = runtime.call("", "");

        assertThat(answer.status()).isZero();
        assertThat(answer.stdout()).isEmpty();
        assertThat(answer.stderr())
                .matches("(?s)ovs-dpdk \\d+\\.\\d+\\.\\d+\\S*: CNI plugin .*")
                .contains("CNI versions: 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0");
    }

    @ParameterizedTest
    @ValueSource(strings = {"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"})
    void versionAnswersInTheVersionItIsAskedIn(String version) {
        Answer answer = runtime.call("VERSION", "{\"cniVersion\":\"" + version + "\"}");

        assertThat(answer.status()).isZero();
        assertThat(answer.stdout())
                .isEqualTo("{\"cniVersion\":\"" + version
                        + "\",\"supportedVersions\":[\"0.3.0\",\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]}\n");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "{}", "no JSON", "{\"cniVersion\":\"9.9.9\"}", "{\"cniVersion\":7}"})
    void versionAsNobodyKnowsItAnswersInTheNewest(String request) {
        Answer answer = runtime.without("CNI_PATH").call("VERSION", request);

        assertThat(answer.json().path("cniVersion").asText()).isEqualTo("1.1.0");
    }

    @ParameterizedTest
    @ValueSource(strings = {"UPDATE", "add", "ADD ", "ADD\u0007"})
    void unknownCommandIsCode4WithTheList(String command) {
        Answer answer = runtime.call(command, network("1.0.0", ""));

        assertThat(answer.status()).isEqualTo(1);
        assertThat(answer.code()).isEqualTo(ErrorCode.ENVIRONMENT.code());
        assertThat(answer.message()).startsWith("unknown CNI_COMMAND \"");
        assertThat(answer.details()).isEqualTo("the commands are ADD, DEL, CHECK, GC, STATUS, VERSION");
    }

    @ParameterizedTest
    @CsvSource({
        "ADD,    'CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME, CNI_PATH'",
        "CHECK,  'CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME, CNI_PATH'",
        "DEL,    'CNI_CONTAINERID, CNI_IFNAME'",
        "GC,     CNI_PATH",
        "STATUS, CNI_PATH"
    })
    void missingVariablesAreNamedAllAtOnce(String command, String missing) {
        runtime.without("CNI_CONTAINERID")
                .with("CNI_NETNS", "")
                .without("CNI_IFNAME")
                .without("CNI_PATH");

        Answer answer = runtime.call(command, network("1.0.0", ""));

        assertThat(answer.json()).isEqualTo(json("""
                {"cniVersion": "1.0.0", "code": 4, "msg": "%s needs the environment variables %s"}
                """.formatted(command, missing)));
        assertThat(agent.requests()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({
        "CNI_CONTAINERID, ../../etc",
        "CNI_CONTAINERID, -c",
        "CNI_CONTAINERID, 'a b'",
        "CNI_CONTAINERID, 'a\nb'",
        "CNI_IFNAME, sixteen-letters1",
        "CNI_IFNAME, .",
        "CNI_IFNAME, ..",
        "CNI_IFNAME, a/b",
        "CNI_IFNAME, a:b",
        "CNI_IFNAME, 'a b'",
        "CNI_IFNAME, ünet",
        "CNI_NETNS, '/run/\u0001'",
        "CNI_ARGS, nonsense",
        "CNI_ARGS, =x",
        "CNI_ARGS, 'A=B;'",
        "CNI_ARGS, ';;'",
        "CNI_ARGS, MAC=02:00",
        "CNI_ARGS, MAC=ff:ff:ff:ff:ff:ff",
        "CNI_ARGS, K8S_POD_NAME=../p",
        "CNI_ARGS, K8S_POD_NAMESPACE=a=b",
        "CNI_ARGS, 'K8S_POD_UID=a\nb'"
    })
    void variableThatCantBeIsCode4ThatNamesIt(String variable, String value) {
        Answer answer = runtime.with(variable, value).call("ADD", network("1.0.0", ""));

        assertThat(answer.code()).isEqualTo(ErrorCode.ENVIRONMENT.code());
        assertThat(answer.message()).contains(variable);
        assertThat(answer.stderr()).isEmpty();
        assertThat(agent.requests()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({"CNI_CONTAINERID, ../c", "CNI_IFNAME, a/b"})
    void delOfAnAttachmentThatCantBeIsCode4(String variable, String value) {
        Answer answer = runtime.with(variable, value).call("DEL", network("1.0.0", ""));

        assertThat(answer.code()).isEqualTo(ErrorCode.ENVIRONMENT.code());
        assertThat(agent.requests()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"name\":\"n\"}                        | no cniVersion means",
                "{\"name\":\"n\",\"cniVersion\":\"\"}    | no cniVersion means",
                "{\"cniVersion\":\"0.2.0\"}              | asks for \"0.2.0\"",
                "{\"cniVersion\":\"1.2.0\"}              | asks for \"1.2.0\"",
                "{\"cniVersion\":\"v1.0.0\"}             | asks for \"v1.0.0\""
            })
    void versionThatWeDontSpeakIsCode1ThatNamesOurs(String network, String message) {
        for (String command : new String[] {"ADD", "DEL", "CHECK", "GC", "STATUS"}) {
            Answer answer = runtime.call(command, network);

            assertThat(answer.code()).isEqualTo(ErrorCode.INCOMPATIBLE_VERSION.code());
            assertThat(answer.message()).contains(message);
            assertThat(answer.details()).isEqualTo("supported are 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0");
            assertThat(answer.json().path("cniVersion").asText()).isEqualTo("1.1.0");
        }
        assertThat(agent.requests()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "   ",
                "{",
                "[]",
                "null",
                "\"ADD\"",
                "{\"cniVersion\":\"1.0.0\"} x",
                "{\"cniVersion\":\"1.0.0\"}{}",
                "{\"cniVersion\":\"1.0.0\",\"cniVersion\":\"1.1.0\"}",
                "{\"cniVersion\":1}",
                "{\"cniVersion\":null}",
                "{'cniVersion':'1.0.0'}",
                "{\"cniVersion\":\"1.0.0\",}",
                "{\"cniVersion\":\"1.0.0\",\"mtu\":NaN}"
            })
    void whatIsNoConfigurationIsCode6(String document) {
        for (String command : new String[] {"ADD", "DEL", "CHECK", "GC", "STATUS"}) {
            Answer answer = runtime.call(command, document);

            assertThat(answer.code()).isEqualTo(ErrorCode.DECODING.code());
        }
        assertThat(agent.requests()).isEmpty();
    }

    @Test
    void depthAndSizeHaveTheirLimits() {
        String deep = network("1.0.0", ",\"args\":" + "[".repeat(100_000) + "]".repeat(100_000));
        byte[] large = new byte[(1 << 20) + 1];
        Arrays.fill(large, (byte) ' ');
        System.arraycopy("{}".getBytes(StandardCharsets.UTF_8), 0, large, 0, 2);

        assertThat(runtime.call("ADD", deep).code()).isEqualTo(ErrorCode.DECODING.code());
        assertThat(runtime.call("ADD", large).message()).contains("more than 1048576 bytes");
        assertThat(agent.requests()).isEmpty();
    }

    @Test
    void invalidUtf8IsCode6() {
        byte[] document = network("1.0.0", ",\"mac\":\"?\"").getBytes(StandardCharsets.UTF_8);
        document[document.length - 3] = (byte) 0xff;

        assertThat(runtime.call("ADD", document).code()).isEqualTo(ErrorCode.DECODING.code());
        assertThat(agent.requests()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                ",\"sharedDir\":\"/a\\ud800\"",
                ",\"vlan\":7",
                ",\"Bridge\":\"br0\"",
                ",\"socket\\u0000\":\"x\"",
                ",\"mtu\":67",
                ",\"mtu\":1e3",
                ",\"mtu\":99999999999999999999",
                ",\"mac\":\"01:00:00:00:00:00\"",
                ",\"ipam\":[]",
                ",\"logLevel\":\"loud\"",
                ",\"dns\":{\"nameservers\":\"10.1.0.1\"}",
                ",\"runtimeConfig\":7"
            })
    void configurationThatCantBeFulfilledIsCode7(String member) {
        String network = member.contains("sharedDir")
                ? network("1.0.0", "").replace(",\"sharedDir\":\"/var/lib/cni/usrspcni\"", member)
                : network("1.0.0", member);

        Answer answer = runtime.call("ADD", network);

        assertThat(answer.code()).isEqualTo(ErrorCode.CONFIGURATION.code());
        assertThat(agent.requests()).isEmpty();
    }

    @Test
    void textThatIsHalfASurrogatePairReachesTheAgentWhereNobodyReadsIt() {
        assertThat(runtime.call("ADD", network("1.0.0", ",\"args\":{\"x\":\"\\ud800\"}"))
                        .status())
                .isZero();
    }

    @Test
    void unknownArgumentsAreSomebodyElses() {
        runtime.with("CNI_ARGS", "IP=10.1.0.5;MAC=02:00:00:00:00:01;IgnoreUnknown=0;MAC=02:00:00:00:00:02");

        assertThat(runtime.call("ADD", network("1.0.0", "")).status()).isZero();
        assertThat(agent.requests()).asString().contains("02:00:00:00:00:02").doesNotContain("02:00:00:00:00:01");
    }

    @Test
    void standardInputThatCantBeReadIsCode5() {
        InputStream closed = new InputStream() {
            @Override
            public int read() throws IOException {
                throw new IOException("Bad file descriptor");
            }
        };

        ByteArrayOutputStream stdout = new ByteArrayOutputStream();

        assertThat(run("DEL", closed, stdout)).isEqualTo(1);
        assertThat(json(stdout.toString(StandardCharsets.UTF_8)).path("code").asInt())
                .isEqualTo(ErrorCode.IO.code());
    }

    @Test
    void resultThatNobodyTakesIsAFailure() {
        OutputStream full = new OutputStream() {
            @Override
            public void write(int octet) throws IOException {
                throw new IOException("Broken pipe");
            }
        };

        assertThat(run("VERSION", new ByteArrayInputStream(new byte[0]), full)).isEqualTo(1);
    }

    private int run(String command, InputStream stdin, OutputStream stdout) {
        return new Plugin(folder.resolve("none.conf"), NodeConfiguration.DEFAULT, ContainerRuntime.IMPATIENT)
                .run(
                        Map.of("CNI_COMMAND", command, "CNI_CONTAINERID", "c1", "CNI_IFNAME", "net1"),
                        stdin,
                        stdout,
                        new PrintStream(new ByteArrayOutputStream(), true, StandardCharsets.UTF_8));
    }

    @Test
    void bugIsCode999WithItsClassAndWithoutATrace() {
        InputStream broken = new InputStream() {
            @Override
            public int read() {
                throw new UnsupportedOperationException("a bug");
            }
        };
        ByteArrayOutputStream stdout = new ByteArrayOutputStream();
        ByteArrayOutputStream stderr = new ByteArrayOutputStream();

        int status = new Plugin(folder, NodeConfiguration.DEFAULT, ContainerRuntime.IMPATIENT)
                .run(
                        Map.of("CNI_COMMAND", "DEL"),
                        broken,
                        stdout,
                        new PrintStream(stderr, true, StandardCharsets.UTF_8));

        assertThat(status).isEqualTo(1);
        assertThat(json(stdout.toString(StandardCharsets.UTF_8)).path("code").asInt())
                .isEqualTo(999);
        assertThat(stdout.toString(StandardCharsets.UTF_8)).contains("java.lang.UnsupportedOperationException: a bug");
        assertThat(stderr.size()).isZero();
    }

    @Test
    void nodeConfigurationMayBeElsewhere() throws IOException {
        Path elsewhere = Files.writeString(folder.resolve("elsewhere.conf"), "{\"verbose\": true}");

        Answer answer = runtime.with("OVS_DPDK_CONF", elsewhere.toString()).call("ADD", network("1.0.0", ""));

        assertThat(answer.code()).isEqualTo(ErrorCode.CONFIGURATION.code());
        assertThat(answer.message()).contains(elsewhere.toString(), "\"verbose\"", "true");
        assertThat(agent.requests()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"ADD", "CHECK", "GC", "STATUS"})
    void brokenNodeConfigurationStopsAllButDel(String command) throws IOException {
        runtime.node("\"agentWaitSeconds\": -1");

        Answer answer = runtime.call(command, network("1.1.0", ""));

        assertThat(answer.code()).isEqualTo(ErrorCode.CONFIGURATION.code());
        assertThat(agent.requests()).isEmpty();
    }
}
