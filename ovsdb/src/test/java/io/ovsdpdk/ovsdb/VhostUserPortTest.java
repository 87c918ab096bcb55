package io.ovsdpdk.ovsdb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.Map;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class VhostUserPortTest {

    @Test
    void pathOf107BytesIsTaken() {
        String path = "/" + "x".repeat(106);

        assertThat(port(path, OptionalInt.of(68)).socketPath()).isEqualTo(path);
        assertThat(port(path, OptionalInt.of(9702)).mtu()).hasValue(9702);
    }

    @Test
    void pathIsMeasuredInBytes() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> port("/" + "ü".repeat(54), OptionalInt.empty()))
                .withMessageContaining("109");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "relative.sock", " /s"})
    void pathThatIsNotAbsoluteIsRefused(String path) {
        assertThatIllegalArgumentException().isThrownBy(() -> port(path, OptionalInt.empty()));
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, 0, 67, 9703})
    void mtuOutOfRangeIsRefused(int mtu) {
        assertThatIllegalArgumentException().isThrownBy(() -> port("/s", OptionalInt.of(mtu)));
    }

    private static VhostUserPort port(String path, OptionalInt mtu) {
        return new VhostUserPort("br0", "p", path, mtu, Map.of());
    }
}
