package io.ovsdpdk.ovsdb;

import java.io.Serial;

/** The port's Interface is no longer in the database: somebody deleted it, or the database was replaced. */
public final class PortVanishedException extends SwitchException {

    @Serial
    private static final long serialVersionUID = 1L;

    private final String port;

    PortVanishedException(String port) {
        super("port \"" + port + "\" vanished from the database while ovs-vswitchd was awaited");
        this.port = port;
    }

    /** The port's name. */
    public String port() {
        return port;
    }
}
