package io.ovsdpdk.e2e;

import static io.ovsdpdk.e2e.Replies.added;
import static io.ovsdpdk.e2e.Replies.done;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.Reply;
import io.ovsdpdk.api.Wire;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Whatever stands in a request: the agent says what is wrong, with the right code, makes nothing, and serves the next
 * one. How a request comes is in {@link HostileClientTest}.
 */
@Tag("long")
class HostileRequestTest {
    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final int ENVIRONMENT = 4;
    private static final int DECODING = 6;
    private static final int CONFIGURATION = 7;
    private static final int BRIDGE_MISSING = 100;

    private static Node node;
    private static NodeState before;

    @BeforeAll
    static void startNode() throws IOException {
        node = Node.start();
        added(node.ask(node.add("first", "net1")));
        done(node.ask(node.delete("first", "net1")));
        before = NodeState.of(node);
    }

    @AfterAll
    static void stopNode() throws IOException {
        node.close();
    }

    @AfterEach
    void nothingHasChangedAndAgentServes() throws IOException {
        NodeState after = NodeState.of(node);
        done(node.ask(node.delete("c1", "net1"))); // what a failed test made must not fail the others
        assertThat(after).isEqualTo(before);
        added(node.ask(node.add("next", "net1")));
        done(node.ask(node.delete("next", "net1")));
        assertThat(node.remains()).isEmpty();
    }

    static Stream<Arguments> texts() {
        return Stream.of(
                Arguments.of("nothing", ""),
                Arguments.of("white space", " \t "),
                Arguments.of("null", "null"),
                Arguments.of("a number", "42"),
                Arguments.of("a text", "\"status\""),
                Arguments.of("an array", "[{\"op\":\"status\"}]"),
                Arguments.of("an empty object", "{}"),
                Arguments.of("half an object", "{\"op\":\"status\""),
                Arguments.of("two objects", "{\"op\":\"status\"}{\"op\":\"status\"}"),
                Arguments.of("no JSON", "ADD c1 net1"),
                Arguments.of("a comment", "{/**/\"op\":\"status\"}"),
                Arguments.of("an unquoted key", "{op:\"status\"}"),
                Arguments.of("a raw NUL", "{\"op\":\"sta\0tus\"}"),
                Arguments.of("a key twice", "{\"op\":\"status\",\"op\":\"status\"}"),
                Arguments.of("10,000 arrays in each other", "[".repeat(10_000) + "]".repeat(10_000)),
                Arguments.of("10,000 objects in each other", "{\"a\":".repeat(10_000) + "1" + "}".repeat(10_000)),
                Arguments.of("depth behind a good key", "{\"op\":\"status\",\"x\":" + "[".repeat(100_000)),
                Arguments.of("a number of 100,000 digits", "{\"op\":\"status\",\"x\":" + "9".repeat(100_000) + "}"),
                Arguments.of("a key of 100,000 letters", "{\"" + "k".repeat(100_000) + "\":1}"),
                Arguments.of("100,000 keys", keys(50_000)),
                Arguments.of("no op", "{\"protocol\":1}"),
                Arguments.of("an unknown op", "{\"op\":\"destroy\"}"),
                Arguments.of("an op in capitals", "{\"op\":\"STATUS\"}"),
                Arguments.of("a number as op", "{\"op\":1}"),
                Arguments.of("null as op", "{\"op\":null}"),
                Arguments.of("collect without network", "{\"op\":\"collect\",\"valid\":[]}"),
                Arguments.of("collect without valid", "{\"op\":\"collect\",\"network\":\"dpdk-net\"}"),
                Arguments.of("collect with texts", "{\"op\":\"collect\",\"network\":\"dpdk-net\",\"valid\":[\"c1\"]}"));
    }

