package io.ovsdpdk.agent.host;

/**
 * An open file descriptor and what to call it in messages. Whoever opened it closes it, once.
 *
 * @param number the descriptor, or {@link #NONE}'s
 * @param label the path by which it was opened, printable
 */
record Descriptor(int number, String label) {

    /** AT_FDCWD: for absolute paths. */
    static final Descriptor NONE = new Descriptor(-100, "");

    /** The kernel's link to what is open here, whatever its path means by now. */
    String link() {
        return "/proc/self/fd/" + number;
    }

    /** How messages call {@code path} (bytes as ISO 8859-1 characters) seen from here. */
    String labelOf(String path) {
        if (path.equals(".")) {
            return label;
        }
        return this == NONE ? FileName.printable(path) : label + "/" + FileName.printable(path);
    }
}
