package io.ovsdpdk.agent.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FileNameTest {

    @ParameterizedTest
    @ValueSource(strings = {"", ".", "..", "a/b", "/", "a\0", "\u0100"})
    void whatCanNotBeAnEntryIsRefused(String bytes) {
        assertThatIllegalArgumentException().isThrownBy(() -> new FileName(bytes));
    }

    @Test
    void lengthIsCountedInBytes() {
        assertThat(FileName.of("ü".repeat(127)).bytes()).hasSize(254);
        assertThatIllegalArgumentException().isThrownBy(() -> FileName.of("ü".repeat(128)));
    }

    @Test
    void peoplesNamesAreUtf8() {
        assertThat(FileName.of("ü").bytes()).isEqualTo("\u00c3\u00bc");
    }

    @Test
    void shownWithoutAnythingThatCouldForgeALog() {
        assertThat(new FileName("a\nERROR \u001b[31m\u00ff\\")).hasToString("a\\x0aERROR \\x1b[31m\\xff\\x5c");
    }
}
