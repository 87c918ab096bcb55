package io.ovsdpdk.agent.host;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Where a container's socket folder is to be: {@code <trustedRoot>/<below>/<containerFolder>}. Only the first part is
 * trusted: the administrator vouches for it, links included. Below it no link is followed.
 *
 * @param trustedRoot absolute and without {@code .} and {@code ..}, not {@code /}
 * @param below the rest of {@code sharedDir}: relative, without {@code .} and {@code ..}, may be empty
 * @param containerFolder one component of 1 to 255 letters, digits, {@code .}, {@code _}, {@code -}
 */
public record FolderLocation(Path trustedRoot, Path below, String containerFolder) {

    /** @throws IllegalArgumentException if a part is not as described above */
    public FolderLocation {
        if (!trustedRoot.isAbsolute()
                || trustedRoot.getNameCount() == 0
                || !trustedRoot.equals(trustedRoot.normalize())) {
            throw new IllegalArgumentException(
                    "a trusted root must be an absolute path without . and .., and not /: " + trustedRoot);
        }
        if (below.isAbsolute() || !below.equals(below.normalize()) || below.startsWith("..")) {
            throw new IllegalArgumentException("not a relative path without . and ..: " + below);
        }
        if (!containerFolder.matches("[A-Za-z0-9._-]+")) {
            throw new IllegalArgumentException("not a name of letters, digits, '.', '_', '-': '"
                    + FileName.printable(FileName.kernelBytes(containerFolder)) + "'");
        }
        FileName.of(containerFolder);
    }

    /** The components of {@link #below}; none if it is empty, which a {@link Path} takes for one empty name. */
    List<Path> belowComponents() {
        List<Path> components = new ArrayList<>();
        below.forEach(components::add);
        components.removeIf(component -> component.toString().isEmpty());
        return components;
    }

    FileName containerFolderName() {
        return FileName.of(containerFolder);
    }

    /** The path as configured, links unresolved. */
    @Override
    public String toString() {
        return trustedRoot.resolve(below).resolve(containerFolder).toString();
    }
}
