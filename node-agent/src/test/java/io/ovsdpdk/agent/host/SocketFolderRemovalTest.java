package io.ovsdpdk.agent.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.mockito.ArgumentMatchers.any;
import static org.mockito.Mockito.doThrow;
import static org.mockito.Mockito.spy;

import java.io.IOException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(120)
class SocketFolderRemovalTest {

    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final String CONTAINER = "0123456789ab";

    private Sandbox sandbox;
    private Path root;
    private Path mountRoot;
    private SocketFolders folders;

    @BeforeEach
    void start() throws IOException {
        sandbox = new Sandbox();
        root = sandbox.path.resolve("v/root");
        mountRoot = sandbox.path.resolve("r/p");
        folders = folders(new LinuxCalls(), Nosymfollow.REQUIRED);
    }

    @AfterEach
    void clean() {
        sandbox.close();
    }

    private SocketFolders folders(LinuxCalls calls, Nosymfollow nosymfollow) {
        return new SocketFolders(calls, mountRoot, nosymfollow, Sandbox.accessOfRoot(), LIMIT);
    }

    private FolderLocation at(String below) {
        return new FolderLocation(root, Path.of(below), CONTAINER);
    }

    @Test
    void removalLeavesTheSharedDirAndNothingElse() throws IOException {
        SocketFolder folder = folders.prepare(at("a/b")).folder();
        Files.createDirectories(folder.hostPath().resolve("some/thing"));

        folders.remove(folder);

        assertThat(root.resolve("a/b")).isEmptyDirectory();
        assertThat(mountRoot).isEmptyDirectory();
        assertThat(folders.mountPoints()).isEmpty();
    }

    @Test
    void removalAgainSucceeds() throws IOException {
        SocketFolder folder = folders.prepare(at("a")).folder();

        folders.remove(folder);
        folders.remove(folder);

        assertThat(mountRoot).isEmptyDirectory();
    }

    @Test
    void removalOfWhatNeverWasSucceeds() throws IOException {
        folders.remove(folders.locate(at("a")));

        assertThat(sandbox.path).isEmptyDirectory();
    }

    @Test
    void removalTakesAwaySeveralMounts() throws IOException {
        Sandbox.Canary canary = sandbox.canary();
        SocketFolder folder = folders.prepare(at("a")).folder();
        sandbox.bind(canary.path(), folder.mountPoint());
        sandbox.bind(canary.path(), folder.mountPoint());

        folders.remove(folder);

        assertThat(sandbox.mounts()).isEmpty();
        canary.isUntouched();
    }

    @Test
    void removalWhileTheSocketIsInUse() throws IOException {
        SocketFolder folder = folders.prepare(at("a")).folder();
        try (ServerSocketChannel _ = Sandbox.listen(folder.hostPath().resolve("net1.sock"));
                SocketChannel _ = Sandbox.connect(folder.mountPoint().resolve("net1.sock"))) {
            folders.remove(folder);
        }

        assertThat(root.resolve("a")).isEmptyDirectory();
        assertThat(mountRoot).isEmptyDirectory();
    }

    @Test
    void removalUnmountsThoughTheFolderCanNotBeRemoved() throws IOException {
        Sandbox.Canary canary = sandbox.canary();
        SocketFolder folder = folders.prepare(at("a")).folder();
        sandbox.bind(canary.path(), Files.createDirectory(folder.hostPath().resolve("d")));

        assertThatExceptionOfType(TreeNotRemovedException.class).isThrownBy(() -> folders.remove(folder));

        assertThat(folders.mountPoints()).isEmpty();
        canary.isUntouched();
    }

    @Test
    void removalOfAPathOutsideTheMountRootIsRefused() {
        SocketFolder folder = new SocketFolder(at("a"), root, sandbox.path.resolve("v"));

        assertThatIllegalArgumentException().isThrownBy(() -> folders.remove(folder));
        assertThatIllegalArgumentException().isThrownBy(() -> folders.unmount(mountRoot));
        assertThatIllegalArgumentException().isThrownBy(() -> folders.unmount(mountRoot.resolve("..")));
    }

