package io.ovsdpdk.agent.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.mockito.ArgumentMatchers.any;
import static org.mockito.ArgumentMatchers.anyLong;
import static org.mockito.ArgumentMatchers.longThat;
import static org.mockito.Mockito.doThrow;
import static org.mockito.Mockito.spy;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
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
        return new SocketFolders(calls, mountRoot, nosymfollow, LIMIT);
    }

    private FolderLocation at(String below) {
        return new FolderLocation(root, Path.of(below), CONTAINER);
    }

    // making

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
        assertThat(Sandbox.modeAndOwner(mountRoot)).isEqualTo("0711 0:0");
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

    // links planted

    @ParameterizedTest
    @ValueSource(strings = {"v/root/a", "v/root/a/b", "v/root/a/b/0123456789ab"})
    void linkAtAnyLevelIsRefusedAndNothingIsLeft(String planted) throws IOException {
        Sandbox.Canary canary = sandbox.canary();
        Path link = sandbox.path.resolve(planted);
        Files.createDirectories(link.getParent());
        Files.createSymbolicLink(link, canary.path());
        List<Path> before = everythingBelow(root);

        assertThatExceptionOfType(LinuxException.class)
                .isThrownBy(() -> folders.prepare(at("a/b")))
                .withMessageContaining(planted)
                .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.ELOOP));

        canary.isUntouched();
        assertThat(everythingBelow(root)).isEqualTo(before);
        assertThat(folders.mounts()).isEmpty();
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
        assertThat(folders.mounts()).isEmpty();
    }

    // what OVS sees

    @Test
    void socketIsReachedThroughTheMount() throws IOException {
        SocketFolder folder = folders.prepare(at("a")).folder();

        try (ServerSocketChannel server = listen(folder.hostPath().resolve("net1.sock"));
                SocketChannel client = connect(folder.mountPoint().resolve("net1.sock"));
                SocketChannel accepted = server.accept()) {
            assertThat(client.isConnected()).isTrue();
            assertThat(accepted.isConnected()).isTrue();
        }
    }

    @Test
    void linkToAnotherSocketIsRefusedThroughTheMount() throws IOException {
        SocketFolder folder = folders.prepare(at("a")).folder();
        Path victim = sandbox.folder("victim").resolve("s.sock");

        try (ServerSocketChannel _ = listen(victim)) {
            Files.createSymbolicLink(folder.hostPath().resolve("net2.sock"), victim);

            assertThatExceptionOfType(IOException.class)
                    .isThrownBy(() -> connect(folder.mountPoint().resolve("net2.sock")))
                    .withMessageContaining("Too many levels of symbolic links");
        }
    }

    @Test
    void linkedFolderInsideIsRefusedThroughTheMount() throws IOException {
        SocketFolder folder = folders.prepare(at("a")).folder();
        Path victim = sandbox.folder("victim").resolve("s.sock");

        try (ServerSocketChannel _ = listen(victim)) {
            Files.createSymbolicLink(folder.hostPath().resolve("d"), victim.getParent());

            assertThatExceptionOfType(IOException.class)
                    .isThrownBy(() -> connect(folder.mountPoint().resolve("d/s.sock")))
                    .withMessageContaining("Too many levels of symbolic links");
        }
    }

    @Test
    void mountHasEveryFlag() throws IOException {
        SocketFolder folder = folders.prepare(at("a")).folder();

        assertThat(optionsOf(folder.mountPoint())).contains("nosuid", "nodev", "noexec", "nosymfollow");
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
            assertThat(optionsOf(folder.mountPoint(), mountInfo)).contains("nosymfollow");

            folders.remove(folder);
            assertThat(Files.readString(mountInfo)).doesNotContain(folder.mountPoint() + " ");
        } finally {
            elsewhere.outputWriter().close();
            elsewhere.waitFor();
        }
    }

    // again, and after a restart

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

        assertThat(restarted.mounts()).containsExactly(folder.mountPoint());
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
        Path strange = sandbox.folder("r/p/a b\\c");
        sandbox.bind(sandbox.folder("x"), strange);
        sandbox.bind(sandbox.folder("y"), strange);
        sandbox.bind(sandbox.folder("z"), sandbox.folder("r/pq"));
        SocketFolder folder = folders.prepare(at("a")).folder();

        assertThat(folders.mounts()).containsExactlyInAnyOrder(folder.mountPoint(), strange);
    }

    @Test
    void noMountRootHasNoMounts() throws IOException {
        assertThat(folders.mounts()).isEmpty();
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

    // removing

    @Test
    void removalLeavesTheSharedDirAndNothingElse() throws IOException {
        SocketFolder folder = folders.prepare(at("a/b")).folder();
        Files.createDirectories(folder.hostPath().resolve("some/thing"));

        folders.remove(folder);

        assertThat(root.resolve("a/b")).isEmptyDirectory();
        assertThat(mountRoot).isEmptyDirectory();
        assertThat(folders.mounts()).isEmpty();
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
        try (ServerSocketChannel _ = listen(folder.hostPath().resolve("net1.sock"));
                SocketChannel _ = connect(folder.mountPoint().resolve("net1.sock"))) {
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

        assertThat(folders.mounts()).isEmpty();
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
        listen(in.resolve("net3.sock")).close();
        Files.writeString(in.resolve("net4.sock"), "");

        for (int i = 1; i <= 3; i++) {
            folders.removeSocket(folder, "net" + i + ".sock");
            folders.removeSocket(folder, "net" + i + ".sock");
        }

        assertThat(in).isDirectoryContaining(entry -> entry.endsWith("net4.sock"));
        assertThat(everythingBelow(in)).hasSize(2);
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

    // rolling back

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
        assertThat(folders.mounts()).isEmpty();
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

    // kernels that can less

    @Test
    void thisKernelCanEverythingAndTheProbeLeavesNothing() throws IOException {
        MountSupport support = folders.probe();

        assertThat(support.level()).isEqualTo(MountSupport.Level.FULL);
        assertThat(support.explanation()).contains("nosymfollow");
        assertThat(mountRoot).isEmptyDirectory();
        assertThat(sandbox.mounts()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(ints = {22, 38})
    void kernelWithoutNosymfollowMountsWithoutItOnlyIfTold(int errno) throws IOException {
        LinuxCalls calls = spy(new LinuxCalls());
        doThrow(new LinuxException("mount_setattr", "x", errno))
                .when(calls)
                .mountSetattr(
                        any(), longThat(flags -> errno == 38 || (flags & LinuxCalls.MOUNT_ATTR_NOSYMFOLLOW) != 0));
        SocketFolders strict = folders(calls, Nosymfollow.REQUIRED);
        SocketFolders lax = folders(calls, Nosymfollow.WHERE_SUPPORTED);

        assertThat(strict.probe().level()).isEqualTo(MountSupport.Level.NO_NOSYMFOLLOW);
        assertThatExceptionOfType(LinuxException.class).isThrownBy(() -> strict.prepare(at("a")));
        assertThat(sandbox.path.resolve("v")).doesNotExist();

        SocketFolder folder = lax.prepare(at("a")).folder();
        assertThat(optionsOf(folder.mountPoint()))
                .contains("nosuid", "nodev", "noexec")
                .doesNotContain("nosymfollow");
        assertThat(lax.verify(folder)).isEmpty();
        assertThat(strict.verify(folder))
                .hasValueSatisfying(problem -> assertThat(problem).endsWith("lacks nosymfollow"));
    }

    @Test
    void nosymfollowIsUsedWhereSupportedThoughNotRequired() throws IOException {
        SocketFolder folder = folders(new LinuxCalls(), Nosymfollow.WHERE_SUPPORTED)
                .prepare(at("a"))
                .folder();

        assertThat(optionsOf(folder.mountPoint())).contains("nosymfollow");
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 38})
    void processThatMayNotMountIsToldWhy(int errno) throws IOException {
        LinuxCalls calls = spy(new LinuxCalls());
        doThrow(new LinuxException("open_tree", "x", errno)).when(calls).openTree(any());

        MountSupport support = folders(calls, Nosymfollow.REQUIRED).probe();

        assertThat(support.level()).isEqualTo(MountSupport.Level.NONE);
        assertThat(support.explanation()).contains("open_tree", errno == 1 ? "CAP_SYS_ADMIN" : "too old");
        assertThat(mountRoot).isEmptyDirectory();
    }

    // many at a time

    @Test
    void manyUnderOneSharedDirDoNotDisturbEachOther() throws Exception {
        folders.probe();
        long before = Sandbox.openDescriptors();

        inParallel(32, thread -> {
            FolderLocation location = new FolderLocation(root, Path.of("a/b"), "container-" + thread);
            for (int i = 0; i < 40; i++) {
                PreparedFolder prepared = folders.prepare(location);
                assertThat(folders.verify(prepared.folder())).isEmpty();
                if (i % 2 == 0) {
                    folders.rollback(prepared);
                } else {
                    folders.remove(prepared.folder());
                }
                assertThat(folders.isMounted(prepared.folder().mountPoint())).isFalse();
            }
        });

        assertThat(mountRoot).isEmptyDirectory();
        assertThat(everythingBelow(root)).allMatch(Files::isDirectory).hasSizeLessThanOrEqualTo(3);
        assertThat(sandbox.mounts()).isEmpty();
        assertThat(Sandbox.openDescriptors()).isEqualTo(before);
    }

    @Test
    void manyForTheSameFolderAreSerialised() throws Exception {
        folders.probe();
        long before = Sandbox.openDescriptors();

        inParallel(32, thread -> {
            for (int i = 0; i < 20; i++) {
                SocketFolder folder = folders.prepare(at("a")).folder();
                if ((thread + i) % 3 == 0) {
                    folders.removeSocket(folder, "net1.sock");
                }
                folders.remove(folder);
            }
        });

        assertThat(mountRoot).isEmptyDirectory();
        assertThat(root.resolve("a")).isEmptyDirectory();
        assertThat(Sandbox.openDescriptors()).isEqualTo(before);
    }

    @Test
    void failuresLeakNoDescriptorsEither() throws IOException {
        folders.probe();
        Path hostPath = folders.prepare(at("a")).folder().hostPath();
        folders.remove(folders.locate(at("a")));
        Files.createSymbolicLink(hostPath, Path.of("/tmp"));
        LinuxCalls broken = spy(new LinuxCalls());
        doThrow(new LinuxException("mount_setattr", "x", 5)).when(broken).mountSetattr(any(), anyLong());
        SocketFolders failing = folders(broken, Nosymfollow.REQUIRED);
        FolderLocation other = new FolderLocation(root, Path.of("a"), "other");
        assertThatExceptionOfType(LinuxException.class).isThrownBy(() -> failing.prepare(other));
        long before = Sandbox.openDescriptors();

        for (int i = 0; i < 20; i++) {
            assertThatExceptionOfType(LinuxException.class).isThrownBy(() -> folders.prepare(at("a")));
            assertThatExceptionOfType(LinuxException.class).isThrownBy(() -> failing.prepare(other));
        }

        assertThat(Sandbox.openDescriptors()).isEqualTo(before);
        assertThat(sandbox.mounts()).isEmpty();
    }

    private interface Work {
        void of(int thread) throws Exception;
    }

    private static void inParallel(int threads, Work work) throws Exception {
        List<Future<Void>> results = new ArrayList<>();
        try (ExecutorService executor = Executors.newFixedThreadPool(threads)) {
            for (int i = 0; i < threads; i++) {
                int thread = i;
                results.add(executor.submit((Callable<Void>) () -> {
                    work.of(thread);
                    return null;
                }));
            }
        }
        for (Future<Void> result : results) {
            result.get();
        }
    }

    private static List<Path> everythingBelow(Path folder) throws IOException {
        try (var entries = Files.walk(folder)) {
            return entries.sorted().toList();
        }
    }

    private static List<String> optionsOf(Path mountPoint) throws IOException {
        return optionsOf(mountPoint, Path.of("/proc/self/mountinfo"));
    }

    private static List<String> optionsOf(Path mountPoint, Path mountInfo) throws IOException {
        try (var lines = Files.lines(mountInfo)) {
            return lines.map(line -> line.split(" "))
                    .filter(fields -> fields[4].equals(mountPoint.toString()))
                    .map(fields -> List.of(fields[5].split(",")))
                    .findFirst()
                    .orElseThrow();
        }
    }

    private static ServerSocketChannel listen(Path path) throws IOException {
        return ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(UnixDomainSocketAddress.of(path));
    }

    private static SocketChannel connect(Path path) throws IOException {
        return SocketChannel.open(UnixDomainSocketAddress.of(path));
    }
}
