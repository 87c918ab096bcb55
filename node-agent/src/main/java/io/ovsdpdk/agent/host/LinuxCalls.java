package io.ovsdpdk.agent.host;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/**
 * The calls of Linux that Java does not have. All go through {@code syscall(2)}: one native function to bind, and no
 * dependence on which of them a C library wraps. Paths and names are bytes held as ISO 8859-1 characters (see
 * {@link FileName}). Every failure is a {@link LinuxException}. Stateless, for any number of threads; a call holds its
 * carrier thread while it lasts. Linux on amd64 and arm64, whose layouts of the structures used here are the same.
 */
@SuppressWarnings("restricted")
public class LinuxCalls {

    /** Never through a link (also no link of /proc), never above the descriptor it starts from. */
    static final long RESOLVE_BELOW = 0x08 | 0x04 | 0x02;

    /** Never into a mount. */
    static final long RESOLVE_NO_XDEV = 0x01;

    static final long MOUNT_ATTR_NOSUID = 0x2;
    static final long MOUNT_ATTR_NODEV = 0x4;
    static final long MOUNT_ATTR_NOEXEC = 0x8;
    static final long MOUNT_ATTR_NOSYMFOLLOW = 0x200000;

    static final long ST_NOSUID = 0x2;
    static final long ST_NODEV = 0x4;
    static final long ST_NOEXEC = 0x8;
    static final long ST_NOSYMFOLLOW = 0x2000;

    private static final boolean ARM64 = System.getProperty("os.arch").equals("aarch64");

    /** Of an inotify watch on a folder: an entry appeared, or got another mode, owner or attribute. */
    static final long IN_APPEARED_OR_CHANGED = 0x4 | 0x80 | 0x100;

    /** Of an inotify watch: the watched folder itself is gone. */
    static final long IN_DELETE_SELF = 0x400;

    /** In place of a watch's number: the kernel's queue was full, and what followed was dropped. */
    static final int EVENTS_LOST = -1;

    private static final long O_DIRECTORY = ARM64 ? 0x4000 : 0x10000;
    private static final long O_NOFOLLOW = ARM64 ? 0x8000 : 0x20000;
    private static final long O_PATH = 0x200000;
    private static final long O_CLOEXEC = 0x80000;
    private static final long AT_REMOVEDIR = 0x200;
    private static final long AT_EMPTY_PATH = 0x1000;
    private static final long STATX_BASIC_STATS = 0x7ff;
    private static final long OPEN_TREE_CLONE = 0x1;
    private static final long MOVE_MOUNT_F_EMPTY_PATH = 0x4;
    private static final long MOVE_MOUNT_T_EMPTY_PATH = 0x40;
    private static final long MS_REMOUNT = 0x20;
    private static final long MS_BIND = 0x1000;
    private static final long MS_PRIVATE = 0x40000;
    private static final long MNT_DETACH = 0x2;
    private static final long UMOUNT_NOFOLLOW = 0x8;

    private static final long OPEN_HOW_BYTES = 24;
    private static final long MOUNT_ATTR_BYTES = 32;
    private static final long STATX_BYTES = 256;
    private static final long STATFS_BYTES = 120;
    private static final int XATTR_SIZE_MAX = 65536;
    private static final long IN_ONLYDIR = 0x1000000;
    private static final int INOTIFY_EVENT_BYTES = 16;

    private static final StructLayout CALL_STATE = Linker.Option.captureStateLayout();
    private static final VarHandle ERRNO = CALL_STATE.varHandle(MemoryLayout.PathElement.groupElement("errno"));
    private static final MethodHandle SYSCALL = bindSyscall();

    /** The numbers of the calls: amd64's, and those of arm64. */
    private enum Call {
        READ(0, 63),
        CLOSE(3, 57),
        LSEEK(8, 62),
        FCHMOD(91, 52),
        FCHOWN(93, 55),
        FSTATFS(138, 44),
        MOUNT(165, 40),
        UMOUNT2(166, 39),
        SETXATTR(188, 5),
        GETXATTR(191, 8),
        GETDENTS64(217, 61),
        INOTIFY_ADD_WATCH(254, 27),
        INOTIFY_RM_WATCH(255, 28),
        MKDIRAT(258, 34),
        UNLINKAT(263, 35),
        RENAMEAT(264, 38),
        INOTIFY_INIT1(294, 26),
        STATX(332, 291),
        OPEN_TREE(428, 428),
        MOVE_MOUNT(429, 429),
        OPENAT2(437, 437),
        MOUNT_SETATTR(442, 442);

