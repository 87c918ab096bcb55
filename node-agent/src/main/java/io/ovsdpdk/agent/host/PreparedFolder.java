package io.ovsdpdk.agent.host;

import java.nio.file.Path;
import java.util.List;

/**
 * A socket folder that is ready for sockets, and what had to be made for it, so that a rollback takes away just that.
 *
 * @param folder the folder and its mount
 * @param createdParents folders of the host above the container's that this call made, outermost first
 * @param createdFolder whether it made the container's folder
 * @param createdMount whether it made the mount
 */
public record PreparedFolder(
        SocketFolder folder, List<Path> createdParents, boolean createdFolder, boolean createdMount) {

    public PreparedFolder {
        createdParents = List.copyOf(createdParents);
    }
}
