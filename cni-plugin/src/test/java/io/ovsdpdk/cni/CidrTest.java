package io.ovsdpdk.cni;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class CidrTest {
    @ParameterizedTest
    @CsvSource({"10.1.0.5/16, 4", "0.0.0.0/0, 4", "fd00::5/64, 6", "::/0, 6", "FD00::1/128, 6"})
    void familyIsThatOfTheAddress(String text, String family) {
        assertThat(Cidr.of(text).family()).isEqualTo(family);
    }

    @Test
    void whatMeansTheSameIsEqual() {
        assertThat(Cidr.of("fd00:0:0::05/64")).isEqualTo(Cidr.of("FD00::5/64"));
        assertThat(Cidr.of("fd00::5/64")).isNotEqualTo(Cidr.of("fd00::5/65"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "10.1.0.5",
                "10.1.0/16",
                "10.1.0.256/16",
                "10.1.0.5/33",
                "10.1.0.5/-1",
                "10.1.0.5/16/1",
                "fd00::5",
                "fd00::5%eth0/64",
                "fd00:::5/64",
                "fd00::5/129",
                "localhost/8",
                "/8",
                ":/8",
                "10.1.0.5/1000"
            })
    void whatIsNoneIsRefused(String text) {
        assertThatIllegalArgumentException().isThrownBy(() -> Cidr.of(text));
    }
}
