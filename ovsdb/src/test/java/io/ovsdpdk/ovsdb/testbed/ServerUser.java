package io.ovsdpdk.ovsdb.testbed;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * The user, with a group of the same number and no other, whom the servers of a switch run as. One that is not root keeps
 * the right to make network devices, as {@code --user} of Open vSwitch does, and no other.
 *
 * @param uid 0 for root
 */
record ServerUser(int uid) {
    static final ServerUser ROOT = new ServerUser(0);

    /** Open to everybody wherever udev runs: what one may do with it is a matter of capabilities. */
    private static final Path TUN = Path.of("/dev/net/tun");

    private static final Set<PosixFilePermission> FOR_OTHERS =
            EnumSet.of(PosixFilePermission.OTHERS_READ, PosixFilePermission.OTHERS_WRITE);

    private boolean isRoot() {
        return uid == 0;
    }

    /** What runs {@code command} as this user. It dies with its parent like the root's: a change of user forgets that. */
    List<String> command(List<String> command) throws FileNotFoundException {
        if (isRoot()) {
            return command;
        }
        List<String> asUser = new ArrayList<>(List.of(
                Program.SETPRIV.path(),
                "--reuid=" + uid,
                "--regid=" + uid,
                "--clear-groups",
                "--inh-caps=+net_admin,+net_raw",
                "--ambient-caps=+net_admin,+net_raw",
                "--pdeathsig=KILL",
                "--"));
        asUser.addAll(command);
        return asUser;
    }

    /** Gives the user a folder. */
    void own(Path folder) throws IOException {
        Files.setAttribute(folder, "unix:uid", uid);
        Files.setAttribute(folder, "unix:gid", uid);
    }

    /**
     * Lets the user open the device of which bridges make theirs.
     *
     * @return whether that changed anything, so that {@link #closeTun} is to be called
     */
    boolean openTun() throws IOException {
        Set<PosixFilePermission> permissions = Files.getPosixFilePermissions(TUN);
        if (isRoot() || !permissions.addAll(FOR_OTHERS)) {
            return false;
        }
        Files.setPosixFilePermissions(TUN, permissions);
        return true;
    }

    static void closeTun() throws IOException {
        Set<PosixFilePermission> permissions = Files.getPosixFilePermissions(TUN);
        permissions.removeAll(FOR_OTHERS);
        Files.setPosixFilePermissions(TUN, permissions);
    }
}
