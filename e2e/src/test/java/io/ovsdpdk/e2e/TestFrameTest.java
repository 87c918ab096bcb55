package io.ovsdpdk.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.ovsdpdk.api.MacAddress;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class TestFrameTest {
    private static final TestFrame FRAME =
            new TestFrame(new MacAddress("02:00:00:00:00:0b"), new MacAddress("02:00:00:00:00:0a"), 7, 60);

    @Test
    void beginsWithAddressesAndExperimentalEthertype() {
        assertThat(FRAME.bytes())
                .hasSize(60)
                .startsWith(2, 0, 0, 0, 0, 0x0b, 2, 0, 0, 0, 0, 0x0a, 0x88, 0xb5, 0, 0, 0, 7);
    }

    @Test
    void isRecognised() {
        assertThat(TestFrame.recognise(FRAME.bytes())).contains(FRAME);
    }

    @Test
    void alteredOneIsNotRecognised() {
        byte[] bytes = FRAME.bytes();
        bytes[59]++;

        assertThat(TestFrame.recognise(bytes)).isEmpty();
    }

    @Test
    void otherTrafficIsNotRecognised() {
        byte[] multicast = new byte[60];
        multicast[0] = 0x33;
        multicast[12] = (byte) 0x86;
        multicast[13] = (byte) 0xdd;

        assertThat(TestFrame.recognise(multicast)).isEmpty();
    }

    @Test
    void frameToEverybodyIsNotRecognised() {
        byte[] broadcast = FRAME.bytes();
        Arrays.fill(broadcast, 0, 6, (byte) 0xff);

        assertThat(TestFrame.recognise(broadcast)).isEmpty();
    }

    @Test
    void impossibleLengthIsRefused() {
        assertThatThrownBy(() -> new TestFrame(FRAME.destination(), FRAME.source(), 0, 59))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
