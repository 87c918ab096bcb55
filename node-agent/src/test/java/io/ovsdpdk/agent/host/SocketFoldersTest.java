package io.ovsdpdk.agent.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.IOException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(120)
class SocketFoldersTest {

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

    @ParameterizedTest
    @ValueSource(ints = {0, 022, 077})
    void missingFoldersAreMadeWithTheirModesWhateverTheUmask(int umask) throws IOException {
        PreparedFolder prepared;
        try (var _ = new Umask(umask)) {
            prepared = folders.prepare(at("a/b"));
        }

        assertThat(prepared.folder().hostPath()).isEqualTo(root.resolve("a/b").resolve(CONTAINER));
        assertThat(prepared.createdParents())
                .containsExactly(root.getParent(), root, root.resolve("a"), root.resolve("a/b"));
        assertThat(prepared.createdFolder()).isTrue();
        assertThat(prepared.createdMount()).isTrue();
        for (Path parent : prepared.createdParents()) {
            assertThat(Sandbox.modeAndOwner(parent)).isEqualTo("0711 0:0");
        }
        assertThat(Sandbox.modeAndOwner(prepared.folder().hostPath())).isEqualTo("0777 0:0");
        assertThat(Sandbox.modeAndOwner(mountRoot)).isEqualTo("0700 0:0");
        assertThat(Sandbox.modeAndOwner(prepared.folder().mountPoint())).isEqualTo("0777 0:0");
        assertThat(prepared.folder().mountPoint().getParent()).isEqualTo(mountRoot);
        assertThat(prepared.folder().mountPoint().getFileName().toString()).matches("[0-9a-f]{16}");
        assertThat(folders.verify(prepared.folder())).isEmpty();
    }

    @Test
    void foldersThatAreThereAreLeftAsTheyAre() throws IOException {
        sandbox.folder("v/root/a");
        Sandbox.run("chmod", "0750", root.resolve("a").toString());
        Sandbox.run("chown", "7:8", root.resolve("a").toString());

        PreparedFolder prepared = folders.prepare(at("a/b"));

        assertThat(prepared.createdParents()).containsExactly(root.resolve("a/b"));
        assertThat(Sandbox.modeAndOwner(root.resolve("a"))).isEqualTo("0750 7:8");
    }

    @Test
    void emptyPathBelowPutsTheFolderIntoTheRoot() throws IOException {
        PreparedFolder prepared = folders.prepare(at(""));

        assertThat(prepared.folder().hostPath()).isEqualTo(root.resolve(CONTAINER));
    }

    @Test
    void containersFolderThatIsThereGetsItsModeAndOwner() throws IOException {
        Path left = sandbox.folder("v/root/" + CONTAINER);
        Sandbox.run("chmod", "0700", left.toString());
        Sandbox.run("chown", "5:5", left.toString());

        PreparedFolder prepared = folders.prepare(at(""));

        assertThat(prepared.createdFolder()).isFalse();
        assertThat(Sandbox.modeAndOwner(left)).isEqualTo("0777 0:0");
    }

    @Test
    void rootMayBeReachedThroughALinkOfTheAdministrator() throws IOException {
        sandbox.folder("disk");
        Files.createSymbolicLink(sandbox.path.resolve("link"), Path.of("disk"));
        FolderLocation location = new FolderLocation(sandbox.path.resolve("link/root"), Path.of("a"), CONTAINER);

        PreparedFolder prepared = folders.prepare(location);

        assertThat(prepared.folder().hostPath()).isEqualTo(sandbox.path.resolve("disk/root/a/" + CONTAINER));
        assertThat(folders.locate(location)).isEqualTo(prepared.folder());
    }

    @Test
    void sharedDirMayBeAMountOfTheAdministrator() throws IOException {
        sandbox.bind(sandbox.folder("disk"), sandbox.folder("v/root/a"));

        PreparedFolder prepared = folders.prepare(at("a/b"));

        assertThat(sandbox.path.resolve("disk/b/" + CONTAINER)).isDirectory();
        folders.rollback(prepared);
        assertThat(sandbox.path.resolve("disk")).isEmptyDirectory();
    }

