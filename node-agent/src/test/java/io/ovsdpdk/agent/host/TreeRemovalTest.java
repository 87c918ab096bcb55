package io.ovsdpdk.agent.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
class TreeRemovalTest {

    private static final FileName TREE = FileName.of("t");
    private static final Duration LIMIT = Duration.ofSeconds(60);

    private final LinuxCalls calls = new LinuxCalls();
    private Sandbox sandbox;
    private Folder parent;

    @BeforeEach
    void open() throws IOException {
        sandbox = new Sandbox();
        parent = Folder.open(calls, sandbox.folder("p"));
    }

    @AfterEach
    void close() throws IOException {
        parent.close();
        sandbox.close();
    }

    @Test
    void nothingThereIsSuccess() throws IOException {
        parent.removeTree(TREE, LIMIT);

        assertThat(parent.names()).isEmpty();
    }

    @Test
    void linkIsRemovedAndNotWhatItLeadsTo() throws IOException {
        Sandbox.Canary canary = sandbox.canary();
        Files.createSymbolicLink(sandbox.path.resolve("p/t"), canary.path());

        parent.removeTree(TREE, LIMIT);

        assertThat(parent.names()).isEmpty();
        canary.isUntouched();
    }

    @Test
    void fileIsRemoved() throws IOException {
        sandbox.file("p/t", "x");
        sandbox.file("p/other", "x");

        parent.removeTree(TREE, LIMIT);

        assertThat(parent.names()).containsExactly(FileName.of("other"));
    }

    @Test
    void everyKindOfEntryIsRemovedAndNoneFollowed() throws IOException {
        Sandbox.Canary canary = sandbox.canary();
        fillWithEverything("p/t", canary);
        fillWithEverything("p/t/a/b", canary);
        fillWithEverything("p/t/a/b/c", canary);

        parent.removeTree(TREE, LIMIT);

        assertThat(parent.names()).isEmpty();
        canary.isUntouched();
    }

    private void fillWithEverything(String relative, Sandbox.Canary canary) throws IOException {
        Path path = sandbox.folder(relative);
        Files.createSymbolicLink(path.resolve("link-to-folder"), canary.path());
        Files.createSymbolicLink(path.resolve("link-to-file"), canary.path().resolve("inner/precious"));
        Files.createSymbolicLink(path.resolve("link-to-nothing"), Path.of("/nowhere"));
        Files.createSymbolicLink(path.resolve("link-to-itself"), Path.of("link-to-itself"));
        Sandbox.run("mkfifo", path.resolve("fifo").toString());
        Sandbox.run("mknod", path.resolve("device").toString(), "c", "1", "3");
        ServerSocketChannel.open(StandardProtocolFamily.UNIX)
                .bind(UnixDomainSocketAddress.of(path.resolve("socket")))
                .close();
        Files.writeString(path.resolve("file"), "content");
        Files.createDirectories(path.resolve("empty"));
        Sandbox.run(
                "chmod",
                "0",
                Files.createDirectories(path.resolve("locked/inner"))
                        .getParent()
                        .toString());
        try (Folder folder = Folder.open(calls, path)) {
            FileName invalid = new FileName("\u00ff\u00fe\n");
            folder.makeChild(invalid, 0700, 107, 107, Folder.Mounts.REFUSED)
                    .folder()
                    .close();
            Files.writeString(path.resolve("renamed"), "content");
            try (Folder inner = folder.openChild(invalid, Folder.Mounts.REFUSED)) {
                folder.rename(FileName.of("renamed"), inner, new FileName("\u0080"));
            }
        }
    }

    @Test
    void namesThatTheRemovalWouldChooseAreNoObstacle() throws IOException {
        for (int i = 0; i < 40; i += 4) {
            sandbox.folder("p/t/ovs-dpdk-cni.removed." + i);
            sandbox.file("p/t/ovs-dpdk-cni.removed." + (i + 1), "");
            sandbox.folder("p/t/ovs-dpdk-cni.removed." + (i + 2) + "/full/er");
            Files.createSymbolicLink(sandbox.path.resolve("p/t/ovs-dpdk-cni.removed." + (i + 3)), Path.of("/tmp"));
        }
        sandbox.folder("p/t/a/b/c/d/e/f/g/h/i/j/k/l/m/n");

        parent.removeTree(TREE, LIMIT);

        assertThat(parent.names()).isEmpty();
    }

