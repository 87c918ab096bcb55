package io.ovsdpdk.agent;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DatabaseFolderTest {
    @TempDir
    private Path folder;

    private DatabaseFolder seenThroughAMount(Path node, String socket) throws Exception {
        Path mount = Files.createDirectory(folder.resolve("mount"));
        run("mount", "--bind", node.toString(), mount.toString());
        return DatabaseFolder.of(mount.resolve(socket));
    }

    private static void run(String... command) throws Exception {
        assertThat(new ProcessBuilder(command).inheritIO().start().waitFor())
                .as(String.join(" ", command))
                .isZero();
    }

    private void unmount() throws Exception {
        run("umount", folder.resolve("mount").toString());
    }

    @Test
    void folderThatWasRemovedBehindAMountIsRemovedAlsoWhenAnotherTookItsPlace() throws Exception {
        Path node = Files.createDirectory(folder.resolve("openvswitch"));
        DatabaseFolder seen = seenThroughAMount(node, "db.sock");
        try {
            boolean before = seen.isRemoved();
            Files.delete(node);
            boolean gone = seen.isRemoved();
            Files.createDirectory(node);

            assertThat(before).isFalse();
            assertThat(gone).isTrue();
            assertThat(seen.isRemoved()).isTrue();
        } finally {
            unmount();
        }
    }

    @Test
    void folderBelowAMountMayComeAsLongAsTheMountedOneIsThere() throws Exception {
        Path node = Files.createDirectory(folder.resolve("run"));
        DatabaseFolder seen = seenThroughAMount(node, "openvswitch/db.sock");
        try {
            boolean missing = seen.isRemoved();
            Files.delete(node);

            assertThat(missing).isFalse();
            assertThat(seen.isRemoved()).isTrue();
        } finally {
            unmount();
        }
    }

    @Test
    void folderThatIsNotBehindAMountMayAlwaysComeBack() throws Exception {
        Path node = Files.createDirectory(folder.resolve("openvswitch"));
        DatabaseFolder seen = DatabaseFolder.of(node.resolve("db.sock"));
        Files.delete(node);

        assertThat(seen.isRemoved()).isFalse();
    }
}
