package io.ovsdpdk.agent.host;

import java.io.IOException;
import java.util.List;

/** A folder could not be removed whole. */
public final class TreeNotRemovedException extends IOException {

    private static final long serialVersionUID = 1L;

    /** The first failures; a list of its own class, so that it can be written out. */
    private final String[] failures;

    /**
     * @param path the folder, printable
     * @param reason why it stayed
     * @param failures the first entries that could not be removed, and why
     */
    TreeNotRemovedException(String path, String reason, List<String> failures) {
        super(path + " is not removed: " + reason
                + (failures.isEmpty() ? "" : "; left: " + String.join("; ", failures)));
        this.failures = failures.toArray(String[]::new);
    }

    /** The first entries that could not be removed, each with its error. */
    public List<String> failures() {
        return List.of(failures);
    }
}
