package io.ovsdpdk.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class JsonTest {
    private static CniException refused(byte[] document) {
        return catchThrowableOfType(CniException.class, () -> Json.readObject("document", document));
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "''             | is empty",
                "'  '           | is empty",
                "[]             | is a JSON array",
                "7              | is a JSON number",
                "null           | is a JSON null",
                "{              | is not valid JSON",
                "{} {}          | is not valid JSON",
                "{\"a\":1,\"a\":2} | Duplicate field 'a'",
                "{\"a\":01}     | is not valid JSON",
                "{\"a\":Infinity} | is not valid JSON",
                "{a:1}          | is not valid JSON",
                "{\"a\":1} //   | is not valid JSON"
            })
    void whatIsNoObjectIsRefused(String document, String message) {
        CniException refused = refused(bytes(document));

        assertThat(refused.is(ErrorCode.DECODING)).isTrue();
        assertThat(refused).hasMessageContaining(message);
    }

    @Test
    void duplicateKeysAreFoundAtAnyDepth() {
        assertThat(refused(bytes("{\"a\":[{\"b\":{\"c\":1,\"c\":1}}]}"))).isNotNull();
    }

    @Test
    void depthIsLimited() throws CniException {
        assertThat(Json.readObject("document", bytes("{\"a\":" + "[".repeat(63) + "]".repeat(63) + "}")))
                .hasSize(1);
        assertThat(refused(bytes("{\"a\":" + "[".repeat(64) + "]".repeat(64) + "}")))
                .isNotNull();
        assertThat(refused(bytes("[".repeat(500_000)))).isNotNull();
    }

    @Test
    void sizeIsLimited() throws CniException {
        byte[] document = new byte[Json.MAX_BYTES];
        Arrays.fill(document, (byte) ' ');
        document[0] = '{';
        document[1] = '}';

        assertThat(Json.readObject("document", document)).isEmpty();
        assertThat(refused(Arrays.copyOf(document, document.length + 1))).hasMessageContaining("more than 1048576");
    }

    /** A start byte without its second, an overlong slash, half a surrogate pair, nothing that exists. */
    @ParameterizedTest
    @ValueSource(strings = {"c3", "c0af", "eda080", "ff"})
    void invalidUtf8IsRefused(String hex) {
        String letters = new String(HexFormat.of().parseHex(hex), StandardCharsets.ISO_8859_1);

        byte[] document = ("{\"a\":\"" + letters + "\"}").getBytes(StandardCharsets.ISO_8859_1);

        assertThat(refused(document).is(ErrorCode.DECODING)).isTrue();
    }

    @Test
    void halfASurrogatePairCanBeWrittenAgain() throws CniException {
        ObjectNode read = Json.readObject("document", bytes("{\"a\":\"\\ud800\"}"));

        assertThat(Json.readObject("document", Json.write(read))).isEqualTo(read);
    }

    @Test
    void canonicalFormOrdersKeysAndNothingElse() throws CniException {
        ObjectNode read = Json.readObject("document", bytes("{\"b\":[{\"d\":1,\"c\":2},3],\"a\":null}"));

        assertThat(Json.canonical(read)).hasToString("{\"a\":null,\"b\":[{\"c\":2,\"d\":1},3]}");
    }

    @Test
    void quotedTextIsShortAndVisible() {
        assertThat(Quoted.of("a\nb\u0000\ud800")).isEqualTo("\"a\\u000ab\\u0000\\ud800\"");
        assertThat(Quoted.of("x".repeat(121))).isEqualTo("\"" + "x".repeat(120) + "…\"");
    }
}
