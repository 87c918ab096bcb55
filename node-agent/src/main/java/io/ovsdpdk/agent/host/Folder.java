package io.ovsdpdk.agent.host;

import static io.ovsdpdk.agent.host.Errno.EEXIST;
import static io.ovsdpdk.agent.host.Errno.ENOENT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * A folder held by an open descriptor: what happens to its path meanwhile does not matter. Below it nothing follows a
 * symbolic link or leads out of it. Belongs to one thread at a time, and is closed by whoever opened it. Methods throw
 * {@link LinuxException} unless they say otherwise.
 */
public final class Folder implements AutoCloseable {

    /** Enough for hundreds of names a call, little enough for two listings at once in each thread. */
    private static final int LISTING_BYTES = 32 * 1024;

    private final LinuxCalls calls;
    private final Descriptor descriptor;
    private boolean closed;

    private Folder(LinuxCalls calls, Descriptor descriptor) {
        this.calls = calls;
        this.descriptor = descriptor;
    }

    /** Whether a path below a folder may lead into a mount. */
    public enum Mounts {
        /** An administrator may have mounted a disk on the way. */
        CROSSED,
        /** A mount in the way is {@link Errno#EXDEV}. */
        REFUSED
    }

    /**
     * A folder for sure, and whether it is new.
     *
     * @param folder the caller closes it
     * @param created false if it stood there before
     */
    public record Child(Folder folder, boolean created) {}

    /** Sees each entry of a folder; what it throws ends the listing. */
    interface Visitor {
        void entry(DirectoryEntry entry) throws LinuxException;
    }

    /**
     * Opens a folder by a path that the administrator vouches for: links in it are followed.
     *
     * @param path absolute
     */
    public static Folder open(LinuxCalls calls, Path path) throws LinuxException {
        if (!path.isAbsolute()) {
            throw new IllegalArgumentException("a trusted path must be absolute: " + path);
        }
        return new Folder(calls, calls.openFolder(Descriptor.NONE, FileName.kernelBytes(path), 0));
    }

    /**
     * The same, and makes what is missing of the path, root's with the given mode.
     *
     * @param path absolute
     * @param created gets the folders added that had to be made, outermost first
     */
    static Folder openOrMake(LinuxCalls calls, Path path, int mode, List<Path> created) throws LinuxException {
        try {
            return open(calls, path);
        } catch (LinuxException e) {
            if (!e.is(ENOENT) || path.getParent() == null) {
                throw e;
            }
        }
        try (Folder parent = openOrMake(calls, path.getParent(), mode, created)) {
            Child child = parent.makeChild(FileName.of(path.getFileName().toString()), mode, 0, 0, Mounts.CROSSED);
            if (child.created()) {
                created.add(path);
            }
            return child.folder();
        }
    }

    /**
     * Opens a folder below this one; a link anywhere is {@link Errno#ELOOP}, a file {@link Errno#ENOTDIR}.
     *
     * @param relative a relative path without {@code ..}; the empty one opens this folder again
     */
    public Folder openBelow(Path relative, Mounts mounts) throws LinuxException {
        if (relative.isAbsolute() || !relative.equals(relative.normalize()) || relative.startsWith("..")) {
            throw new IllegalArgumentException("not a path below a folder: " + relative);
        }
        String bytes = FileName.kernelBytes(relative);
        return openBelow(bytes.isEmpty() ? "." : bytes, mounts);
    }

    /** Opens one entry of this folder, which must be a folder itself. */
    public Folder openChild(FileName name, Mounts mounts) throws LinuxException {
        return openBelow(name.bytes(), mounts);
    }

    private Folder openBelow(String bytes, Mounts mounts) throws LinuxException {
        long resolve = LinuxCalls.RESOLVE_BELOW | (mounts == Mounts.REFUSED ? LinuxCalls.RESOLVE_NO_XDEV : 0);
        return new Folder(calls, calls.openFolder(descriptor, bytes, resolve));
    }

    /**
     * Opens the folder of this name, and makes it if it is missing: then with exactly this mode and owner, whatever the
     * process's umask and this folder's set-group-ID bit. One that stands there is left as it is.
     *
     * @param mode permission bits
     * @param mounts whether a folder that stands there may be a mount point
     * @throws LinuxException {@link Errno#ELOOP} or {@link Errno#ENOTDIR} if something else has the name,
     *     {@link Errno#ENOENT} if this folder has been removed, or the child as soon as it was made
     */
    public Child makeChild(FileName name, int mode, int uid, int gid, Mounts mounts) throws LinuxException {
        if (!makeIfMissing(name, mode)) {
            return new Child(openChild(name, mounts), false);
        }
        try {
            return new Child(openNew(name, mode, uid, gid), true);
        } catch (LinuxException e) {
            removeAfter(e, name);
            throw e;
        }
    }