    private static String keys(int count) {
        StringBuilder object = new StringBuilder("{");
        for (int i = 0; i < count; i++) {
            object.append("\"k").append(i).append("\":1,");
        }
        return object.append("\"op\":\"all of them\"}").toString();
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("texts")
    void textThatIsNoRequestIsRefused(String what, String text) throws Exception {
        assertThat(code(text.getBytes(StandardCharsets.UTF_8))).isEqualTo(DECODING);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4})
    void bytesThatAreNoTextAreRefused(int seed) throws Exception {
        byte[] garbage = new byte[4096];
        new Random(seed).nextBytes(garbage);
        for (int i = 0; i < garbage.length; i++) {
            garbage[i] = garbage[i] == '\n' ? 0 : garbage[i];
        }

        assertThat(code(garbage)).isEqualTo(DECODING);
    }

    @ParameterizedTest
    @ValueSource(strings = {"ff", "c0af", "80", "eda080", "f8888080"})
    void invalidUtf8IsRefused(String hex) throws Exception {
        String latin = new String(java.util.HexFormat.of().parseHex(hex), StandardCharsets.ISO_8859_1);
        String request = text(add()).replace("first-net", "n" + latin);

        assertThat(code(request.getBytes(StandardCharsets.ISO_8859_1))).isEqualTo(DECODING);
    }

    static Stream<Arguments> impossible() {
        String root = "ROOT";
        return Stream.of(
                of("/containerId", ENVIRONMENT, "", "../../etc", "..", ".", "a/b", "/", "-rf", "a b", "a\nb"),
                of("/containerId", ENVIRONMENT, "a\0b", "ä", "c1;reboot", "$(reboot)", "%s%n", "x".repeat(300)),
                of("/ifname", ENVIRONMENT, "", "a/b", "..", ".", "/etc", "sixteen-bytes-ab", "nétwork", "a\nb"),
                of("/ifname", ENVIRONMENT, "a b", "a:b", "\0", "é".repeat(8), "net1\u202e", "x".repeat(100_000)),
                of("/sandbox", ENVIRONMENT, "", "/run/netns/a\nb", "\0", "x".repeat(5000)),
                of("/pod/namespace", ENVIRONMENT, "a/b", "../x", "a b", "a\nb", "ü", "-x", "x\"y", "x".repeat(300)),
                of("/pod/name", ENVIRONMENT, "a/b", "../x", "a b", "a\nb", "ü", "-x", "x'y", "x".repeat(300)),
                of("/pod/uid", ENVIRONMENT, "../../x", "a\nb", "{}"),
                of("/mac", ENVIRONMENT, "zz", "02:00:00:00:00", "ff:ff:ff:ff:ff:ff", "02:00:00:00:00:0g"),
                of("/network/name", CONFIGURATION, "", "a/b", "..", "a\nb", "ü", "x".repeat(300)),
                of(
                        "/network/bridge",
                        CONFIGURATION,
                        "",
                        "br0\n",
                        "br0\0",
                        "br0 -- del-br br0",
                        "brücke",
                        "x".repeat(300)),
                of("/network/bridge", BRIDGE_MISSING, "br0\"", "'br0'", "--", "br0,br1", "${br0}", "[]", "BR0"),
                of("/network/sharedDir", CONFIGURATION, "", "/", "/etc", "/etc/cni", "relative", ".", "..", "~"),
                of("/network/sharedDir", CONFIGURATION, root + "/..", root + "/../shared", root + "/a/../../x"),
                of("/network/sharedDir", CONFIGURATION, root + "//", root + "//a", root + "/", root + "/./a"),
                of("/network/sharedDir", CONFIGURATION, root + "evil", root + "/\0", root + "/a\nb", "/" + root),
                of("/network/sharedDir", CONFIGURATION, root + "/" + "x".repeat(90), root + "/x".repeat(5000)),
                of("/network/mac", CONFIGURATION, "zz", "01:00:5e:00:00:01"),
                of("/network/logLevel", CONFIGURATION, "loud", ""));
    }

    private static Arguments of(String field, int code, String... values) {
        return Arguments.of(field, code, List.of(values));
    }

    /** {@code ROOT} stands for the folder that the agent allows. */
    @ParameterizedTest(name = "{0} {index}")
    @MethodSource("impossible")
    void valueThatCannotBeIsRefused(String field, int code, List<String> values) throws Exception {
        for (String value : values) {
            ObjectNode request = add();
            parent(request, field)
                    .put(key(field), value.replace("ROOT", node.sharedRoot().toString()));
            assertThat(code(request)).as(value).isEqualTo(code);
        }
    }

