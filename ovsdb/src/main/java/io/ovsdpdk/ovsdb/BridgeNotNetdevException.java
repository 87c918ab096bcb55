package io.ovsdpdk.ovsdb;

import java.io.Serial;

/** The bridge is not one of the userspace datapath, so it can't have vhost-user ports. Nothing was changed. */
public final class BridgeNotNetdevException extends SwitchException {

    @Serial
    private static final long serialVersionUID = 1L;

    private final String bridge;
    private final String datapathType;

    BridgeNotNetdevException(String bridge, String datapathType) {
        super("bridge \"" + bridge + "\" has datapath_type \"" + datapathType
                + "\", vhost-user ports need \"netdev\"; an administrator changes it with: ovs-vsctl set Bridge "
                + bridge
                + " datapath_type=netdev");
        this.bridge = bridge;
        this.datapathType = datapathType;
    }

    /** The bridge's name. */
    public String bridge() {
        return bridge;
    }

    /** Its {@code datapath_type} as last seen; empty means the kernel's. */
    public String datapathType() {
        return datapathType;
    }
}