    private Folder openNew(FileName name, int mode, int uid, int gid) throws LinuxException {
        Folder child = openChild(name, Mounts.REFUSED);
        try {
            child.setOwnerAndMode(mode, uid, gid);
            return child;
        } catch (LinuxException e) {
            child.closeAfter(e);
            throw e;
        }
    }

    private boolean makeIfMissing(FileName name, int mode) throws LinuxException {
        try {
            calls.mkdirat(descriptor, name, mode);
            return true;
        } catch (LinuxException e) {
            if (e.is(EEXIST)) {
                return false;
            }
            throw e;
        }
    }

    void closeAfter(LinuxException failure) {
        try {
            close();
        } catch (LinuxException e) {
            failure.addSuppressed(e);
        }
    }

    private void removeAfter(LinuxException failure, FileName name) {
        try {
            removeFolder(name);
        } catch (LinuxException e) {
            failure.addSuppressed(e);
        }
    }

    /** Owner first: a change of the owner may take mode bits away. */
    public void setOwnerAndMode(int mode, int uid, int gid) throws LinuxException {
        calls.fchown(descriptor, uid, gid);
        calls.fchmod(descriptor, mode);
    }

    /** Sets an extended attribute of this folder, {@code system.posix_acl_default} for instance. */
    public void setAttribute(String attribute, byte[] value) throws LinuxException {
        calls.setAttribute(descriptor, attribute, value);
    }

    /** The names of all entries, in no order. */
    public List<FileName> names() throws LinuxException {
        List<FileName> names = new ArrayList<>();
        visit(entry -> names.add(entry.name()));
        return names;
    }

    /**
     * Lists this folder from its start with memory for some hundred entries, however many there are. The visitor may
     * remove entries; ones added meanwhile may or may not be seen.
     */
    void visit(Visitor visitor) throws LinuxException {
        calls.rewind(descriptor);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(LISTING_BYTES, 8);
            List<DirectoryEntry> entries = new ArrayList<>();
            while (calls.getdents64(descriptor, buffer, entries)) {
                for (DirectoryEntry entry : entries) {
                    visitor.entry(entry);
                }
                entries.clear();
            }
        }
    }

    /** Removes an entry that is not a folder; a link goes, not what it leads to. */
    public void unlink(FileName name) throws LinuxException {
        calls.unlinkat(descriptor, name);
    }

    /** Removes an empty folder. */
    public void removeFolder(FileName name) throws LinuxException {
        calls.rmdirat(descriptor, name);
    }

    void rename(FileName name, Folder to, FileName newName) throws LinuxException {
        calls.renameat(descriptor, name, to.descriptor, newName);
    }

    /**
     * Removes an entry, whatever it is, and if it is a folder all that is in it. Links are removed and not followed,
     * mounts are not entered. Takes three descriptors and some 64 KiB, however deep and full the folder is. A folder is
     * made root's, 0700, before it is emptied. Nothing of that name is success.
     *
     * @param limit how long it may take: somebody with root's rights in a pod can add files for ever
     * @throws TreeNotRemovedException with what is left: mounts, what was added meanwhile, what the time did not
     *     suffice for; all else is gone
     * @throws LinuxException if this folder can't be worked in
     */
    public void removeTree(FileName name, Duration limit) throws IOException {
        new TreeRemoval(this, name, limit).run();
    }

    /** Which folder this is. */
    public FileStatus.Identity identity() throws LinuxException {
        return status().identity();
    }

    /** Owner, mode and identity. */
    public FileStatus status() throws LinuxException {
        return calls.status(descriptor);
    }

    /** The {@code ST_} bits of the mount through which this folder was opened. */
    long mountFlags() throws LinuxException {
        return calls.mountFlags(descriptor);
    }

    /**
     * Where this folder stands now, all links resolved. The kernel adds {@code " (deleted)"} if it has been removed.
     *
     * @throws IOException if /proc can't be read
     */
    public Path hostPath() throws IOException {
        return Files.readSymbolicLink(Path.of(descriptor.link()));
    }

    Descriptor descriptor() {
        return descriptor;
    }

    /** Closing twice is fine. */
    @Override
    public void close() throws LinuxException {
        if (!closed) {
            // close(2) gives the descriptor back even when it fails
            closed = true;
            calls.close(descriptor);
        }
    }

    /** The path by which this folder was opened, printable. */
    @Override
    public String toString() {
        return descriptor.label();
    }
}
