package io.ovsdpdk.ovsdb;

import java.io.Serial;

/** The switch has no bridge of that name. Nothing was changed. */
public final class BridgeMissingException extends SwitchException {

    @Serial
    private static final long serialVersionUID = 1L;

    private final String bridge;

    BridgeMissingException(String bridge) {
        super("the switch has no bridge \"" + bridge + "\"; an administrator makes one with: ovs-vsctl add-br " + bridge
                + " -- set Bridge " + bridge + " datapath_type=netdev");
        this.bridge = bridge;
    }

    /** The bridge's name. */
    public String bridge() {
        return bridge;
    }
}
