package io.ovsdpdk.agent.host;

import static io.ovsdpdk.agent.host.Errno.EINVAL;
import static io.ovsdpdk.agent.host.Errno.ENOENT;
import static io.ovsdpdk.agent.host.Errno.ENOSYS;
import static io.ovsdpdk.agent.host.Errno.ENOTDIR;
import static io.ovsdpdk.agent.host.Errno.EPERM;
import static io.ovsdpdk.agent.host.Errno.EXDEV;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The folder with the mount points, root's, made when it is needed, which nobody but the switch may walk through. Each
 * mount shows one socket folder, without set-user-ID bits, devices and execution, and with links refused where the kernel
 * can. Not synchronized: two threads must not work on the same mount point at once, which {@link SocketFolders} sees to.
 */
final class MountRoot {

    /** The mount point that {@link #probe} uses; no folder's has this form. */
    private static final FileName PROBE = FileName.of("probe");

    private static final int ROOT_ONLY = 0700;
    private static final int WALK_ONLY = 0711;
    private static final int ID_DIGITS = 16;
    private static final long ALWAYS =
            LinuxCalls.MOUNT_ATTR_NOSUID | LinuxCalls.MOUNT_ATTR_NODEV | LinuxCalls.MOUNT_ATTR_NOEXEC;
    private static final long ALWAYS_SHOWN = LinuxCalls.ST_NOSUID | LinuxCalls.ST_NODEV | LinuxCalls.ST_NOEXEC;

    private final LinuxCalls calls;
    private final Path path;
    private final Nosymfollow nosymfollow;
    private final SocketAccess access;

    /** @param access what lets the switch, and nobody else, come by */
    MountRoot(LinuxCalls calls, Path path, Nosymfollow nosymfollow, SocketAccess access) {
        if (!path.isAbsolute() || !path.equals(path.normalize())) {
            throw new IllegalArgumentException("the folder of the mounts must be an absolute path: " + path);
        }
        this.calls = calls;
        this.path = path;
        this.nosymfollow = nosymfollow;
        this.access = access;
    }

