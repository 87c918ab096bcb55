package io.ovsdpdk.agent;

import io.ovsdpdk.agent.host.FolderLocation;
import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.Quoted;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * The folders of the host below which a network configuration may put sockets: the node's rule, not the tenant's.
 *
 * @param roots absolute paths without {@code .} and {@code ..}
 */
record SharedRoots(List<Path> roots) {
    /** How much of the container ID names its folder, as Userspace CNI has it. */
    private static final int CONTAINER_PREFIX = 12;

    /** @throws IllegalArgumentException with a message for people, when a root is no absolute path, or is {@code /} */
    SharedRoots {
        roots = List.copyOf(roots);
        for (Path root : roots) {
            if (!root.isAbsolute() || !root.normalize().equals(root) || root.getNameCount() == 0) {
                throw new IllegalArgumentException(
                        "root " + root + " must be an absolute path below /, without . and ..");
            }
        }
    }

    /**
     * Where the socket folder of a container is, for a {@code sharedDir}.
     *
     * @throws CniException {@link ErrorCode#CONFIGURATION} when the node does not allow that folder
     */
    FolderLocation place(Path sharedDir, AttachmentId id) throws CniException {
        Path root = above(sharedDir)
                .orElseThrow(
                        () -> new CniException(
                                ErrorCode.CONFIGURATION,
                                "invalid sharedDir: " + Quoted.of(sharedDir.toString())
                                        + " is not a folder that this node allows",
                                "allowed are " + listed()
                                        + " and folders below; an administrator adds others with --shared-dir-root of the agent"));
        return new FolderLocation(root, root.relativize(sharedDir), folderOf(id));
    }

    /** The root that a path is, or is below of; empty when the node does not allow it. */
    Optional<Path> above(Path path) {
        return roots.stream().filter(path::startsWith).findFirst();
    }

    /**
     * The root that a pod's folder is below of; empty when the node does not allow it. A root itself, or what a root is
     * below of, is all pods': it can't be the folder of one.
     */
    Optional<Path> properlyAbove(Path path) {
        return roots.stream().anyMatch(root -> root.startsWith(path)) ? Optional.empty() : above(path);
    }

    /** All of them, for people. */
    String listed() {
        return roots.stream().map(Path::toString).collect(Collectors.joining(", "));
    }

    private static String folderOf(AttachmentId id) {
        String container = id.containerId();
        return container.substring(0, Math.min(CONTAINER_PREFIX, container.length()));
    }
}
