package io.ovsdpdk.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DeletionQueueTest {
    private static final Duration PATIENCE = Duration.ofSeconds(5);
    private static final AttachmentId ID = new AttachmentId("c".repeat(255), "net1");

    @TempDir
    private Path folder;

    private DeletionQueue queue;

    @BeforeEach
    void place() throws CniException {
        queue = DeletionQueue.of(folder.resolve("run/agent/agent.sock"));
    }

    private List<AttachmentId> left() throws IOException {
        return queue.read().entries().stream().map(DeletionQueue.Entry::id).toList();
    }

    @Test
    void whatIsLeftIsThereForTheNextProcess() throws Exception {
        try (DeletionQueue.Held held = queue.lock(PATIENCE)) {
            queue.leave(ID, held);
            queue.leave(new AttachmentId("c1", "net1"), held);
        }

        assertThat(left()).containsExactlyInAnyOrder(ID, new AttachmentId("c1", "net1"));
    }

    @Test
    void foldersAreMadeForRootAlone() throws Exception {
        queue.folder();

        assertThat(mode(folder.resolve("run"))).isEqualTo("rwx--x--x");
        assertThat(mode(folder.resolve("run/deletions"))).isEqualTo("rwx------");
    }

    private static String mode(Path path) throws IOException {
        return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
    }

    @Test
    void sameDeletionTwiceIsOne() throws Exception {
        try (DeletionQueue.Held held = queue.lock(PATIENCE)) {
            queue.leave(ID, held);
            queue.leave(ID, held);
        }

        assertThat(left()).containsExactly(ID);
    }

    @Test
    void removedIsGone() throws Exception {
        try (DeletionQueue.Held held = queue.lock(PATIENCE)) {
            queue.leave(ID, held);
            queue.remove(queue.read().entries().getFirst(), held);
            assertThat(left()).isEmpty();
        }
    }

    @Test
    void deletionThatWasLeftAnewIsNotRemovedWithTheOldOne() throws Exception {
        try (DeletionQueue.Held held = queue.lock(PATIENCE)) {
            queue.leave(ID, held);
            DeletionQueue.Entry old = queue.read().entries().getFirst();
            queue.leave(ID, held);

            queue.remove(old, held);

            assertThat(left()).containsExactly(ID);
        }
    }

    @Test
    void fileThatIsNoDeletionIsRemoved() throws Exception {
        Files.writeString(queue.folder().resolve("x.json"), "{\"op\":\"status\"}");
        Files.writeString(queue.folder().resolve("y.json"), "half a fi");

        assertThat(left()).isEmpty();
        try (Stream<Path> files = Files.list(queue.folder())) {
            assertThat(files).isEmpty();
        }
    }

    @Test
    void whatIsNoFileKeepsTheOthersFromNothing() throws Exception {
        Path foreign =
                Files.createDirectories(queue.folder().resolve("0.json/full")).getParent();
        Path link = Files.createSymbolicLink(queue.folder().resolve("1.json"), Path.of("/dev/zero"));
        try (DeletionQueue.Held held = queue.lock(PATIENCE)) {
            queue.leave(ID, held);
        }

        DeletionQueue.Contents contents = queue.read();

        assertThat(contents.entries()).extracting(DeletionQueue.Entry::id).containsExactly(ID);
        assertThat(contents.unreadable()).containsOnlyKeys(foreign, link);
        assertThat(foreign).exists();
    }

    @Test
    void fileThatIsTooLongIsRemoved() throws Exception {
        Files.write(queue.folder().resolve("x.json"), new byte[2 * Json.MAX_BYTES]);

        assertThat(left()).isEmpty();
        assertThat(queue.folder().resolve("x.json")).doesNotExist();
    }

    @Test
    void whatAKilledPluginLeftHalfWrittenGoes() throws Exception {
        assertThat(queue.hasHalfWritten()).isFalse();
        Path half = Files.writeString(queue.folder().resolve("x.new"), "{\"op\":");
        assertThat(queue.hasHalfWritten()).isTrue();

        try (DeletionQueue.Held held = queue.lock(PATIENCE)) {
            queue.leave(ID, held);
            queue.removeHalfWritten(held);
        }

        assertThat(half).doesNotExist();
        assertThat(left()).containsExactly(ID);
    }

    @Test
    void lockIsHeldByOneAtATime() throws Exception {
        try (DeletionQueue.Held held = queue.lock(PATIENCE)) {
            assertThat(held).isNotNull();
            assertThatThrownBy(() -> queue.lock(Duration.ofMillis(50)))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("more than 50 ms");
        }
        queue.lock(PATIENCE).close();
    }

    @Test
    void fullQueueTakesNoMoreButWhatItHolds() throws Exception {
        try (DeletionQueue.Held held = queue.lock(PATIENCE)) {
            for (int i = 0; i < DeletionQueue.CAPACITY; i++) {
                Files.createFile(queue.folder().resolve(i + ".json"));
            }

            assertThatThrownBy(() -> queue.leave(ID, held)).hasMessageContaining("which is the limit");
        }
    }
}
