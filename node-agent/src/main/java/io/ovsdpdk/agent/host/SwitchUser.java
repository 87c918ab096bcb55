package io.ovsdpdk.agent.host;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The user that Open vSwitch runs as: whom the administrator named, else the owner of the database's socket, which
 * ovsdb-server makes as the user that ovs-vswitchd has too. Root as long as nobody knows. For any number of threads.
 */
public final class SwitchUser {
    private static final Logger LOG = LoggerFactory.getLogger(SwitchUser.class);
    private static final int ROOT = 0;

    private final Optional<Path> database;
    private volatile int uid;
    private volatile boolean known;

    private SwitchUser(Optional<Path> database, int uid) {
        this.database = database;
        this.uid = uid;
        this.known = database.isEmpty();
    }

    /**
     * The one whom the administrator named.
     *
     * @throws IllegalArgumentException if the number is below 0
     */
    public static SwitchUser of(int uid) {
        if (uid < 0) {
            throw new IllegalArgumentException("not the number of a user: " + uid);
        }
        return new SwitchUser(Optional.empty(), uid);
    }

    /** @param database the database's socket, which need not be there yet */
    public static SwitchUser ownerOf(Path database) {
        SwitchUser user = new SwitchUser(Optional.of(database), ROOT);
        user.lookAgain();
        return user;
    }

    /** The user's number, as last seen. */
    public int uid() {
        return uid;
    }

    /** False until the database's socket was seen for the first time. */
    boolean isKnown() {
        return known;
    }

    /** Root needs no permission. */
    public boolean isRoot() {
        return uid == ROOT;
    }

    /**
     * Looks whose the socket is now; one that is not there belongs to whom it belonged.
     *
     * @return whether that is another user than before, or known for the first time
     */
    boolean lookAgain() {
        if (database.isEmpty()) {
            return false;
        }
        int before = uid;
        boolean wasKnown = known;
        try {
            uid = (int) Files.getAttribute(database.get(), "unix:uid");
            known = true;
        } catch (IOException e) {
            LOG.debug("whose the database's socket is can't be seen: {}", e.toString());
        }
        return uid != before || known != wasKnown;
    }
}
