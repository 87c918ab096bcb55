package io.ovsdpdk.api;

import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.locks.LockSupport;

/**
 * Deletions that were asked for while no agent was there: one file for each attachment, left by the plugin, carried out
 * and removed by the agent. A DEL that failed would not be repeated, and the pod's port would stay.
 *
 * <p>Order of events. The agent begins to listen while it holds the lock, and reads the folder afterwards. The plugin looks
 * once more, while it holds the lock, whether an agent listens, and leaves a file only if none does. So either the agent
 * sees the file, or the plugin sees the agent.
 */
public final class DeletionQueue {
    /** Ten times what a node can hold; a full queue means that no agent has come for long. */
    public static final int CAPACITY = 10_000;

    /** Its name in the agent's folder. */
    public static final String FOLDER = "deletions";

    private static final String LOCK = ".lock";
    private static final String SUFFIX = ".json";
    private static final String FRESH = ".new";
    private static final Duration LOCK_PAUSE = Duration.ofMillis(2);

    private final Path folder;

    /** @param folder made when it is needed: 0700, and its parent 0711 */
    public DeletionQueue(Path folder) {
        this.folder = folder;
    }

    /** The queue of the agent that listens at {@code <run-dir>/agent/agent.sock}: {@code <run-dir>/deletions}. */
    public static DeletionQueue of(Path agentSocket) throws CniException {
        Path agentDir = agentSocket.getParent();
        if (agentDir == null || agentDir.getParent() == null) {
            throw new CniException(
                    ErrorCode.CONFIGURATION,
                    "agentSocket " + Quoted.of(agentSocket.toString()) + " must be agent/agent.sock in a folder");
        }
        return new DeletionQueue(agentDir.resolveSibling(FOLDER));
    }

    /**
     * A deletion in the queue.
     *
     * @param file where it stands
     * @param version tells this file from one that took its place
     */
    public record Entry(AttachmentId id, Path file, Object version) {}

    /** The lock; gives it back when closed. */
    public static final class Held implements AutoCloseable {
        private final FileChannel channel;
        private final FileLock lock;

        private Held(FileChannel channel, FileLock lock) {
            this.channel = channel;
            this.lock = lock;
        }

        @Override
        public void close() throws IOException {
            try (channel) {
                lock.release();
            }
        }
    }

    /** The folder of the files, which is there once this returned. */
    public Path folder() throws IOException {
        make(folder.getParent(), "rwx--x--x");
        make(folder, "rwx------");
        return folder;
    }

