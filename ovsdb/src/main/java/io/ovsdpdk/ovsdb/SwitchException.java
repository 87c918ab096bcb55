package io.ovsdpdk.ovsdb;

import java.io.Serial;

/** The database did its part, and the switch as it is doesn't allow what was asked, or ovs-vswitchd didn't do it. */
public abstract sealed class SwitchException extends OvsdbException
        permits BridgeMissingException,
                BridgeNotNetdevException,
                PortRefusedException,
                PortVanishedException,
                SwitchSilentException {

    @Serial
    private static final long serialVersionUID = 1L;

    SwitchException(String message) {
        super(message);
    }
}