    static Stream<Arguments> wrongTypes() {
        Map<String, Integer> fields = Map.ofEntries(
                Map.entry("/op", DECODING),
                Map.entry("/containerId", DECODING),
                Map.entry("/ifname", DECODING),
                Map.entry("/sandbox", DECODING),
                Map.entry("/pod", DECODING),
                Map.entry("/pod/namespace", DECODING),
                Map.entry("/pod/name", DECODING),
                Map.entry("/pod/uid", DECODING),
                Map.entry("/network", DECODING),
                Map.entry("/ipam", DECODING),
                Map.entry("/timeoutMillis", DECODING),
                Map.entry("/network/name", CONFIGURATION),
                Map.entry("/network/bridge", CONFIGURATION),
                Map.entry("/network/sharedDir", CONFIGURATION));
        return fields.entrySet().stream().map(entry -> Arguments.of(entry.getKey(), entry.getValue()));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("wrongTypes")
    void fieldThatIsMissingOrOfAnotherTypeIsRefused(String field, int code) throws Exception {
        for (String value : List.of("null", "true", "[]", "[\"x\"]", "1.5", "-0", "1e300")) {
            ObjectNode request = add();
            parent(request, field).set(key(field), json(value));
            assertThat(code(request)).as(value).isEqualTo(code);
        }
        ObjectNode without = add();
        parent(without, field).remove(key(field));
        assertThat(code(without)).as("nothing").isEqualTo(code);
    }

    @ParameterizedTest
    @ValueSource(strings = {"0", "-1", "300001", "2147483648", "1e9", "0.5", "\"10\"", "18446744073709551616"})
    void timeoutThatCannotBeIsRefused(String timeout) throws Exception {
        ObjectNode request = add();

        request.set("timeoutMillis", json(timeout));

        assertThat(code(request)).isEqualTo(DECODING);
    }

    @ParameterizedTest
    @ValueSource(strings = {"67", "9703", "-1", "2147483648", "1e30", "1500.5", "\"1500\"", "null", "[1500]"})
    void mtuThatCannotBeIsRefused(String mtu) throws Exception {
        ObjectNode request = add();

        parent(request, "/network/mtu").set("mtu", json(mtu));

        assertThat(code(request)).isEqualTo(CONFIGURATION);
    }

    @ParameterizedTest
    @ValueSource(strings = {"bridg", "", "Bridge", "vlan\n", "__proto__", "\0", "cni.dev"})
    void unknownKeyOfNetworkIsRefused(String key) throws Exception {
        ObjectNode request = add();

        parent(request, "/network/x").put(key, "x");

        assertThat(code(request)).isEqualTo(CONFIGURATION);
    }

    /** {@code \}{@code ud800}: JSON can say it, no other text can. */
    @Test
    void halfOfSurrogatePairIsRefusedInEveryText() throws Exception {
        for (String field : usedTexts()) {
            ObjectNode request = add();
            parent(request, field).put(key(field), "HALF");
            assertThat(code(text(request).replace("HALF", "x\\ud800x").getBytes(StandardCharsets.UTF_8)))
                    .as(field)
                    .isIn(ENVIRONMENT, DECODING, CONFIGURATION);
        }
    }

    @Test
    void nulIsRefusedInEveryText() throws Exception {
        for (String field : usedTexts()) {
            ObjectNode request = add();
            ObjectNode parent = parent(request, field);
            parent.put(key(field), parent.path(key(field)).asText() + "\0");
            assertThat(code(request)).as(field).isIn(ENVIRONMENT, DECODING, CONFIGURATION);
        }
    }

    @Test
    void foreignTextStaysInItsLineOfTheLog() throws Exception {
        ObjectNode request = Json.object().put("op", "collect").put("network", "x\n2026-01-01T00:00:00Z ERROR forged");
        request.putArray("valid")
                .addObject()
                .put("containerId", "a\nERROR forged")
                .put("ifname", "net1");

        assertThat(code(request)).isEqualTo(ENVIRONMENT);

        assertThat(node.agentLog()
                        .lines()
                        .filter(line -> !line.matches("\\d{4}-\\d\\d-\\d\\dT\\S+Z (INFO |WARN ) \\w+: .*")))
                .isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"a\"b\\c'd", "$(x)`y`", "-rf", "%s%n", "a=b,c;d", "[set,{}]", "...", "~"})
    void strangeNameThatCanBeIsServed(String ifname) throws Exception {
        added(node.ask(node.add("c1", ifname)));

        assertThat(node.attachedContainers()).containsExactly("c1");
        done(node.ask(node.delete("c1", ifname)));
    }