    @Test
    void deepFoldersAreRemovedWithThreeDescriptors() throws IOException {
        nest(1_500);
        long before = Sandbox.openDescriptors();

        parent.removeTree(TREE, LIMIT);

        assertThat(parent.names()).isEmpty();
        assertThat(Sandbox.openDescriptors()).isEqualTo(before);
    }

    @Test
    @Tag("long")
    void veryDeepFoldersAreRemoved() throws IOException {
        nest(20_000);

        parent.removeTree(TREE, Duration.ofMinutes(5));

        assertThat(parent.names()).isEmpty();
    }

    /**
     * From the innermost outwards, so that no path gets long: the nest so far goes into a new folder, which takes its
     * name.
     */
    private void nest(int levels) throws IOException {
        FileName fresh = FileName.of("n");
        parent.makeChild(TREE, 0777, 107, 107, Folder.Mounts.REFUSED).folder().close();
        for (int i = 0; i < levels; i++) {
            try (Folder outer = parent.makeChild(fresh, 0777, 107, 107, Folder.Mounts.REFUSED)
                    .folder()) {
                parent.rename(TREE, outer, FileName.of("d"));
            }
            parent.rename(fresh, parent, TREE);
        }
    }

    @Test
    void manyFilesAreRemoved() throws IOException {
        fill(sandbox.folder("p/t"), 4_000);
        fill(sandbox.folder("p/t/sub"), 2_000);

        parent.removeTree(TREE, LIMIT);

        assertThat(parent.names()).isEmpty();
    }

    @Test
    @Tag("long")
    void veryManyFilesAndManyLevelsInOneFolderAreRemoved() throws IOException {
        nest(5_000);
        fill(sandbox.path.resolve("p/t"), 100_000);

        parent.removeTree(TREE, LIMIT);

        assertThat(parent.names()).isEmpty();
    }

    private static void fill(Path folder, int files) throws IOException {
        for (int i = 0; i < files; i++) {
            Files.createFile(folder.resolve("f" + i));
        }
    }

    @Test
    void wideFoldersAreRemoved() throws IOException {
        for (int i = 0; i < 15; i++) {
            for (int j = 0; j < 15; j++) {
                sandbox.file("p/t/%d/%d/x/y/file".formatted(i, j), "");
                sandbox.file("p/t/%d/%d/z/file".formatted(i, j), "");
            }
        }

        parent.removeTree(TREE, LIMIT);

        assertThat(parent.names()).isEmpty();
    }

    @Test
    void mountInsideIsLeftAndReportedAndAllElseGoes() throws IOException {
        Sandbox.Canary canary = sandbox.canary();
        sandbox.bind(canary.path(), sandbox.folder("p/t/a/mounted"));
        sandbox.bind(canary.path().resolve("inner/precious"), sandbox.file("p/t/a/mounted-file", ""));
        sandbox.file("p/t/a/file", "");
        sandbox.file("p/t/b/c/file", "");

        assertThatExceptionOfType(TreeNotRemovedException.class)
                .isThrownBy(() -> parent.removeTree(TREE, LIMIT))
                .withMessageContaining("t/a/mounted: EBUSY")
                .satisfies(e -> assertThat(e.failures()).hasSize(2));

        canary.isUntouched();
        assertThat(sandbox.path.resolve("p/t/a")).isDirectoryContaining(p -> p.endsWith("mounted"));
        assertThat(sandbox.path.resolve("p/t/b")).doesNotExist();
        assertThat(sandbox.path.resolve("p/t/a/file")).doesNotExist();
    }

