package io.ovsdpdk.ovsdb.testbed;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.HexFormat;
import java.util.concurrent.ThreadLocalRandom;

/**
 * A new folder {@code /tmp/ovs-<6 hex>}. The name is short because the sockets below it must fit into the 107 bytes of
 * a unix socket's address.
 */
record RunFolder(Path path) {
    static RunFolder create() throws IOException {
        while (true) {
            int number = ThreadLocalRandom.current().nextInt(1 << 24);
            Path path = Path.of("/tmp/ovs-" + HexFormat.of().toHexDigits(number, 6));
            try {
                return new RunFolder(Files.createDirectory(path));
            } catch (FileAlreadyExistsException e) {
                continue; // another run's; the next number
            }
        }
    }

    /** Removes the folder and all in it; links are not followed. */
    void delete() throws IOException {
        if (Files.notExists(path)) {
            return;
        }
        Files.walkFileTree(path, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.deleteIfExists(file);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path folder, IOException failure) throws IOException {
                if (failure != null) {
                    throw failure;
                }
                Files.delete(folder);
                return FileVisitResult.CONTINUE;
            }
        });
    }
}