    /** What an IPAM plugin answered is kept and given back, never looked into. */
    @Test
    void answerOfIpamMayBeAnyJson() throws Exception {
        String ipam =
                "{\"a\":\"\\ud800\",\"\\u0000\":\"\\u0000\",\"b\":[[[[[[[[[[[[]]]]]]]]]]]],\"c\":1234567890.5e300}";
        String request = text(add()).replace("\"ipam\":{}", "\"ipam\":" + ipam);
        try (RawClient client = RawClient.connect(node.agentSocket())) {
            String answer = client.send(request).send("\n").answer(PATIENCE);

            assertThat(Wire.decodeReply(answer.getBytes(StandardCharsets.UTF_8)))
                    .isInstanceOf(Reply.Added.class);
        }
        node.killAgent();
        node.startAgent();
        done(node.ask(node.delete("c1", "net1")));
    }

    private static ObjectNode add() {
        return read(Wire.encode(node.add("c1", "net1", node.network("1.1.0", "first-net"), Duration.ofSeconds(10))))
                .put("mac", "02:00:00:00:00:01");
    }

    private static ObjectNode read(byte[] json) {
        try {
            return Json.readObject("request", json);
        } catch (CniException e) {
            throw new IllegalStateException("the test's own JSON", e);
        }
    }

    private static JsonNode json(String value) {
        return read(("{\"v\":" + value + "}").getBytes(StandardCharsets.UTF_8)).get("v");
    }

    private static String text(ObjectNode request) {
        return new String(Json.write(request), StandardCharsets.UTF_8);
    }

    private static ObjectNode parent(ObjectNode request, String field) {
        return (ObjectNode) request.at(field.substring(0, field.lastIndexOf('/')));
    }

    private static String key(String field) {
        return field.substring(field.lastIndexOf('/') + 1);
    }

    /** What the agent makes no use of may be anything: the plugin answers for it. */
    private static List<String> usedTexts() {
        List<String> fields = textFields(add(), "");
        assertThat(fields).contains("/network/cniVersion", "/network/type", "/pod/uid");
        fields.removeAll(List.of("/network/cniVersion", "/network/type"));
        return fields;
    }

    private static List<String> textFields(ObjectNode node, String path) {
        List<String> fields = new ArrayList<>();
        for (Map.Entry<String, JsonNode> field : node.properties()) {
            String name = path + "/" + field.getKey();
            if (field.getValue() instanceof ObjectNode object) {
                fields.addAll(textFields(object, name));
            } else if (field.getValue().isTextual()) {
                fields.add(name);
            }
        }
        return fields;
    }

    private static int code(ObjectNode request) throws Exception {
        return code(Json.write(request));
    }

    /** The code of the error that the agent answers a line with. */
    private static int code(byte[] line) throws Exception {
        try (RawClient client = RawClient.connect(node.agentSocket())) {
            String answer = client.send(line).send("\n").answer(PATIENCE);
            assertThat(answer).endsWith("\n");
            Reply reply = Wire.decodeReply(answer.getBytes(StandardCharsets.UTF_8));
            assertThat(reply).isInstanceOf(Reply.Failed.class);
            assertThat(((Reply.Failed) reply).error().getMessage()).isNotBlank().hasSizeLessThan(1000);
            return ((Reply.Failed) reply).error().code();
        }
    }
}
