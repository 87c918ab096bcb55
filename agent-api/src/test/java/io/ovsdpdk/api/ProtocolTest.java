package io.ovsdpdk.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A plugin and an agent of different versions. The older one is here as lines that were recorded when its protocol was the
 * newest, in {@code protocol-1/}, and are never changed again: what it sends must be understood, and what it is sent must
 * hold all that it looks for. What came after the recording is left out: an older side has never heard of it.
 */
class ProtocolTest {

    static Stream<Arguments> recordedRequests() throws IOException {
        return pairs(
                WireTest.requests()
                        .filter(request -> !(request instanceof Request.CollectOrphans))
                        .toList(),
                "requests.jsonl");
    }

    static Stream<Arguments> recordedReplies() throws IOException {
        return pairs(
                Stream.concat(WireTest.replies(), Stream.of(WireTest.FAILED))
                        .filter(reply -> !(reply instanceof Reply.Orphans))
                        .toList(),
                "replies.jsonl");
    }

    /** Each value with the line that it was then. */
    private static Stream<Arguments> pairs(List<?> values, String file) throws IOException {
        List<String> lines = lines(file);
        assertThat(lines).hasSameSizeAs(values);
        return IntStream.range(0, lines.size()).mapToObj(i -> Arguments.of(values.get(i), lines.get(i)));
    }

    private static List<String> lines(String file) throws IOException {
        try (InputStream in = ProtocolTest.class.getResourceAsStream("/protocol-1/" + file)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8).lines().toList();
        }
    }

    private static byte[] bytes(String line) {
        return line.getBytes(StandardCharsets.UTF_8);
    }

    @ParameterizedTest
    @MethodSource("recordedRequests")
    void agentUnderstandsAnOlderPlugin(Request request, String line) throws CniException {
        assertThat(Wire.decodeRequest(bytes(line))).isEqualTo(request);
    }

    @ParameterizedTest
    @MethodSource("recordedRequests")
    void olderAgentFindsInARequestAllThatItLooksFor(Request request, String line) throws CniException {
        assertHolds(Wire.encode(request), line);
    }

    @ParameterizedTest
    @MethodSource("recordedReplies")
    void pluginUnderstandsAnOlderAgent(Reply reply, String line) throws CniException {
        Reply understood = Wire.decodeReply(bytes(line));

        if (reply instanceof Reply.Failed(CniException expected)
                && understood instanceof Reply.Failed(CniException failure)) {
            assertThat(failure).hasMessage(expected.getMessage());
            assertThat(failure.code()).isEqualTo(expected.code());
            assertThat(failure.details()).isEqualTo(expected.details());
        } else {
            assertThat(understood).isEqualTo(beforeOrphansWereCounted(reply));
        }
    }

    private static Reply beforeOrphansWereCounted(Reply reply) {
        return reply instanceof Reply.Inspected(NodeView now)
                ? new Reply.Inspected(new NodeView(
                        now.agentVersion(),
                        now.switchVersion(),
                        now.dpdkVersion(),
                        now.connected(),
                        now.ports(),
                        now.portLimit(),
                        now.attachments(),
                        0,
                        now.mounts(),
                        now.cluster(),
                        now.code(),
                        now.problem(),
                        now.remedy()))
                : reply;
    }

    @ParameterizedTest
    @MethodSource("recordedReplies")
    void olderPluginFindsInAReplyAllThatItLooksFor(Reply reply, String line) throws CniException {
        assertHolds(Wire.encode(reply), line);
    }

    private static void assertHolds(byte[] encoded, String line) throws CniException {
        assertHolds(Json.readObject("line", encoded), Json.readObject("recorded line", bytes(line)));
    }

    private static void assertHolds(JsonNode present, JsonNode recorded) {
        switch (recorded) {
            case ObjectNode object -> {
                assertThat(present.isObject()).as(present + " for " + recorded).isTrue();
                object.properties().stream()
                        // of which protocol it is, it may say
                        .filter(property -> !property.getKey().equals("protocol"))
                        .forEach(property -> assertHolds(present.path(property.getKey()), property.getValue()));
            }
            case ArrayNode list -> {
                // In any order: the valid attachments of a GC are a set
                assertThat(present).hasSameSizeAs(list);
                assertThat(list).allSatisfy(one -> assertThat(present).anySatisfy(other -> assertHolds(other, one)));
            }
            case JsonNode value -> assertThat(present).isEqualTo(value);
        }
    }

    @ParameterizedTest
    @MethodSource("recordedRequests")
    void newerPluginIsServedInWhatIsKnown(Request request, String line) throws CniException {
        assertThat(Wire.decodeRequest(bytes(later(line)))).isEqualTo(request);
    }

    @ParameterizedTest
    @MethodSource("recordedReplies")
    void newerAgentIsUnderstoodInWhatIsKnown(Reply reply, String line) throws CniException {
        assertThat(Wire.decodeReply(bytes(later(line)))).hasSameClassAs(reply);
    }

    /** With another number, and with keys that nobody knows yet. */
    private static String later(String line) {
        String unknown = "{\"protocol\":99,\"later\":{\"depth\":[7]},";
        return line.contains("\"protocol\":1,")
                ? line.replace("{\"protocol\":1,", unknown)
                : unknown + line.substring(1);
    }

    @Test
    void operationOfANewerPluginIsRefusedWithBothSidesNamedAndWhatToDo() {
        String line = "{\"protocol\":99,\"op\":\"migrate\",\"containerId\":\"c1\"}";
        CniException refused = catchThrowableOfType(CniException.class, () -> Wire.decodeRequest(bytes(line)));

        assertThat(refused.is(ErrorCode.DECODING)).isTrue();
        assertThat(refused).hasMessageContainingAll("agent (protocol 1)", "\"migrate\"", "plugin (protocol 99)");
        assertThat(refused.details()).contains("upgrade the agent");
    }

    @Test
    void replyOfANewerAgentIsRefusedWithBothSidesNamedAndWhatToDo() {
        CniException refused = catchThrowableOfType(
                CniException.class, () -> Wire.decodeReply(bytes("{\"protocol\":99,\"reply\":\"deferred\"}")));

        assertThat(refused.is(ErrorCode.DECODING)).isTrue();
        assertThat(refused).hasMessageContainingAll("plugin (protocol 1)", "\"deferred\"", "agent (protocol 99)");
        assertThat(refused.details()).contains("upgrade the plugin");
    }

    /** Without one it is of the first protocol, whose replies told none; a strange one harms nothing. */
    @Test
    void numberThatIsNoneIsNoReasonToRefuse() throws CniException {
        for (String number : List.of("", "\"protocol\":\"new\",", "\"protocol\":-1,", "\"protocol\":1e99,")) {
            assertThat(Wire.decodeRequest(bytes("{" + number + "\"op\":\"status\"}")))
                    .isEqualTo(new Request.Status());
            assertThat(Wire.decodeReply(bytes("{" + number + "\"reply\":\"done\"}")))
                    .isEqualTo(new Reply.Done());
        }
    }
}
