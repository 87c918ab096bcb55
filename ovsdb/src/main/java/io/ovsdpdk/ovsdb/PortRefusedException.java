package io.ovsdpdk.ovsdb;

import java.io.Serial;

/** ovs-vswitchd looked at the port and could not make it. Its rows are still in the database: delete the port. */
public final class PortRefusedException extends SwitchException {

    @Serial
    private static final long serialVersionUID = 1L;

    private final String port;
    private final String words;

    PortRefusedException(String port, String words) {
        super("ovs-vswitchd refused port \"" + port + "\": "
                + (words.isEmpty() ? "ofport is -1, and it gives no reason" : words));
        this.port = port;
        this.words = words;
    }

    /** The port's name. */
    public String port() {
        return port;
    }

    /** The Interface's {@code error} as ovs-vswitchd wrote it; empty when there is none but {@code ofport} is -1. */
    public String words() {
        return words;
    }
}