    @Test
    void oneSocketIsRemovedWhateverItHasBecome() throws IOException {
        Sandbox.Canary canary = sandbox.canary();
        SocketFolder folder = folders.prepare(at("a")).folder();
        Path in = folder.hostPath();
        Files.createDirectories(in.resolve("net1.sock/full"));
        Files.createSymbolicLink(in.resolve("net2.sock"), canary.path());
        Sandbox.listen(in.resolve("net3.sock")).close();
        Files.writeString(in.resolve("net4.sock"), "");

        for (int i = 1; i <= 3; i++) {
            folders.removeSocket(folder, "net" + i + ".sock");
            folders.removeSocket(folder, "net" + i + ".sock");
        }

        assertThat(in).isDirectoryContaining(entry -> entry.endsWith("net4.sock"));
        assertThat(Sandbox.everythingBelow(in)).hasSize(2);
        canary.isUntouched();
        assertThat(folders.verify(folder)).isEmpty();
    }

    @Test
    void socketOfAFolderReplacedByALinkIsNotRemoved() throws IOException {
        SocketFolder folder = folders.prepare(at("a")).folder();
        Path other = sandbox.file("other/net1.sock", "untouched");
        Files.delete(folder.hostPath());
        Files.createSymbolicLink(folder.hostPath(), other.getParent());

        folders.removeSocket(folder, "net1.sock");

        assertThat(other).hasContent("untouched");
    }

    @ParameterizedTest
    @ValueSource(strings = {"..", "../x.sock", "a/b.sock", ""})
    void socketNameThatLeadsElsewhereIsRefused(String name) throws IOException {
        SocketFolder folder = folders.locate(at("a"));

        assertThatIllegalArgumentException().isThrownBy(() -> folders.removeSocket(folder, name));
    }

    @Test
    void rollbackOfTheFirstLeavesNothing() throws IOException {
        PreparedFolder prepared = folders.prepare(at("a/b"));
        Files.writeString(prepared.folder().hostPath().resolve("planted"), "");

        folders.rollback(prepared);

        assertThat(sandbox.path.resolve("v")).doesNotExist();
        assertThat(mountRoot).isEmptyDirectory();
    }

    @Test
    void rollbackKeepsWhatWasThereBefore() throws IOException {
        sandbox.folder("v/root/a");
        PreparedFolder first = folders.prepare(at("a/b"));
        PreparedFolder second = folders.prepare(at("a/b"));

        folders.rollback(second);

        assertThat(folders.verify(first.folder())).isEmpty();
        folders.rollback(first);
        assertThat(root.resolve("a")).isEmptyDirectory();
    }

    @Test
    void rollbackKeepsParentsThatOthersUse() throws IOException {
        PreparedFolder first = folders.prepare(at("a/b"));
        PreparedFolder other = folders.prepare(new FolderLocation(root, Path.of("a"), "other"));

        folders.rollback(first);

        assertThat(root.resolve("a/b")).doesNotExist();
        assertThat(folders.verify(other.folder())).isEmpty();
    }

    @Test
    void rollbackOfAFolderThatWasThereOnlyUnmounts() throws IOException {
        sandbox.file("v/root/a/" + CONTAINER + "/kept", "");

        folders.rollback(folders.prepare(at("a")));

        assertThat(root.resolve("a").resolve(CONTAINER).resolve("kept")).exists();
        assertThat(folders.mountPoints()).isEmpty();
    }

    @Test
    void rollbackDoesNotFollowAParentReplacedByALink() throws IOException {
        PreparedFolder prepared = folders.prepare(at("a/b"));
        Path other = sandbox.folder("other/b");
        Files.move(root.resolve("a"), root.resolve("moved"));
        Files.createSymbolicLink(root.resolve("a"), sandbox.path.resolve("other"));

        folders.rollback(prepared);

        assertThat(other).isDirectory();
    }

    @Test
    void failedMountLeavesNothing() throws IOException {
        LinuxCalls calls = spy(new LinuxCalls());
        doThrow(new LinuxException("move_mount", "x", 28)).when(calls).moveMount(any(), any());

        assertThatExceptionOfType(LinuxException.class)
                .isThrownBy(() -> folders(calls, Nosymfollow.REQUIRED).prepare(at("a/b")))
                .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.ENOSPC));

        assertThat(sandbox.path.resolve("v")).doesNotExist();
        assertThat(mountRoot).isEmptyDirectory();
    }
}
