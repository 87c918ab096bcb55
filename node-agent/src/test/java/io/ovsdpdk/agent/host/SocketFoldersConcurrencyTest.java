package io.ovsdpdk.agent.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.mockito.ArgumentMatchers.any;
import static org.mockito.ArgumentMatchers.anyLong;
import static org.mockito.Mockito.doThrow;
import static org.mockito.Mockito.spy;

import java.io.IOException;
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

@Timeout(120)
class SocketFoldersConcurrencyTest {

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
    void manyUnderOneSharedDirDoNotDisturbEachOther() throws Exception {
        folders.probe();
        long before = Sandbox.openDescriptors();

        inParallel(32, thread -> {
            FolderLocation location = new FolderLocation(root, Path.of("a/b"), "container-" + thread);
            for (int i = 0; i < 20; i++) {
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
        assertThat(Sandbox.everythingBelow(root)).allMatch(Files::isDirectory).hasSizeLessThanOrEqualTo(3);
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
}