    private static void make(Path path, String mode) throws IOException {
        FileAttribute<Set<PosixFilePermission>> permissions =
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(mode));
        try {
            Files.createDirectory(path, permissions);
            // Whatever the umask is
            Files.setPosixFilePermissions(path, permissions.value());
        } catch (FileAlreadyExistsException e) {
            if (!Files.isDirectory(path)) {
                throw e;
            }
        }
    }

    /**
     * Takes the lock that plugin and agent share. It goes with the process that holds it.
     *
     * @throws IOException when others held it for all that time, or the folder can't be made
     */
    public Held lock(Duration patience) throws IOException {
        FileChannel channel =
                FileChannel.open(folder().resolve(LOCK), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        try {
            long end = System.nanoTime() + patience.toNanos();
            while (true) {
                FileLock lock = tryLock(channel);
                if (lock != null) {
                    return new Held(channel, lock);
                }
                if (System.nanoTime() - end > 0) {
                    throw new IOException(
                            "others hold " + folder.resolve(LOCK) + " for more than " + patience.toMillis() + " ms");
                }
                LockSupport.parkNanos(LOCK_PAUSE.toNanos());
            }
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }

    private static FileLock tryLock(FileChannel channel) throws IOException {
        try {
            return channel.tryLock();
        } catch (OverlappingFileLockException e) {
            // another thread of this process holds it
            return null;
        }
    }

    /**
     * Leaves a deletion for the agent.
     *
     * @param held shows that the caller holds the lock
     * @throws IOException when it can't be written, or the queue is full
     */
    public void leave(AttachmentId id, Held held) throws IOException {
        Path file = folder().resolve(name(id) + SUFFIX);
        if (!Files.exists(file) && files(SUFFIX).size() >= CAPACITY) {
            throw new IOException(folder + " holds " + CAPACITY + " deletions, which is the limit");
        }
        Path fresh = file.resolveSibling(name(id) + FRESH);
        Files.deleteIfExists(fresh);
        try {
            Files.createFile(fresh, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
            Files.write(fresh, Wire.encode(new Request.Delete(id)), StandardOpenOption.WRITE);
            Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            Files.deleteIfExists(fresh);
            throw e;
        }
    }

    /**
     * What is in the queue now. A file that holds no deletion is removed: nobody can say what it was to be.
     *
     * @param entries the deletions
     * @param unreadable what can't be read or removed, and why; it keeps the others from nothing
     */
    public record Contents(List<Entry> entries, Map<Path, String> unreadable) {}

    /**
     * What is in the queue now.
     *
     * @throws IOException when the folder can't be read
     */
    public Contents read() throws IOException {
        List<Entry> entries = new ArrayList<>();
        Map<Path, String> unreadable = new TreeMap<>();
        for (Path file : files(SUFFIX)) {
            try {
                Optional<Entry> entry = read(file);
                if (entry.isPresent()) {
                    entries.add(entry.get());
                } else {
                    Files.deleteIfExists(file);
                }
            } catch (NoSuchFileException e) {
                // carried out by somebody else meanwhile
                continue;
            } catch (IOException e) {
                unreadable.put(file, e.toString());
            }
        }
        return new Contents(entries, unreadable);
    }

    /** Empty when it holds no deletion. */
    private static Optional<Entry> read(Path file) throws IOException {
        // Whatever else it is could keep a reader waiting for ever
        if (!Files.readAttributes(file, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS)
                .isRegularFile()) {
            throw new IOException("it is no file");
        }
        Object version = version(file);
        byte[] line;
        try (InputStream input = Files.newInputStream(file, LinkOption.NOFOLLOW_LINKS)) {
            line = input.readNBytes(Json.MAX_BYTES + 1);
        }
        try {
            return Wire.decodeRequest(line) instanceof Request.Delete(AttachmentId id)
                    ? Optional.of(new Entry(id, file, version))
                    : Optional.empty();
        } catch (CniException e) {
            return Optional.empty();
        }
    }

    /** Whether there are files that a plugin writes, or wrote when it was killed. */
    public boolean hasHalfWritten() throws IOException {
        return !files(FRESH).isEmpty();
    }

    /**
     * Removes what plugins left half written when they were killed. Who writes holds the lock, so all of it is theirs.
     *
     * @param held shows that the caller holds the lock
     */
    public void removeHalfWritten(Held held) throws IOException {
        for (Path file : files(FRESH)) {
            Files.deleteIfExists(file);
        }
    }

    /**
     * Takes a deletion off the queue, unless it was left anew since it was read.
     *
     * @param held shows that the caller holds the lock
     */
    public void remove(Entry entry, Held held) throws IOException {
        try {
            if (version(entry.file()).equals(entry.version())) {
                Files.delete(entry.file());
            }
        } catch (NoSuchFileException e) {
            // it is off already, which is all we want
            return;
        }
    }

    private List<Path> files(String ending) throws IOException {
        List<Path> files = new ArrayList<>();
        try (DirectoryStream<Path> stream = Files.newDirectoryStream(folder(), "*" + ending)) {
            stream.forEach(files::add);
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        }
        return files;
    }

    private static Object version(Path file) throws IOException {
        BasicFileAttributes attributes = Files.readAttributes(file, BasicFileAttributes.class);
        return List.of(attributes.fileKey(), attributes.lastModifiedTime());
    }

    private static String name(AttachmentId id) {
        try {
            return HexFormat.of()
                    .formatHex(MessageDigest.getInstance("SHA-256")
                            .digest(id.toString().getBytes(StandardCharsets.UTF_8)));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
