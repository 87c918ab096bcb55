package io.ovsdpdk.agent.host;

/**
 * Whose a folder is to be.
 *
 * @param uid the owner's number, 0 or more
 * @param gid the group's number, 0 or more
 * @param mode permission bits, 0 to 0777
 */
public record Ownership(int uid, int gid, int mode) {
    /** Where nobody says who is to use it. */
    public static final Ownership ANYBODY = new Ownership(0, 0, 0777);

    /** @throws IllegalArgumentException if a number is out of its range */
    public Ownership {
        if (uid < 0 || gid < 0 || mode < 0 || mode > 0777) {
            throw new IllegalArgumentException("no owner, group and mode: " + uid + ", " + gid + ", " + mode);
        }
    }

    /** Of this user and this group alone. */
    public static Ownership of(int uid, int gid) {
        return new Ownership(uid, gid, 0770);
    }
}