    @Test
    void mountDeepInsideIsLeftAndReported() throws IOException {
        Sandbox.Canary canary = sandbox.canary();
        sandbox.bind(canary.path(), sandbox.folder("p/t/a/b/c/d/mounted"));

        assertThatExceptionOfType(TreeNotRemovedException.class)
                .isThrownBy(() -> parent.removeTree(TREE, LIMIT))
                .withMessageContaining("mounted: EBUSY");

        canary.isUntouched();
        assertThat(sandbox.mounts()).hasSize(1);
    }

    @Test
    void mountItselfIsLeftAndReported() throws IOException {
        Sandbox.Canary canary = sandbox.canary();
        sandbox.bind(canary.path(), sandbox.folder("p/t"));

        assertThatExceptionOfType(TreeNotRemovedException.class)
                .isThrownBy(() -> parent.removeTree(TREE, LIMIT))
                .withMessageContaining("EBUSY");

        canary.isUntouched();
    }

    @Test
    void removalGoesOnOnceTheMountIsGone() throws IOException {
        sandbox.bind(sandbox.canary().path(), sandbox.folder("p/t/a/mounted"));
        assertThatExceptionOfType(TreeNotRemovedException.class).isThrownBy(() -> parent.removeTree(TREE, LIMIT));
        Sandbox.run("umount", sandbox.mounts().getFirst());

        parent.removeTree(TREE, LIMIT);

        assertThat(parent.names()).isEmpty();
    }

    @Test
    void folderIsClosedToOthersBeforeItIsEmptied() throws IOException {
        sandbox.bind(sandbox.canary().path(), sandbox.folder("p/t/mounted"));
        Sandbox.run("chmod", "0777", sandbox.path.resolve("p/t").toString());
        Sandbox.run("chown", "107:107", sandbox.path.resolve("p/t").toString());

        assertThatExceptionOfType(TreeNotRemovedException.class).isThrownBy(() -> parent.removeTree(TREE, LIMIT));

        assertThat(Sandbox.modeAndOwner(sandbox.path.resolve("p/t"))).isEqualTo("0700 0:0");
    }

    @Test
    void removalThatTakesTooLongEndsAndCanBeRepeated() throws IOException {
        fill(sandbox.folder("p/t"), 10);

        assertThatExceptionOfType(TreeNotRemovedException.class)
                .isThrownBy(() -> parent.removeTree(TREE, Duration.ZERO))
                .withMessageContaining("not finished within");

        parent.removeTree(TREE, LIMIT);
        assertThat(parent.names()).isEmpty();
    }

    @Test
    void somebodyWithRootsRightsWhoKeepsAddingIsOutlasted() throws Exception {
        Path tree = sandbox.folder("p/t");
        AtomicBoolean stop = new AtomicBoolean();
        Thread adder = Thread.ofPlatform().start(() -> addUntil(stop, tree));

        Duration limit = Duration.ofMillis(500);
        long start = System.nanoTime();
        try {
            parent.removeTree(TREE, limit);
        } catch (TreeNotRemovedException e) {
            assertThat(e).hasMessageContaining("not finished within");
        }
        Duration taken = Duration.ofNanos(System.nanoTime() - start);

        stop.set(true);
        adder.join();
        assertThat(taken).isLessThan(limit.plusSeconds(5));
    }

    private static void addUntil(AtomicBoolean stop, Path tree) {
        for (int i = 0; !stop.get(); i++) {
            try {
                Files.createDirectories(tree.resolve("d" + i % 100 + "/e" + i % 7));
                Files.writeString(tree.resolve("d" + i % 100 + "/f" + i), "");
            } catch (IOException e) {
                // removed under it: just what is wanted; it tries again
                Thread.onSpinWait();
            }
        }
    }

    @Test
    void hostileNamesAreEscapedInTheReport() throws IOException {
        sandbox.bind(sandbox.canary().path(), sandbox.folder("p/t/a\nERROR forged"));

        assertThatExceptionOfType(TreeNotRemovedException.class)
                .isThrownBy(() -> parent.removeTree(TREE, LIMIT))
                .withMessageContaining("a\\x0aERROR forged")
                .satisfies(e -> assertThat(e.getMessage()).doesNotContain("\n"));
    }
}
