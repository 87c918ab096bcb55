package io.ovsdpdk.agent;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The folder of the database's socket, as the agent sees it. In a container that is a mount: when the node removes the
 * folder, as systemd does with a service's {@code RuntimeDirectory}, and makes another one, the mount goes on showing the
 * removed one. Only a container that is started anew sees the other.
 *
 * @param path absolute
 */
record DatabaseFolder(Path path) {
    /** @param socket the database's; absolute */
    static DatabaseFolder of(Path socket) {
        return new DatabaseFolder(socket.getParent());
    }

    /** Whether nothing that is made on the node can appear in it any more. */
    boolean isRemoved() {
        // A folder that is only missing may come: then what it would be in counts
        return Stream.iterate(path, folder -> folder != null, Path::getParent)
                .map(DatabaseFolder::links)
                .flatMap(Optional::stream)
                .findFirst()
                .filter(links -> links == 0)
                .isPresent();
    }

    private static Optional<Integer> links(Path folder) {
        try {
            return Optional.of((int) Files.getAttribute(folder, "unix:nlink"));
        } catch (IOException e) {
            return Optional.empty();
        }
    }
}
