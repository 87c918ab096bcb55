package io.ovsdpdk.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MacAddressTest {
    @Test
    void lettersAreLowered() {
        assertThat(new MacAddress("02:AB:cd:EF:00:01")).hasToString("02:ab:cd:ef:00:01");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "02:00:00:00:00",
                "02:00:00:00:00:00:00",
                "02-00-00-00-00-01",
                "020000000001",
                "0g:00:00:00:00:01",
                "2:0:0:0:0:1",
                " 02:00:00:00:00:01",
                "02:00:00:00:00:01\n",
                "01:00:5e:00:00:01",
                "ff:ff:ff:ff:ff:ff",
                "00:00:00:00:00:00"
            })
    void whatNoInterfaceCanHaveIsRefused(String text) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new MacAddress(text))
                .withMessageContaining("MAC address");
    }

    @Test
    void derivedOneIsLocallyAdministeredUnicastAndAlwaysTheSame() {
        Set<MacAddress> seen = new HashSet<>();
        for (int i = 0; i < 500; i++) {
            AttachmentId id = new AttachmentId("c" + i, "net1");
            MacAddress derived = MacAddress.derived("fast", id);

            assertThat(Integer.parseInt(derived.text().substring(0, 2), 16) & 3).isEqualTo(2);
            assertThat(MacAddress.derived("fast", id)).isEqualTo(derived);
            seen.add(derived);
        }
        assertThat(seen).hasSize(500);
    }

    @Test
    void derivedOneDependsOnNetworkContainerAndInterface() {
        MacAddress derived = MacAddress.derived("fast", new AttachmentId("c1", "net1"));

        assertThat(derived)
                .isNotEqualTo(MacAddress.derived("slow", new AttachmentId("c1", "net1")))
                .isNotEqualTo(MacAddress.derived("fast", new AttachmentId("c2", "net1")))
                .isNotEqualTo(MacAddress.derived("fast", new AttachmentId("c1", "net2")));
    }
}