        private final long number;

        Call(long amd64, long arm64) {
            this.number = ARM64 ? arm64 : amd64;
        }
    }

    /** @throws UnsupportedOperationException on another system than Linux on amd64 or arm64 */
    public LinuxCalls() {
        String system = System.getProperty("os.name") + "/" + System.getProperty("os.arch");
        if (!system.equals("Linux/amd64") && !system.equals("Linux/aarch64")) {
            throw new UnsupportedOperationException("socket folders need Linux on amd64 or arm64, this is " + system);
        }
    }

    private static MethodHandle bindSyscall() {
        Linker linker = Linker.nativeLinker();
        ValueLayout.OfLong number = ValueLayout.JAVA_LONG;
        return linker.downcallHandle(
                linker.defaultLookup().findOrThrow("syscall"),
                FunctionDescriptor.of(number, number, number, number, number, number, number),
                Linker.Option.captureCallState("errno"),
                Linker.Option.firstVariadicArg(1));
    }

    private static long call(Call call, String label, long... arguments) throws LinuxException {
        long[] a = new long[5];
        System.arraycopy(arguments, 0, a, 0, arguments.length);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(CALL_STATE);
            long result = (long) SYSCALL.invokeExact(state, call.number, a[0], a[1], a[2], a[3], a[4]);
            if (result == -1) {
                throw new LinuxException(call.name().toLowerCase(Locale.ROOT), label, (int) ERRNO.get(state, 0L));
            }
            return result;
        } catch (LinuxException e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError("a native call throws nothing", e);
        }
    }

    private static long text(Arena arena, String bytes) {
        return arena.allocateFrom(bytes, StandardCharsets.ISO_8859_1).address();
    }

    /**
     * Opens a folder for listing and changing: {@code openat2(O_RDONLY|O_DIRECTORY|O_CLOEXEC)}.
     *
     * @param at where a relative path starts, {@link Descriptor#NONE} for an absolute path
     * @param resolve how the path is walked: 0 or {@code RESOLVE_} bits
     */
    Descriptor openFolder(Descriptor at, String path, long resolve) throws LinuxException {
        return open(at, path, O_DIRECTORY, resolve);
    }

    /**
     * Refers to an entry of a folder, whatever it is, without opening it: {@code openat2(O_PATH|O_NOFOLLOW|O_CLOEXEC)}. A
     * link is referred to itself; a mount is {@link Errno#EXDEV}.
     */
    Descriptor openEntry(Descriptor at, FileName name) throws LinuxException {
        return open(at, name.bytes(), O_PATH | O_NOFOLLOW, RESOLVE_BELOW | RESOLVE_NO_XDEV);
    }

    private static Descriptor open(Descriptor at, String path, long flags, long resolve) throws LinuxException {
        String label = at.labelOf(path);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment how = arena.allocate(OPEN_HOW_BYTES, 8);
            how.set(ValueLayout.JAVA_LONG, 0, flags | O_CLOEXEC);
            how.set(ValueLayout.JAVA_LONG, 16, resolve);
            long opened = call(Call.OPENAT2, label, at.number(), text(arena, path), how.address(), OPEN_HOW_BYTES);
            return new Descriptor((int) opened, label);
        }
    }

    void close(Descriptor descriptor) throws LinuxException {
        call(Call.CLOSE, descriptor.label(), descriptor.number());
    }

    /** Makes a folder; the process's umask takes bits away from {@code mode}. */
    void mkdirat(Descriptor at, FileName name, int mode) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            call(Call.MKDIRAT, at.labelOf(name.bytes()), at.number(), text(arena, name.bytes()), mode);
        }
    }

    /** Removes any entry that is not a folder, and follows nothing. */
    void unlinkat(Descriptor at, FileName name) throws LinuxException {
        unlinkat(at, name, 0);
    }

    /** Removes an empty folder. */
    void rmdirat(Descriptor at, FileName name) throws LinuxException {
        unlinkat(at, name, AT_REMOVEDIR);
    }

    private static void unlinkat(Descriptor at, FileName name, long flags) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            call(Call.UNLINKAT, at.labelOf(name.bytes()), at.number(), text(arena, name.bytes()), flags);
        }
    }

    void renameat(Descriptor from, FileName name, Descriptor to, FileName newName) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            String label = from.labelOf(name.bytes()) + " -> " + to.labelOf(newName.bytes());
            long source = text(arena, name.bytes());
            call(Call.RENAMEAT, label, from.number(), source, to.number(), text(arena, newName.bytes()));
        }
    }

    void fchown(Descriptor file, int uid, int gid) throws LinuxException {
        call(Call.FCHOWN, file.label(), file.number(), uid, gid);
    }

    void fchmod(Descriptor file, int mode) throws LinuxException {
        call(Call.FCHMOD, file.label(), file.number(), mode);
    }

    /**
     * Sets an extended attribute of an open file, made if missing: {@code system.posix_acl_default} for instance. The
     * descriptor may be one of {@link #openEntry}, which fsetxattr(2) refuses.
     */
    void setAttribute(Descriptor file, String attribute, byte[] value) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocateFrom(ValueLayout.JAVA_BYTE, value);
            String label = file.label() + " " + attribute;
            call(Call.SETXATTR, label, text(arena, file.link()), text(arena, attribute), bytes.address(), value.length);
        }
    }

    /** Reads an extended attribute of an open file, also of one of {@link #openEntry}; empty if it has none. */
    Optional<byte[]> attribute(Descriptor file, String attribute) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate(XATTR_SIZE_MAX);
            String label = file.label() + " " + attribute;
            long name = text(arena, attribute);
            long length = call(Call.GETXATTR, label, text(arena, file.link()), name, bytes.address(), XATTR_SIZE_MAX);
            return Optional.of(bytes.asSlice(0, length).toArray(ValueLayout.JAVA_BYTE));
        } catch (LinuxException e) {
            if (e.is(Errno.ENODATA)) {
                return Optional.empty();
            }
            throw e;
        }
    }

    FileStatus status(Descriptor file) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment statx = arena.allocate(STATX_BYTES, 8);
            long here = text(arena, "");
            call(Call.STATX, file.label(), file.number(), here, AT_EMPTY_PATH, STATX_BASIC_STATS, statx.address());
            long major = Integer.toUnsignedLong(statx.get(ValueLayout.JAVA_INT, 136));
            long minor = Integer.toUnsignedLong(statx.get(ValueLayout.JAVA_INT, 140));
            return new FileStatus(
                    new FileStatus.Identity(major << 32 | minor, statx.get(ValueLayout.JAVA_LONG, 32)),
                    Short.toUnsignedInt(statx.get(ValueLayout.JAVA_SHORT, 28)),
                    statx.get(ValueLayout.JAVA_INT, 20),
                    statx.get(ValueLayout.JAVA_INT, 24));
        }
    }

    /** The {@code ST_} bits of the mount that the file was opened through. */
    long mountFlags(Descriptor file) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment statfs = arena.allocate(STATFS_BYTES, 8);
            call(Call.FSTATFS, file.label(), file.number(), statfs.address());
            return statfs.get(ValueLayout.JAVA_LONG, 80);
        }
    }

    /** Starts the listing of a folder anew. */
    void rewind(Descriptor folder) throws LinuxException {
        call(Call.LSEEK, folder.label(), folder.number(), 0, 0);
    }

    /**
     * The next entries of a folder, without {@code .} and {@code ..}.
     *
     * @param buffer where the kernel writes them, at least 280 bytes
     * @param entries gets them added
     * @return false at the end of the folder
     */
    boolean getdents64(Descriptor folder, MemorySegment buffer, List<DirectoryEntry> entries) throws LinuxException {
        long filled = call(Call.GETDENTS64, folder.label(), folder.number(), buffer.address(), buffer.byteSize());
        for (long at = 0;
                at < filled;
                at += Short.toUnsignedInt(buffer.get(ValueLayout.JAVA_SHORT_UNALIGNED, at + 16))) {
            String name = buffer.getString(at + 19, StandardCharsets.ISO_8859_1);
            if (!name.equals(".") && !name.equals("..")) {
                boolean isFolder = buffer.get(ValueLayout.JAVA_BYTE, at + 18) == 4;
                entries.add(new DirectoryEntry(new FileName(name), isFolder));
            }
        }
        return filled > 0;
    }

    /**
     * Clones the mount of a folder, from that folder down and without mounts inside; it vanishes with its descriptor.
     */
    Descriptor openTree(Descriptor folder) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            long flags = OPEN_TREE_CLONE | O_CLOEXEC | AT_EMPTY_PATH;
            long clone = call(Call.OPEN_TREE, folder.label(), folder.number(), text(arena, ""), flags);
            return new Descriptor((int) clone, folder.label());
        }
    }

    /**
     * Sets {@code MOUNT_ATTR_} bits of a mount and makes it private: what is mounted in its original stays out of it.
     */
    void mountSetattr(Descriptor mount, long attributes) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment attr = arena.allocate(MOUNT_ATTR_BYTES, 8);
            attr.set(ValueLayout.JAVA_LONG, 0, attributes);
            attr.set(ValueLayout.JAVA_LONG, 16, MS_PRIVATE);
            long here = text(arena, "");
            call(
                    Call.MOUNT_SETATTR,
                    mount.label(),
                    mount.number(),
                    here,
                    AT_EMPTY_PATH,
                    attr.address(),
                    MOUNT_ATTR_BYTES);
        }
    }

    /** The way before Linux 5.12: sets {@code ST_} bits of a mount that is in place, by any descriptor of its root. */
    void remount(Descriptor mount, long flags) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            long target = text(arena, mount.link());
            call(Call.MOUNT, mount.label(), 0, target, 0, MS_REMOUNT | MS_BIND | flags, 0);
        }
    }

    /** Puts a cloned mount onto a folder. */
    void moveMount(Descriptor mount, Descriptor onto) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            long here = text(arena, "");
            long flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
            String label = mount.label() + " -> " + onto.label();
            call(Call.MOVE_MOUNT, label, mount.number(), here, onto.number(), here, flags);
        }
    }

    /**
     * Takes the uppermost mount away from an absolute path, also while it is in use; a link at its end is not
     * followed.
     */
    void umount(String path) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            call(Call.UMOUNT2, FileName.printable(path), text(arena, path), MNT_DETACH | UMOUNT_NOFOLLOW);
        }
    }

    /** A new queue of file system events, without watches. */
    Descriptor newInotify() throws LinuxException {
        return new Descriptor((int) call(Call.INOTIFY_INIT1, "inotify", O_CLOEXEC), "inotify");
    }

    /**
     * Watches a folder, or changes what is watched of it; the watch stays with the folder when its path comes to mean
     * another one, and ends with it.
     *
     * @param path absolute, of people the agent trusts
     * @param events {@code IN_} bits
     * @return the watch's number, 1 or more; the same for each path of one folder
     */
    int addWatch(Descriptor inotify, String path, long events) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            String label = FileName.printable(path);
            return (int) call(Call.INOTIFY_ADD_WATCH, label, inotify.number(), text(arena, path), events | IN_ONLYDIR);
        }
    }

    /** Ends a watch, of which a last event tells; {@link Errno#EINVAL} if it has ended by itself. */
    void removeWatch(Descriptor inotify, int watch) throws LinuxException {
        call(Call.INOTIFY_RM_WATCH, inotify.label() + " watch " + watch, inotify.number(), watch);
    }

    /**
     * Waits until there are events and takes as many as the buffer holds.
     *
     * @param buffer where the kernel writes them, at least 272 bytes
     * @return the numbers of the watches that they came from, and {@link #EVENTS_LOST}
     */
    Set<Integer> awaitEvents(Descriptor inotify, MemorySegment buffer) throws LinuxException {
        long filled = call(Call.READ, inotify.label(), inotify.number(), buffer.address(), buffer.byteSize());
        Set<Integer> watches = new HashSet<>();
        for (long at = 0;
                at < filled;
                at += INOTIFY_EVENT_BYTES + buffer.get(ValueLayout.JAVA_INT_UNALIGNED, at + 12)) {
            watches.add(buffer.get(ValueLayout.JAVA_INT_UNALIGNED, at));
        }
        return watches;
    }
}
