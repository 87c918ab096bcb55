package io.ovsdpdk.kubevirt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ProtobufMessageTest {
    private static byte[] hex(String digits) {
        return HexFormat.of().parseHex(digits);
    }

    private static String text(byte[] message, int field) {
        return new String(ProtobufMessage.bytes(message, field), StandardCharsets.UTF_8);
    }

    @Test
    void fieldsAreFoundAmongOthersThatAreSkipped() {
        // 1: "a"; 5: varint 300; 6: eight bytes; 7: four bytes; 2: "bc"
        byte[] message = hex("0a0161" + "28ac02" + "310102030405060708" + "3d01020304" + "12026263");

        assertThat(text(message, 1)).isEqualTo("a");
        assertThat(text(message, 2)).isEqualTo("bc");
        assertThat(text(message, 3)).isEmpty();
    }

    @Test
    void lastOfSeveralCounts() {
        assertThat(text(hex("0a0161" + "0a0162"), 1)).isEqualTo("b");
    }

    @Test
    void whatIsWrittenIsReadAgain() {
        byte[] large = new byte[100_000];
        large[99_999] = 7;

        byte[] message = new ProtobufMessage.Builder()
                .bytes(1, large)
                .text(3, "ü")
                .bytes(20, new byte[0])
                .build();

        assertThat(ProtobufMessage.bytes(message, 1)).isEqualTo(large);
        assertThat(text(message, 3)).isEqualTo("ü");
        assertThat(message).startsWith(hex("0aa08d06"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"0a", "0a02", "0a0261", "0affffffff0f", "0affffffffffffffffff01", "80", "0b", "0c", "31", "3d01"
            })
    void brokenMessagesAreRefused(String digits) {
        assertThatThrownBy(() -> ProtobufMessage.bytes(hex(digits), 1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("broken message");
    }
}
