package io.ovsdpdk.ovsdb;

import java.io.Serial;

/**
 * ovs-vswitchd did not follow by the deadline: it is down, hung or busy, or the database was replaced under it. The
 * change stays in the database and may yet be applied; who doesn't want that takes it back.
 */
public final class SwitchSilentException extends SwitchException {

    @Serial
    private static final long serialVersionUID = 1L;

    private final long awaited;
    private final long reached;

    SwitchSilentException(long awaited, long reached, String what) {
        super(what + " (cur_cfg is " + reached + ", awaited " + awaited + ")");
        this.awaited = awaited;
        this.reached = reached;
    }

    /** The {@code next_cfg} that was waited for. */
    public long awaited() {
        return awaited;
    }

    /** The {@code cur_cfg} that was reached. */
    public long reached() {
        return reached;
    }
}