    @ParameterizedTest
    @ValueSource(strings = {"v/root/a", "v/root/a/b", "v/root/a/b/0123456789ab"})
    void linkAtAnyLevelIsRefusedAndNothingIsLeft(String planted) throws IOException {
        Sandbox.Canary canary = sandbox.canary();
        Path link = sandbox.path.resolve(planted);
        Files.createDirectories(link.getParent());
        Files.createSymbolicLink(link, canary.path());
        List<Path> before = Sandbox.everythingBelow(root);

        assertThatExceptionOfType(LinuxException.class)
                .isThrownBy(() -> folders.prepare(at("a/b")))
                .withMessageContaining(planted)
                .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.ELOOP));

        canary.isUntouched();
        assertThat(Sandbox.everythingBelow(root)).isEqualTo(before);
        assertThat(folders.mountPoints()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"v/root/a", "v/root/a/b", "v/root/a/b/0123456789ab"})
    void fileAtAnyLevelIsRefused(String planted) throws IOException {
        sandbox.file(planted, "");

        assertThatExceptionOfType(LinuxException.class)
                .isThrownBy(() -> folders.prepare(at("a/b")))
                .withMessageContaining(planted)
                .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.ENOTDIR));
    }

    @Test
    void containersFolderThatIsAMountIsRefused() throws IOException {
        Sandbox.Canary canary = sandbox.canary();
        sandbox.bind(canary.path(), sandbox.folder("v/root/" + CONTAINER));

        assertThatExceptionOfType(LinuxException.class)
                .isThrownBy(() -> folders.prepare(at("")))
                .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.EXDEV));

        canary.isUntouched();
    }

    @Test
    void mountStaysTheOldFolderWhenThatIsReplacedByALink() throws IOException {
        Sandbox.Canary canary = sandbox.canary();
        PreparedFolder prepared = folders.prepare(at("a"));
        Path hostPath = prepared.folder().hostPath();
        Files.writeString(hostPath.resolve("mark"), "the old folder");
        Files.move(hostPath, root.resolve("a/moved"));
        Files.createSymbolicLink(hostPath, canary.path());

        assertThat(prepared.folder().mountPoint().resolve("mark")).hasContent("the old folder");
        assertThat(folders.verify(prepared.folder()))
                .hasValueSatisfying(problem -> assertThat(problem).contains("ELOOP"));

        folders.remove(prepared.folder());
        assertThat(Sandbox.exists(hostPath)).isFalse();
        assertThat(root.resolve("a/moved/mark")).as("no path that we know").exists();
        canary.isUntouched();
    }

    @Test
    void sharedDirReplacedByALinkIsNotFollowedByTheRemoval() throws IOException {
        PreparedFolder prepared = folders.prepare(at("a"));
        Path other = sandbox.file("other/" + CONTAINER + "/precious", "untouched");
        Files.move(root.resolve("a"), root.resolve("moved"));
        Files.createSymbolicLink(root.resolve("a"), sandbox.path.resolve("other"));

        folders.remove(prepared.folder());

        assertThat(other).hasContent("untouched");
        assertThat(folders.mountPoints()).isEmpty();
    }

    @Test
    void socketIsReachedThroughTheMount() throws IOException {
        SocketFolder folder = folders.prepare(at("a")).folder();

        try (ServerSocketChannel server = Sandbox.listen(folder.hostPath().resolve("net1.sock"));
                SocketChannel client = Sandbox.connect(folder.mountPoint().resolve("net1.sock"));
                SocketChannel accepted = server.accept()) {
            assertThat(client.isConnected()).isTrue();
            assertThat(accepted.isConnected()).isTrue();
        }
    }

    @Test
    void linkToAnotherSocketIsRefusedThroughTheMount() throws IOException {
        SocketFolder folder = folders.prepare(at("a")).folder();
        Path victim = sandbox.folder("victim").resolve("s.sock");

        try (ServerSocketChannel _ = Sandbox.listen(victim)) {
            Files.createSymbolicLink(folder.hostPath().resolve("net2.sock"), victim);

            assertThatExceptionOfType(IOException.class)
                    .isThrownBy(() -> Sandbox.connect(folder.mountPoint().resolve("net2.sock")))
                    .withMessageContaining("Too many levels of symbolic links");
        }
    }

    @Test
    void linkedFolderInsideIsRefusedThroughTheMount() throws IOException {
        SocketFolder folder = folders.prepare(at("a")).folder();
        Path victim = sandbox.folder("victim").resolve("s.sock");

        try (ServerSocketChannel _ = Sandbox.listen(victim)) {
            Files.createSymbolicLink(folder.hostPath().resolve("d"), victim.getParent());

            assertThatExceptionOfType(IOException.class)
                    .isThrownBy(() -> Sandbox.connect(folder.mountPoint().resolve("d/s.sock")))
                    .withMessageContaining("Too many levels of symbolic links");
        }
    }

    @Test
    void mountHasEveryFlag() throws IOException {
        SocketFolder folder = folders.prepare(at("a")).folder();

        assertThat(Sandbox.optionsOf(folder.mountPoint())).contains("nosuid", "nodev", "noexec", "nosymfollow");
    }

    @Test
    void whatIsMountedInTheFolderLaterStaysOutOfOurMount() throws IOException {
        Path shared = sandbox.folder("v/root");
        sandbox.bind(shared, shared);
        Sandbox.run("mount", "--make-shared", shared.toString());
        SocketFolder folder = folders.prepare(at("a")).folder();

        sandbox.bind(
                sandbox.canary().path(), Files.createDirectory(folder.hostPath().resolve("d")));

        assertThat(folder.mountPoint().resolve("d")).isEmptyDirectory();
    }

    @Test
    void mountReachesAnotherMountNamespaceAndLeavesIt() throws Exception {
        Path shared = sandbox.folder("r");
        sandbox.bind(shared, shared);
        Sandbox.run("mount", "--make-shared", shared.toString());
        Process elsewhere = new ProcessBuilder(
                        "unshare", "--mount", "--propagation", "slave", "sh", "-c", "echo ready; exec cat")
                .start();
        try {
            assertThat(elsewhere.inputReader().readLine()).isEqualTo("ready");
            Path mountInfo = Path.of("/proc/" + elsewhere.pid() + "/mountinfo");

            SocketFolder folder = folders.prepare(at("a")).folder();
            assertThat(Files.readString(mountInfo)).contains(folder.mountPoint() + " ");
            assertThat(Sandbox.optionsOf(folder.mountPoint(), mountInfo)).contains("nosymfollow");

            folders.remove(folder);
            assertThat(Files.readString(mountInfo)).doesNotContain(folder.mountPoint() + " ");
        } finally {
            elsewhere.outputWriter().close();
            elsewhere.waitFor();
        }
    }

    @Test
    void preparingAgainKeepsTheMount() throws IOException {
        PreparedFolder first = folders.prepare(at("a"));

        PreparedFolder second = folders.prepare(at("a"));

        assertThat(second).isEqualTo(new PreparedFolder(first.folder(), List.of(), false, false));
        assertThat(sandbox.mounts()).hasSize(1);
    }

    @Test
    void restartedAgentFindsAndKeepsTheMount() throws IOException {
        SocketFolder folder = folders.prepare(at("a")).folder();

        SocketFolders restarted = folders(new LinuxCalls(), Nosymfollow.REQUIRED);

        assertThat(restarted.mountPoints()).containsExactly(folder.mountPoint());
        assertThat(restarted.isMounted(folder.mountPoint())).isTrue();
        assertThat(restarted.verify(folder)).isEmpty();
        assertThat(restarted.prepare(at("a")).createdMount()).isFalse();
    }

    @Test
    void staleMountsOfOtherFoldersAreReplaced() throws IOException {
        Sandbox.Canary canary = sandbox.canary();
        SocketFolder folder = folders.locate(at("a"));
        Files.createDirectories(folder.mountPoint());
        sandbox.bind(canary.path(), folder.mountPoint());
        sandbox.bind(sandbox.folder("other"), folder.mountPoint());

        PreparedFolder prepared = folders.prepare(at("a"));

        assertThat(prepared.createdMount()).isTrue();
        assertThat(sandbox.mounts()).hasSize(1);
        assertThat(folders.verify(folder)).isEmpty();
        canary.isUntouched();
    }

    @Test
    void mountOfTheFolderWithoutItsFlagsIsReplaced() throws IOException {
        SocketFolder folder = folders.prepare(at("a")).folder();
        folders.unmount(folder.mountPoint());
        sandbox.bind(folder.hostPath(), Files.createDirectories(folder.mountPoint()));
        assertThat(folders.verify(folder))
                .hasValueSatisfying(problem -> assertThat(problem).contains("lacks nosuid nodev noexec nosymfollow"));

        folders.prepare(at("a"));

        assertThat(folders.verify(folder)).isEmpty();
        assertThat(sandbox.mounts()).hasSize(1);
    }

    @Test
    void mountOfTheFolderThatStoodThereBeforeIsReplaced() throws IOException {
        SocketFolder folder = folders.prepare(at("a")).folder();
        Files.delete(folder.hostPath());

        assertThat(folders.verify(folder)).isPresent();
        assertThat(folders.prepare(at("a")).createdMount()).isTrue();

        assertThat(folders.verify(folder)).isEmpty();
    }

    @Test
    void mountsAreListedOnceEachAndOnlyOurs() throws IOException {
        sandbox.bind(sandbox.folder("x"), sandbox.folder("r/p/stranger"));
        sandbox.bind(sandbox.folder("x"), sandbox.folder("r/pq/0011223344556677"));
        SocketFolder folder = folders.prepare(at("a")).folder();
        sandbox.bind(sandbox.folder("x"), folder.mountPoint());

        assertThat(folders.mountPoints()).containsExactly(folder.mountPoint());
    }

    @Test
    void mountRootMayHaveAnyName() throws IOException {
        Path odd = sandbox.path.resolve("a b\\c\nü");
        SocketFolders there =
                new SocketFolders(new LinuxCalls(), odd, Nosymfollow.REQUIRED, Sandbox.accessOfRoot(), LIMIT);

        SocketFolder folder = there.prepare(at("a")).folder();

        assertThat(there.mountPoints()).containsExactly(folder.mountPoint());
        there.remove(folder);
        assertThat(there.mountPoints()).isEmpty();
    }

    @Test
    void noMountRootHasNoMounts() throws IOException {
        assertThat(folders.mountPoints()).isEmpty();
        assertThat(folders.isMounted(mountRoot.resolve("0011223344556677"))).isFalse();
    }

    @Test
    void verifyTellsWhatIsMissing() throws IOException {
        SocketFolder folder = folders.locate(at("a"));
        assertThat(folders.verify(folder))
                .hasValueSatisfying(problem -> assertThat(problem).contains("gone", "ENOENT"));

        folders.prepare(at("a"));
        folders.unmount(folder.mountPoint());

        assertThat(folders.verify(folder))
                .hasValueSatisfying(problem -> assertThat(problem).contains("nothing is mounted"));
    }
}
