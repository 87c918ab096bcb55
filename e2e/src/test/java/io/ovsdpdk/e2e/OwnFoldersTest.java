package io.ovsdpdk.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The modes of the folders that an agent is given. */
@Tag("long")
class OwnFoldersTest {
    @AutoClose
    private Node node;

    @BeforeEach
    void startNode() throws IOException {
        node = Node.start();
        node.stopAgent();
        open(node.runDir());
        open(node.stateDir());
    }

    /** As kubelet makes a folder that a pod names. */
    private static void open(Path folder) throws IOException {
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    private static String mode(Path folder) throws IOException {
        return PosixFilePermissions.toString(Files.getPosixFilePermissions(folder));
    }

    @Test
    void folderThatHasNothingButOursIsClosed() throws IOException {
        node.startAgent();

        assertThat(mode(node.runDir())).isEqualTo("rwx--x--x");
        assertThat(mode(node.stateDir())).isEqualTo("rwx------");
    }

    @Test
    void folderThatOthersUseTooKeepsItsMode() throws IOException {
        Files.createFile(node.runDir().resolve("theirs"));
        Files.createFile(node.stateDir().resolve("theirs"));

        node.startAgent();

        assertThat(mode(node.runDir())).isEqualTo("rwxr-xr-x");
        assertThat(mode(node.stateDir())).isEqualTo("rwxr-xr-x");
    }
}
