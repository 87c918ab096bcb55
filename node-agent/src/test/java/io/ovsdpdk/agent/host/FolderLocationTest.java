package io.ovsdpdk.agent.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FolderLocationTest {

    @ParameterizedTest
    @ValueSource(strings = {"relative", "/", "/a/../b", "/a/./b", ""})
    void trustedRootIsAbsoluteAndPlain(String root) {
        assertThatIllegalArgumentException().isThrownBy(() -> new FolderLocation(Path.of(root), Path.of(""), "c"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"/absolute", "..", "../a", "a/../../b", "a/./b", "."})
    void nothingBelowLeadsUpwards(String below) {
        assertThatIllegalArgumentException().isThrownBy(() -> new FolderLocation(Path.of("/r"), Path.of(below), "c"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", ".", "..", "a/b", "a b", "a\n", "ü", "a\0"})
    void containerFolderIsOnePlainName(String name) {
        assertThatIllegalArgumentException().isThrownBy(() -> new FolderLocation(Path.of("/r"), Path.of(""), name));
    }

    @Test
    void emptyPathBelowHasNoComponents() {
        assertThat(new FolderLocation(Path.of("/r"), Path.of(""), "c").belowComponents())
                .isEmpty();
        assertThat(new FolderLocation(Path.of("/r"), Path.of("a/b"), "c").belowComponents())
                .containsExactly(Path.of("a"), Path.of("b"));
    }
}
