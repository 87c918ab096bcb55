package io.ovsdpdk.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.ovsdpdk.agent.host.FolderLocation;
import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SharedRootsTest {
    private static final AttachmentId ID = new AttachmentId("0123456789abcdef", "net1");

    private final SharedRoots roots = new SharedRoots(List.of(Path.of("/srv/a"), Path.of("/srv/b/c")));

    @ParameterizedTest
    @ValueSource(strings = {"", "relative", "/", "/srv/../etc", "/srv/./a"})
    void rootThatIsNoPlainAbsolutePathIsRefused(String root) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new SharedRoots(List.of(Path.of(root))))
                .withMessageContaining("absolute path below /");
    }

    @Test
    void rootItselfAndFoldersBelowAreAllowed() throws Exception {
        assertThat(roots.place(Path.of("/srv/a"), ID))
                .isEqualTo(new FolderLocation(Path.of("/srv/a"), Path.of(""), "0123456789ab"));
        assertThat(roots.place(Path.of("/srv/b/c/d/e"), ID))
                .isEqualTo(new FolderLocation(Path.of("/srv/b/c"), Path.of("d/e"), "0123456789ab"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"/srv", "/srv/ab", "/srv/b", "/etc", "/"})
    void otherFoldersAreRefused(String folder) {
        assertThatExceptionOfType(CniException.class)
                .isThrownBy(() -> roots.place(Path.of(folder), ID))
                .withMessageContaining(folder)
                .satisfies(e -> assertThat(e.code()).isEqualTo(ErrorCode.CONFIGURATION.code()))
                .satisfies(e -> assertThat(e.details()).contains("/srv/a, /srv/b/c", "--shared-dir-root"));
    }

    @Test
    void wayOutThroughTheRootIsImpossible() {
        assertThatIllegalArgumentException().isThrownBy(() -> roots.place(Path.of("/srv/a/../../etc"), ID));
    }

    @Test
    void rootIsNoPodsFolder() {
        SharedRoots nested = new SharedRoots(List.of(Path.of("/srv/a"), Path.of("/srv/a/b/c")));

        for (String folder : List.of("/srv/a", "/srv/a/b", "/srv/a/b/c", "/srv", "/srv/b")) {
            assertThat(nested.properlyAbove(Path.of(folder))).as(folder).isEmpty();
        }
        assertThat(nested.properlyAbove(Path.of("/srv/a/d"))).contains(Path.of("/srv/a"));
    }

    @Test
    void shortContainerIdNamesItsFolderWhole() throws Exception {
        assertThat(roots.place(Path.of("/srv/a"), new AttachmentId("pod1", "net1"))
                        .name())
                .isEqualTo("pod1");
    }
}
