package io.ovsdpdk.agent.host;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Where a socket folder is, or is to be: {@code <trustedRoot>/<volume>/<below>/<name>}. Only the first part is trusted:
 * the administrator vouches for it, links included. Below it no link is followed.
 *
 * @param layout who makes and keeps which part
 * @param trustedRoot absolute and without {@code .} and {@code ..}, not {@code /}
 * @param volume what others must have made: relative, without {@code .} and {@code ..}, may be empty
 * @param below folders that are made if missing: likewise
 * @param name the socket folder's own, one component; empty where the volume itself is the socket folder
 * @param owner whose the socket folder becomes, where we make it
 */
public record FolderLocation(Layout layout, Path trustedRoot, Path volume, Path below, String name, Ownership owner) {

    /** Who makes and keeps which part of a location. */
    public enum Layout {
        /** Everything is ours, and the socket folder goes with its last attachment and all that is in it. */
        SHARED_DIR(0711, true),
        /** Likewise, but in a pod's volume; the folders between are root's, and hold nothing but folders. */
        HOOKS(0755, true),
        /** The socket folder is a pod's volume: we put sockets into it and take them away. */
        VOLUME(0755, false),
        /**
         * A folder of a pod's volume, made if missing. It stays when its attachments go: a container may have it mounted,
         * and would not see another one in its place.
         */
        SUB_FOLDER(0755, false);

        private final int parentMode;
        private final boolean ours;

        Layout(int parentMode, boolean ours) {
            this.parentMode = parentMode;
            this.ours = ours;
        }

        /** Mode of the folders between, which are root's. */
        int parentMode() {
            return parentMode;
        }

        /** Whether the socket folder goes with its last attachment. */
        public boolean isOurs() {
            return ours;
        }
    }

    private static final Path NOTHING = Path.of("");
    private static final Path HOOKS_PARENT = Path.of("ovs-dpdk");
    private static final String HOOKS_FOLDER = "sockets";

    /** @throws IllegalArgumentException if a part is not as described above */
    public FolderLocation {
        if (!trustedRoot.isAbsolute()
                || trustedRoot.getNameCount() == 0
                || !trustedRoot.equals(trustedRoot.normalize())) {
            throw new IllegalArgumentException(
                    "a trusted root must be an absolute path without . and .., and not /: " + trustedRoot);
        }
        requireRelative(volume);
        requireRelative(below);
        if (layout == Layout.VOLUME ? !name.isEmpty() || !below.equals(NOTHING) : !isName(layout, name)) {
            throw new IllegalArgumentException(
                    "not the name of a socket folder: '" + FileName.printable(FileName.kernelBytes(name)) + "'");
        }
    }

    private static void requireRelative(Path path) {
        if (path.isAbsolute() || !path.equals(path.normalize()) || path.startsWith("..")) {
            throw new IllegalArgumentException("not a relative path without . and ..: " + path);
        }
    }

    /** What {@link FileName} takes; for {@code sharedDir}, the letters of container IDs. */
    private static boolean isName(Layout layout, String name) {
        FileName.of(name);
        return layout != Layout.SHARED_DIR || name.matches("[A-Za-z0-9._-]+");
    }

    /**
     * A container's folder below one of the host's that the administrator names, for a user whom nobody names.
     *
     * @param below the rest of {@code sharedDir}
     * @param containerFolder 1 to 255 letters, digits, {@code .}, {@code _}, {@code -}
     */
    public FolderLocation(Path trustedRoot, Path below, String containerFolder) {
        this(Layout.SHARED_DIR, trustedRoot, NOTHING, below, containerFolder, Ownership.ANYBODY);
    }

    /** {@code ovs-dpdk/sockets} in the volume that KubeVirt gives to hook sidecars. */
    public static FolderLocation hooks(Path trustedRoot, Path volume, Ownership owner) {
        return new FolderLocation(Layout.HOOKS, trustedRoot, volume, HOOKS_PARENT, HOOKS_FOLDER, owner);
    }

    /**
     * A pod's volume, or a folder in it.
     *
     * @param subPath empty for the volume itself
     */
    public static FolderLocation volume(Path trustedRoot, Path volume, Path subPath, Ownership owner) {
        if (subPath.equals(NOTHING)) {
            return new FolderLocation(Layout.VOLUME, trustedRoot, volume, NOTHING, "", owner);
        }
        Path parent = subPath.getParent();
        return new FolderLocation(
                Layout.SUB_FOLDER,
                trustedRoot,
                volume,
                parent == null ? NOTHING : parent,
                subPath.getFileName().toString(),
                owner);
    }

    /** The same below another root. */
    public FolderLocation in(Path otherRoot) {
        return new FolderLocation(layout, otherRoot, volume, below, name, owner);
    }

    /** The components of {@link #below}; none if it is empty, which a {@link Path} takes for one empty name. */
    List<Path> belowComponents() {
        List<Path> components = new ArrayList<>();
        below.forEach(components::add);
        components.removeIf(component -> component.toString().isEmpty());
        return components;
    }

    FileName fileName() {
        return FileName.of(name);
    }

    /** From the trusted root to the folder that the socket folder is in. */
    Path parent() {
        return volume.resolve(below);
    }

    /** From the trusted root to the socket folder. */
    Path relative() {
        return parent().resolve(name);
    }

    /** The path as configured, links unresolved. */
    public Path path() {
        return trustedRoot.resolve(relative());
    }

    @Override
    public String toString() {
        return path().toString();
    }
}
