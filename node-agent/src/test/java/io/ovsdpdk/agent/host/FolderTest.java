package io.ovsdpdk.agent.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.UserDefinedFileAttributeView;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FolderTest {

    private final LinuxCalls calls = new LinuxCalls();
    private Sandbox sandbox;
    private Folder folder;

    @BeforeEach
    void open() throws IOException {
        sandbox = new Sandbox();
        folder = Folder.open(calls, sandbox.path);
    }

    @AfterEach
    void close() throws IOException {
        folder.close();
        sandbox.close();
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 022, 077, 0777})
    void childHasExactlyTheModeAndOwnerWhateverTheUmask(int umask) throws IOException {
        try (var _ = new Umask(umask);
                Folder child = make("c", 0775, 107, 108)) {
            assertThat(child.status().permissions()).isEqualTo(0775);
        }

        assertThat(Sandbox.modeAndOwner(sandbox.path.resolve("c"))).isEqualTo("0775 107:108");
    }

    @Test
    void childOfAFolderWithSetGroupIdHasExactlyTheModeAndGroup() throws IOException {
        Sandbox.run("chmod", "2777", sandbox.folder("p").toString());
        Sandbox.run("chgrp", "99", sandbox.path.resolve("p").toString());

        try (Folder parent = folder.openChild(FileName.of("p"), Folder.Mounts.REFUSED)) {
            parent.makeChild(FileName.of("c"), 0711, 0, 0, Folder.Mounts.REFUSED)
                    .folder()
                    .close();
        }

        assertThat(Sandbox.modeAndOwner(sandbox.path.resolve("p/c"))).isEqualTo("0711 0:0");
    }

    @Test
    void childThatIsThereIsLeftAsItIs() throws IOException {
        Sandbox.run("chmod", "0750", sandbox.folder("c").toString());

        Folder.Child child = folder.makeChild(FileName.of("c"), 0777, 1, 1, Folder.Mounts.REFUSED);
        child.folder().close();

        assertThat(child.created()).isFalse();
        assertThat(Sandbox.modeAndOwner(sandbox.path.resolve("c"))).isEqualTo("0750 0:0");
    }

    @Test
    void linkInsteadOfAChildIsRefused() throws IOException {
        Sandbox.Canary canary = sandbox.canary();
        Files.createSymbolicLink(sandbox.path.resolve("c"), canary.path());

        assertThatExceptionOfType(LinuxException.class)
                .isThrownBy(() -> make("c", 0777, 0, 0))
                .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.ELOOP));

        canary.isUntouched();
    }

    @Test
    void linkToNowhereInsteadOfAChildIsRefusedAndNothingMadeBehindIt() throws IOException {
        Files.createSymbolicLink(sandbox.path.resolve("c"), sandbox.path.resolve("elsewhere"));

        assertThatExceptionOfType(LinuxException.class)
                .isThrownBy(() -> make("c", 0777, 0, 0))
                .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.ELOOP));

        assertThat(sandbox.path.resolve("elsewhere")).doesNotExist();
    }

    @Test
    void fileInsteadOfAChildIsRefused() throws IOException {
        sandbox.file("c", "");

        assertThatExceptionOfType(LinuxException.class)
                .isThrownBy(() -> make("c", 0777, 0, 0))
                .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.ENOTDIR));
    }

    @Test
    void failureNamesCallPathAndError() {
        assertThatExceptionOfType(LinuxException.class)
                .isThrownBy(() -> folder.openChild(FileName.of("missing"), Folder.Mounts.CROSSED))
                .withMessage("openat2 %s/missing: ENOENT (no such file or folder)", sandbox.path)
                .satisfies(e -> assertThat(e.number()).isEqualTo(2));
    }

    @ParameterizedTest
    @ValueSource(strings = {"link/inner", "a/link/inner", "a/link"})
    void linkAnywhereBelowIsRefused(String below) throws IOException {
        sandbox.canary();
        sandbox.folder("a");
        Files.createSymbolicLink(sandbox.path.resolve("link"), Path.of("canary"));
        Files.createSymbolicLink(sandbox.path.resolve("a/link"), Path.of("../canary"));

        assertThatExceptionOfType(LinuxException.class)
                .isThrownBy(() -> folder.openBelow(Path.of(below), Folder.Mounts.CROSSED))
                .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.ELOOP));
    }

    @ParameterizedTest
    @ValueSource(strings = {"..", "a/../..", "/tmp", "./a"})
    void pathThatLeadsOutIsRefused(String path) {
        assertThatIllegalArgumentException().isThrownBy(() -> folder.openBelow(Path.of(path), Folder.Mounts.CROSSED));
    }

    @Test
    void mountIsCrossedOnlyWhereAllowed() throws IOException {
        sandbox.bind(sandbox.canary().path(), sandbox.folder("m"));

        try (Folder crossed = folder.openBelow(Path.of("m/inner"), Folder.Mounts.CROSSED)) {
            assertThat(crossed.names()).containsExactly(FileName.of("precious"));
        }
        assertThatExceptionOfType(LinuxException.class)
                .isThrownBy(() -> folder.openBelow(Path.of("m/inner"), Folder.Mounts.REFUSED))
                .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.EXDEV));
    }

    @Test
    void namesAreBytes() throws IOException {
        FileName invalid = new FileName("\u00ff\u00fe\n");
        folder.makeChild(invalid, 0700, 0, 0, Folder.Mounts.REFUSED).folder().close();
        sandbox.file("ü", "");

        assertThat(folder.names()).containsExactlyInAnyOrder(invalid, FileName.of("ü"));
    }

    @Test
    void manyNamesAreListedInSeveralReads() throws IOException {
        for (int i = 0; i < 1500; i++) {
            sandbox.file("file-with-a-longer-name-" + i, "");
        }

        assertThat(folder.names()).hasSize(1500).doesNotHaveDuplicates();
        assertThat(folder.names()).as("a second time, from the start").hasSize(1500);
    }

    @Test
    void identityAndPathFollowTheFolderWhereverItGoes() throws IOException {
        try (Folder child = make("c", 0711, 0, 0)) {
            FileStatus.Identity before = child.identity();
            Files.move(sandbox.path.resolve("c"), sandbox.path.resolve("d"));

            assertThat(child.identity()).isEqualTo(before).isNotEqualTo(folder.identity());
            assertThat(child.hostPath()).isEqualTo(sandbox.path.resolve("d"));
        }
    }

    @Test
    void attributeIsSet() throws IOException {
        folder.setAttribute("user.test", "value".getBytes(StandardCharsets.UTF_8));

        UserDefinedFileAttributeView view =
                Files.getFileAttributeView(sandbox.path, UserDefinedFileAttributeView.class);
        assertThat(view.size("test")).isEqualTo(5);
    }

    @Test
    void closingTwiceClosesOnce() throws IOException {
        Folder child = make("c", 0711, 0, 0);

        child.close();
        child.close();

        assertThatExceptionOfType(LinuxException.class).isThrownBy(child::names).satisfies(e -> assertThat(e.errno())
                .isEqualTo(Errno.EBADF));
    }

    private Folder make(String name, int mode, int uid, int gid) throws LinuxException {
        return folder.makeChild(FileName.of(name), mode, uid, gid, Folder.Mounts.REFUSED)
                .folder();
    }
}
