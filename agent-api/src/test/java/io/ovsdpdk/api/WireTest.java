package io.ovsdpdk.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class WireTest {
    private static final AttachmentId ID = new AttachmentId("c1", "net1");
    private static final MacAddress MAC = new MacAddress("02:00:00:00:00:01");

    static final Reply FAILED = new Reply.Failed(new CniException(123, "a \"message\"", "some\ndetails"));

    private static AttachmentRequest attachment(Optional<MacAddress> mac) {
        return new AttachmentRequest(
                ID,
                "/run/netns/p1",
                new PodIdentity("default", "p1", ""),
                mac,
                Json.object().put("name", "fast\n\u00fc"));
    }

    static Stream<Request> requests() {
        return Stream.of(
                new Request.Announce(attachment(Optional.of(MAC)), Duration.ofSeconds(10)),
                new Request.Add(
                        attachment(Optional.empty()),
                        Json.object().set("ips", Json.array().add(1)),
                        Duration.ofMillis(1)),
                new Request.Add(attachment(Optional.of(MAC)), Json.object(), Request.MAX_TIMEOUT),
                new Request.Delete(ID),
                new Request.Check(attachment(Optional.of(MAC))),
                new Request.Collect("fast", Set.of()),
                new Request.Collect("fast", Set.of(ID, new AttachmentId("c2", "net1"))),
                new Request.CollectOrphans(Request.CollectOrphans.Removal.NONE),
                new Request.CollectOrphans(Request.CollectOrphans.Removal.DUE),
                new Request.CollectOrphans(Request.CollectOrphans.Removal.ALL),
                new Request.Status(),
                new Request.Ready(),
                new Request.List(),
                new Request.Inspect());
    }

    static Stream<Reply> replies() {
        Attached attached =
                new Attached("net1", "/run/netns/p1", MAC, OptionalInt.of(9000), "/x/net1.sock", Json.object());
        Attached without = new Attached(
                "net1",
                "/run/netns/p1",
                MAC,
                OptionalInt.empty(),
                "/x/net1.sock",
                Json.object().put("a", 1));
        return Stream.of(
                new Reply.Announced(Optional.empty()),
                new Reply.Announced(Optional.of(attached)),
                new Reply.Added(attached),
                new Reply.Added(without),
                new Reply.Done(),
                new Reply.Listed(List.of()),
                new Reply.Listed(List.of(
                        new AttachmentView(
                                ID,
                                PodIdentity.NONE,
                                "fast",
                                "br0",
                                "vhu1",
                                MAC,
                                OptionalInt.of(1500),
                                "/x",
                                "/y",
                                "made",
                                "up",
                                ""),
                        new AttachmentView(
                                ID,
                                new PodIdentity("default", "p1", "u1"),
                                "fast",
                                "br0",
                                "vhu1",
                                MAC,
                                OptionalInt.empty(),
                                "/x",
                                "/y",
                                "removing",
                                "",
                                "could not"))),
                new Reply.Orphans(new OrphanReport(List.of(), 300, "the API server is away")),
                new Reply.Orphans(new OrphanReport(
                        Stream.of(OrphanView.State.values())
                                .map(state -> new OrphanView(
                                        "vhu1",
                                        new PodIdentity("default", "pod", "uid"),
                                        "c1",
                                        "net1",
                                        "/run/p/1",
                                        1,
                                        2,
                                        state,
                                        "why"))
                                .toList(),
                        300,
                        "")),
                new Reply.Inspected(
                        new NodeView("1", "3.1", "", true, 3, 1024, 2, 4, "full", Optional.empty(), 50, "off", "on")),
                new Reply.Inspected(new NodeView(
                        "1",
                        "3.1",
                        "",
                        true,
                        3,
                        1024,
                        2,
                        4,
                        "full",
                        Optional.of(new NodeView.Cluster("node-a", 7, true, false)),
                        0,
                        "",
                        "")));
    }

    @ParameterizedTest
    @MethodSource("requests")
    void requestComesBackAsItWas(Request request) throws CniException {
        assertThat(Wire.decodeRequest(Wire.encode(request))).isEqualTo(request);
    }

    @ParameterizedTest
    @MethodSource("replies")
    void replyComesBackAsItWas(Reply reply) throws CniException {
        assertThat(Wire.decodeReply(Wire.encode(reply))).isEqualTo(reply);
    }

    @Test
    void nodeOfAnAgentThatKnowsNoOrphansHasNone() throws CniException {
        NodeView node = new NodeView("1", "", "", true, 3, 1024, 2, 4, "full", Optional.empty(), 0, "", "");
        String line = new String(Wire.encode(new Reply.Inspected(node)), StandardCharsets.UTF_8);

        Reply older = Wire.decodeReply(line.replace("\"orphans\":4,", "").getBytes(StandardCharsets.UTF_8));

        assertThat(((Reply.Inspected) older).node().orphans()).isZero();
    }

    @Test
    void failureComesBackWithCodeMessageAndDetails() throws CniException {
        Reply.Failed failed = (Reply.Failed) Wire.decodeReply(Wire.encode(FAILED));

        assertThat(failed.error().code()).isEqualTo(123);
        assertThat(failed.error()).hasMessage("a \"message\"");
        assertThat(failed.error().details()).isEqualTo("some\ndetails");
    }

    @ParameterizedTest
    @MethodSource("requests")
    void requestIsOneLine(Request request) {
        String line = new String(Wire.encode(request), StandardCharsets.UTF_8);

        assertThat(line).endsWith("}\n");
        assertThat(line.indexOf('\n')).isEqualTo(line.length() - 1);
        assertThat(line).contains("\"protocol\":1");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "6 | ''",
                "6 | []",
                "6 | {}",
                "6 | {\"op\":7}",
                "6 | {\"op\":\"destroy\"}",
                "6 | {\"op\":\"collect-orphans\"}",
                "6 | {\"op\":\"collect-orphans\",\"removal\":\"some\"}",
                "6 | {\"op\":\"delete\"}",
                "6 | {\"op\":\"delete\",\"containerId\":\"c1\"}",
                "4 | {\"op\":\"delete\",\"containerId\":\"../c\",\"ifname\":\"net1\"}",
                "4 | {\"op\":\"delete\",\"containerId\":\"c1\",\"ifname\":\"a/b\"}",
                "6 | {\"op\":\"collect\",\"network\":\"n\"}",
                "6 | {\"op\":\"collect\",\"network\":\"n\",\"valid\":{}}",
                "6 | {\"op\":\"collect\",\"network\":\"n\",\"valid\":[7]}",
                "4 | {\"op\":\"collect\",\"network\":\"n\",\"valid\":[{\"containerId\":\"\",\"ifname\":\"a\"}]}",
                "6 | {\"op\":\"check\",\"containerId\":\"c1\",\"ifname\":\"net1\"}",
                "6 | {\"op\":\"status\"}{\"op\":\"status\"}",
                "6 | {\"op\":\"status\",\"op\":\"status\"}"
            })
    void requestThatIsNoneIsRefused(int code, String line) {
        CniException refused = catchThrowableOfType(
                CniException.class, () -> Wire.decodeRequest(line.getBytes(StandardCharsets.UTF_8)));

        assertThat(refused.code()).isEqualTo(code);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "6 | \"timeoutMillis\":10 | \"timeoutMillis\":0",
                "6 | \"timeoutMillis\":10 | \"timeoutMillis\":300001",
                "6 | \"timeoutMillis\":10 | \"timeoutMillis\":\"10\"",
                "6 | \"ipam\":{} | \"ipam\":[]",
                "6 | \"network\":{ | \"network\":7,\"other\":{",
                "6 | \"pod\":{ | \"pod\":7,\"other\":{",
                "4 | \"sandbox\":\"/run/netns/p1\" | \"sandbox\":\"\"",
                "4 | \"name\":\"p1\" | \"name\":\"p 1\"",
                "4 | \"mac\":\"02: | \"mac\":\"01:",
                "6 | \"mac\":\"02:00:00:00:00:01\" | \"mac\":7"
            })
    void partThatCantBeIsRefused(int code, String from, String to) {
        String line = new String(
                Wire.encode(new Request.Add(attachment(Optional.of(MAC)), Json.object(), Duration.ofMillis(10))),
                StandardCharsets.UTF_8);
        assertThat(line).contains(from);

        CniException refused = catchThrowableOfType(
                CniException.class,
                () -> Wire.decodeRequest(line.replace(from, to).getBytes(StandardCharsets.UTF_8)));

        assertThat(refused.code()).isEqualTo(code);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                "{\"reply\":\"maybe\"}",
                "{\"reply\":\"added\"}",
                "{\"reply\":\"announced\",\"attached\":7}",
                "{\"reply\":\"failed\",\"code\":7,\"msg\":\"m\"}",
                "{\"reply\":\"failed\",\"code\":7.5,\"msg\":\"m\",\"details\":\"\"}",
                "{\"reply\":\"added\",\"attached\":{\"ifname\":\"a\",\"sandbox\":\"b\",\"mac\":\"c\",\"socketPath\":\"d\","
                        + "\"ipam\":{}}}",
                "{\"reply\":\"added\",\"attached\":{\"ifname\":\"a\",\"sandbox\":\"b\",\"mac\":\"02:00:00:00:00:01\","
                        + "\"mtu\":\"1500\",\"socketPath\":\"d\",\"ipam\":{}}}"
            })
    void replyThatIsNoneIsRefused(String line) {
        CniException refused =
                catchThrowableOfType(CniException.class, () -> Wire.decodeReply(line.getBytes(StandardCharsets.UTF_8)));

        assertThat(refused.is(ErrorCode.DECODING)).isTrue();
    }
}
