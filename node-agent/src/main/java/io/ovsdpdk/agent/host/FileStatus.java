package io.ovsdpdk.agent.host;

/**
 * What {@code statx} says of a file.
 *
 * @param identity which file it is
 * @param mode type and permissions, {@code st_mode}
 * @param uid the owner
 * @param gid the group
 */
public record FileStatus(Identity identity, int mode, int uid, int gid) {

    /** The permission bits, 0 to 07777. */
    public int permissions() {
        return mode & 07777;
    }

    boolean isSocket() {
        return (mode & 0170000) == 0140000;
    }

    /**
     * Which file of the machine it is. A file that is mounted or open keeps its identity to itself: the kernel gives
     * its inode number to no other while it is in use.
     *
     * @param device the file system's device, major number in the upper 32 bits
     * @param inode the number of the file in it
     */
    public record Identity(long device, long inode) {}
}
