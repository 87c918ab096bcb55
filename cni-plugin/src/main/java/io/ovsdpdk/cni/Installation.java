package io.ovsdpdk.cni;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.Set;

/**
 * Puts an executable where runtimes look for plugins. The file appears whole or not at all, and a running one keeps what it
 * runs: it is written beside its place, synced, and renamed.
 *
 * @param source the executable
 */
record Installation(Path source) {
    static final String NAME = "ovs-dpdk";

    private static final String FRESH = "." + NAME + "-";
    private static final String FRESH_END = ".new";

    /** No installation takes that long. */
    private static final Duration LONGEST = Duration.ofMinutes(10);

    /**
     * Bytes written at once. Some kernels keep in one piece, and map so, what was written at once: a process then starts
     * half a millisecond sooner than from a file that was written page by page. With more than this they map megabytes
     * that nobody uses.
     */
    private static final int CHUNK = 1 << 16;

    private static final FileAttribute<Set<PosixFilePermission>> PRIVATE =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));

    /** @throws IOException when it is no executable of its own that runs, but a JVM */
    static Installation ofRunning() throws IOException {
        if (System.getProperty("org.graalvm.nativeimage.imagecode") == null) {
            throw new IOException("only the native executable can install itself: make native builds it");
        }
        Path running = Path.of("/proc/self/exe");
        if (!Files.isReadable(running)) {
            throw new IOException("can't read " + running + ", which is this executable: is /proc mounted?");
        }
        return new Installation(running);
    }

    /**
     * @param folder must exist
     * @return where it is now
     * @throws IOException when it can't be written; then nothing is changed
     */
    Path into(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            throw new IOException("there is no folder " + folder);
        }
        Path target = folder.resolve(NAME);
        // Not createTempFile, which takes random numbers of a /dev that need not be there
        Path fresh = folder.resolve(FRESH + ProcessHandle.current().pid() + "-" + System.nanoTime() + FRESH_END);
        try {
            copy(fresh);
            Files.setPosixFilePermissions(fresh, PosixFilePermissions.fromString("rwxr-xr-x"));
            Files.move(fresh, target, StandardCopyOption.ATOMIC_MOVE);
            try (FileChannel directory = FileChannel.open(folder, StandardOpenOption.READ)) {
                directory.force(true);
            }
            removeHalfWritten(folder, target);
            return target;
        } catch (IOException e) {
            Files.deleteIfExists(fresh);
            throw e;
        }
    }

    /**
     * Takes it away again.
     *
     * @return whether there was one
     */
    static boolean removeFrom(Path folder) throws IOException {
        return Files.deleteIfExists(folder.resolve(NAME));
    }

    /** What those have left that were killed: a node's folder must not fill with them. */
    private static void removeHalfWritten(Path folder, Path installed) {
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, FRESH + "*" + FRESH_END)) {
            Instant old = written(installed).minus(LONGEST);
            for (Path file : files) {
                if (written(file).isBefore(old)) {
                    Files.deleteIfExists(file);
                }
            }
        } catch (IOException | DirectoryIteratorException e) {
            // This one is done; the next one tries again
            return;
        }
    }

    /** By the file system's own clock. */
    private static Instant written(Path file) throws IOException {
        return Files.getLastModifiedTime(file, LinkOption.NOFOLLOW_LINKS).toInstant();
    }

    private void copy(Path to) throws IOException {
        try (FileChannel in = FileChannel.open(source, StandardOpenOption.READ);
                FileChannel out = FileChannel.open(
                        to, Set.of(StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW), PRIVATE)) {
            ByteBuffer buffer = ByteBuffer.allocate(CHUNK);
            while (in.read(buffer.clear()) >= 0) {
                buffer.flip();
                while (buffer.hasRemaining()) {
                    out.write(buffer);
                }
            }
            out.force(true);
        }
    }
}
