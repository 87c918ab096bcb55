package io.ovsdpdk.api;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

/** Bytes of strangers are understood or refused by a {@link CniException}, and nothing else; what was said comes back. */
class HostileBytesPropertyTest {

    private static final List<String> LINES = Stream.concat(
                    WireTest.requests().map(Wire::encode), WireTest.replies().map(Wire::encode))
            .map(line -> new String(line, StandardCharsets.UTF_8))
            .toList();

    @Property(tries = 2000)
    void anyBytesAreReadOrRefused(@ForAll byte[] bytes) {
        readOrRefuse(bytes);
    }

    @Property(tries = 5000)
    void damagedLineIsReadOrRefused(@ForAll("damagedLines") byte[] line) {
        readOrRefuse(line);
    }

    /** Any other exception than {@link CniException} ends the test. */
    private static void readOrRefuse(byte[] bytes) {
        refusalOf(() -> Wire.decodeRequest(bytes));
        refusalOf(() -> Wire.decodeReply(bytes));
        refusalOf(() -> NetworkConfiguration.of(Json.readObject("test data", bytes)));
    }

    private interface Reading {
        Object read() throws CniException;
    }

    private static void refusalOf(Reading reading) {
        try {
            assertThat(reading.read()).isNotNull();
        } catch (CniException e) {
            assertThat(e.getMessage()).isNotBlank();
            assertThat(e.getMessage().chars().filter(Character::isISOControl).count())
                    .as(e.getMessage())
                    .isZero();
        }
    }

    @Property(tries = 1000)
    void requestOfAnyTextComesBackAsItWas(
            @ForAll("names") String name, @ForAll("names") String sandbox, @ForAll("networks") ObjectNode network)
            throws CniException {
        AttachmentRequest attachment = new AttachmentRequest(
                new AttachmentId(name, "net1"),
                "/run/" + sandbox,
                new PodIdentity("default", "p1", name),
                Optional.empty(),
                network);
        Request request = new Request.Add(attachment, network, Duration.ofMillis(1));

        assertThat(Wire.decodeRequest(Wire.encode(request))).isEqualTo(request);
    }

    @Property(tries = 1000)
    void failureOfAnyTextComesBackAsItWas(@ForAll int code, @ForAll("texts") String message) throws CniException {
        Reply.Failed failed = (Reply.Failed)
                Wire.decodeReply(Wire.encode(new Reply.Failed(new CniException(code, message, message))));

        assertThat(failed.error().code()).isEqualTo(code);
        assertThat(failed.error()).hasMessage(message);
        assertThat(failed.error().details()).isEqualTo(message);
    }

    /** With a piece cut out, and something else in its place. */
    @Provide
    static Arbitrary<byte[]> damagedLines() {
        Arbitrary<String> pieces = Arbitraries.oneOf(
                Arbitraries.of(
                        "null",
                        "{}",
                        "[]",
                        "-1",
                        "1e999",
                        "99999999999999999999",
                        "true",
                        "\"\"",
                        "\\u0000",
                        "\\ud800"),
                Arbitraries.of("\"", "{", "}", "[", "]", ",", ":", "\n", "\u0000", "\\"),
                Arbitraries.strings().ofMaxLength(5));
        return Combinators.combine(
                        Arbitraries.of(LINES),
                        Arbitraries.doubles().between(0, 1),
                        Arbitraries.integers().between(0, 30),
                        pieces)
                .as((line, place, length, piece) -> {
                    int from = (int) (place * line.length());
                    int to = Math.min(line.length(), from + length);
                    return (line.substring(0, from) + piece + line.substring(to)).getBytes(StandardCharsets.UTF_8);
                });
    }

    @Provide
    static Arbitrary<String> names() {
        return Arbitraries.strings()
                .withCharRange('a', 'z')
                .withCharRange('0', '9')
                .ofMinLength(1)
                .ofMaxLength(64);
    }

    /** All that UTF-8 can hold: no half of a surrogate pair. */
    @Provide
    static Arbitrary<String> texts() {
        return Arbitraries.strings()
                .filter(text -> text.equals(new String(text.getBytes(StandardCharsets.UTF_8), StandardCharsets.UTF_8)));
    }

    @Provide
    static Arbitrary<ObjectNode> networks() {
        return Arbitraries.maps(texts(), texts()).ofMaxSize(4).map(members -> {
            ObjectNode network = Json.object();
            members.forEach(network::put);
            return network;
        });
    }
}