    /** The mount point of a folder: 16 hex digits of the SHA-256 of its resolved path. */
    Path pointFor(Path hostPath) {
        byte[] bytes = FileName.kernelBytes(hostPath).getBytes(StandardCharsets.ISO_8859_1);
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(bytes);
            return path.resolve(HexFormat.of().formatHex(digest).substring(0, ID_DIGITS));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    Path probePoint() {
        return path.resolve(PROBE.toString());
    }

    /** @throws IllegalArgumentException if it is not directly in this folder */
    FileName nameOf(Path mountPoint) {
        if (!path.equals(mountPoint.getParent())) {
            throw new IllegalArgumentException(mountPoint + " is not a mount point in " + path);
        }
        return FileName.of(mountPoint.getFileName().toString());
    }

    /** Sees to it that the folder is there, open to the switch and closed to others. */
    void make() throws LinuxException {
        openOrMake().close();
    }

    /**
     * Sees to it that the folder, and nothing else, is mounted there.
     *
     * @return false if it was so before
     */
    boolean mount(Folder folder, FileName name) throws IOException {
        try (Folder root = openOrMake()) {
            if (problem(root, folder, name).isEmpty()) {
                return false;
            }
            // of another folder, or with other flags: left by an agent that died, or made by hand
            unmountAll(root, name);
            try (Folder point =
                    root.makeChild(name, WALK_ONLY, 0, 0, Folder.Mounts.REFUSED).folder()) {
                mountOnto(folder, point, root, name);
            } catch (IOException e) {
                undoAfter(e, root, name);
                throw e;
            }
            return true;
        }
    }

    private void mountOnto(Folder folder, Folder point, Folder root, FileName name) throws LinuxException {
        Descriptor clone = calls.openTree(folder.descriptor());
        try {
            boolean flagged = setFlags(clone);
            calls.moveMount(clone, point.descriptor());
            if (!flagged) {
                remountWithFlags(root, name);
            }
        } finally {
            calls.close(clone);
        }
    }

    /** @return false if this kernel (before 5.12) can set flags only of a mount that is in place */
    private boolean setFlags(Descriptor clone) throws LinuxException {
        try {
            calls.mountSetattr(clone, ALWAYS | LinuxCalls.MOUNT_ATTR_NOSYMFOLLOW);
            return true;
        } catch (LinuxException e) {
            if (nosymfollow == Nosymfollow.REQUIRED || !e.is(EINVAL, ENOSYS)) {
                throw e;
            }
            if (e.is(ENOSYS)) {
                return false;
            }
        }
        calls.mountSetattr(clone, ALWAYS);
        return true;
    }

    /** OVS does not know the path yet, so the moment without flags harms nobody. */
    private void remountWithFlags(Folder root, FileName name) throws LinuxException {
        try (Folder mounted = root.openChild(name, Folder.Mounts.CROSSED)) {
            calls.remount(mounted.descriptor(), ALWAYS_SHOWN);
        }
    }

    private void undoAfter(IOException failure, Folder root, FileName name) {
        try {
            unmount(root, name);
        } catch (IOException e) {
            failure.addSuppressed(e);
        }
    }

    /** Takes away whatever is mounted there, and the mount point. Nothing there is success. */
    void unmount(FileName name) throws IOException {
        try (Folder root = Folder.open(calls, path)) {
            unmount(root, name);
        } catch (LinuxException e) {
            if (!e.is(ENOENT)) {
                throw e;
            }
        }
    }

    private void unmount(Folder root, FileName name) throws IOException {
        unmountAll(root, name);
        try {
            root.removeFolder(name);
        } catch (LinuxException e) {
            if (!e.is(ENOENT)) {
                throw e;
            }
        }
    }

    /** Several mounts may lie one upon the other. EINVAL means that there is none (any more). */
    private void unmountAll(Folder root, FileName name) throws IOException {
        String point = FileName.kernelBytes(root.hostPath()) + "/" + name.bytes();
        try {
            while (true) {
                calls.umount(point);
            }
        } catch (LinuxException e) {
            if (!e.is(EINVAL, ENOENT)) {
                throw e;
            }
        }
    }

    boolean isMounted(FileName name) throws LinuxException {
        try (Folder root = Folder.open(calls, path)) {
            return isMounted(root, name);
        } catch (LinuxException e) {
            if (e.is(ENOENT)) {
                return false;
            }
            throw e;
        }
    }

    private static boolean isMounted(Folder root, FileName name) throws LinuxException {
        try (Folder _ = root.openChild(name, Folder.Mounts.REFUSED)) {
            return false;
        } catch (LinuxException e) {
            if (e.is(EXDEV)) {
                return true;
            }
            if (e.is(ENOENT, ENOTDIR)) {
                return false;
            }
            throw e;
        }
    }

    /** What is wrong with the mount of this folder, empty if nothing. */
    Optional<String> problem(Folder folder, FileName name) throws LinuxException {
        try (Folder root = Folder.open(calls, path)) {
            return problem(root, folder, name);
        } catch (LinuxException e) {
            if (e.is(ENOENT)) {
                return Optional.of("nothing is mounted at " + path.resolve(name.toString()));
            }
            throw e;
        }
    }

    private Optional<String> problem(Folder root, Folder folder, FileName name) throws LinuxException {
        if (!isMounted(root, name)) {
            return Optional.of("nothing is mounted at " + root + "/" + name);
        }
        try (Folder mounted = root.openChild(name, Folder.Mounts.CROSSED)) {
            if (!mounted.identity().equals(folder.identity())) {
                return Optional.of("what is mounted at " + mounted + " is not the folder " + folder);
            }
            long missing = requiredFlags() & ~mounted.mountFlags();
            return missing == 0
                    ? Optional.empty()
                    : Optional.of("the mount at " + mounted + " lacks" + flagNames(missing));
        }
    }

    private long requiredFlags() {
        return nosymfollow == Nosymfollow.REQUIRED ? ALWAYS_SHOWN | LinuxCalls.ST_NOSYMFOLLOW : ALWAYS_SHOWN;
    }

    private static String flagNames(long flags) {
        return ((flags & LinuxCalls.ST_NOSUID) != 0 ? " nosuid" : "")
                + ((flags & LinuxCalls.ST_NODEV) != 0 ? " nodev" : "")
                + ((flags & LinuxCalls.ST_NOEXEC) != 0 ? " noexec" : "")
                + ((flags & LinuxCalls.ST_NOSYMFOLLOW) != 0 ? " nosymfollow" : "");
    }

    /** The mount points of ours in this folder, with or without a mount, sorted; what a stranger made there is left out. */
    List<Path> points() throws IOException {
        try (Stream<Path> entries = Files.list(path)) {
            return entries.filter(entry -> entry.getFileName().toString().matches("[0-9a-f]{" + ID_DIGITS + "}"))
                    .filter(entry -> Files.isDirectory(entry, LinkOption.NOFOLLOW_LINKS))
                    .sorted()
                    .toList();
        } catch (NoSuchFileException e) {
            return List.of();
        }
    }

    /** Makes a mount and takes it away again: that warms every call, and is the only proof that it works. */
    MountSupport probe() throws IOException {
        try (Folder root = openOrMake()) {
            unmountAll(root, PROBE);
            try (Folder point = root.makeChild(PROBE, WALK_ONLY, 0, 0, Folder.Mounts.REFUSED)
                    .folder()) {
                return tryMount(root, point);
            } finally {
                unmount(root, PROBE);
            }
        } catch (LinuxException e) {
            return unsupported(e);
        }
    }

    private MountSupport tryMount(Folder root, Folder point) throws LinuxException {
        Descriptor clone = calls.openTree(root.descriptor());
        try {
            MountSupport support = flagSupport(clone);
            calls.moveMount(clone, point.descriptor());
            return support;
        } finally {
            calls.close(clone);
        }
    }

    private MountSupport flagSupport(Descriptor clone) throws LinuxException {
        try {
            calls.mountSetattr(clone, ALWAYS | LinuxCalls.MOUNT_ATTR_NOSYMFOLLOW);
            return new MountSupport(
                    MountSupport.Level.FULL, kernel() + ": socket folders are mounted with nosymfollow");
        } catch (LinuxException e) {
            if (!e.is(EINVAL, ENOSYS)) {
                throw e;
            }
            return new MountSupport(
                    MountSupport.Level.NO_NOSYMFOLLOW,
                    kernel() + " can't mount with nosymfollow (" + e.errno() + " of " + e.call()
                            + "): OVS would follow a symbolic link that a pod plants. Linux 5.14 can");
        }
    }

    private static MountSupport unsupported(LinuxException e) {
        String remedy = e.is(ENOSYS)
                ? "the kernel is too old (5.6 is the least, 5.14 for nosymfollow) or the container's seccomp profile"
                        + " hides the call"
                : e.is(EPERM, Errno.EACCES)
                        ? "the agent needs CAP_SYS_ADMIN and no seccomp, AppArmor or SELinux rule in the way: run its"
                                + " container privileged"
                        : e.is(Errno.EOPNOTSUPP)
                                ? "the switch does not run as root, so --run-dir must be on a file system with access"
                                        + " control lists"
                                : "mend this and start the agent again";
        return new MountSupport(
                MountSupport.Level.NONE, kernel() + ": can't mount socket folders: " + e.getMessage() + "; " + remedy);
    }

    private static String kernel() {
        return "Linux " + System.getProperty("os.version");
    }

    private Folder openOrMake() throws LinuxException {
        try (Folder parent = Folder.openOrMake(calls, path.getParent(), WALK_ONLY, new ArrayList<>())) {
            Folder root = parent.makeChild(
                            FileName.of(path.getFileName().toString()), ROOT_ONLY, 0, 0, Folder.Mounts.CROSSED)
                    .folder();
            try {
                access.enclose(path, root);
                return root;
            } catch (LinuxException e) {
                root.closeAfter(e);
                throw e;
            }
        }
    }
}
