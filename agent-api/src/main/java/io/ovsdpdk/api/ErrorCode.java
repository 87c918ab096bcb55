package io.ovsdpdk.api;

/**
 * The CNI error codes that we answer with. 1 to 99 are the specification's (CNI 1.1.0, section "Error"), 100 and up
 * are ours; {@code docs/network-configuration.md} lists them for users.
 */
public enum ErrorCode {
    /** The network configuration asks for a CNI version that we don't speak, or one without this command. */
    INCOMPATIBLE_VERSION(1),
    /** The container or interface is not known: only CHECK says this. */
    UNKNOWN_CONTAINER(3),
    /** A {@code CNI_*} variable is missing or has a value that can't be. */
    ENVIRONMENT(4),
    /** Reading or writing failed, of standard input for instance. */
    IO(5),
    /** What was read is no JSON, or not of the shape it must have. */
    DECODING(6),
    /**
     * The network configuration can't be fulfilled as it stands: a wrong or unknown key, a name or path that is taken,
     * a repeated ADD with another configuration, something the node's policy forbids.
     */
    CONFIGURATION(7),
    /** Nothing wrong with the request: the agent or the switch is away, slow or overloaded. Try again. */
    TRY_AGAIN(11),
    /** STATUS: no ADD can be served now. */
    NOT_AVAILABLE(50),
    /** STATUS: no ADD can be served now, and what is attached already may suffer too. */
    NOT_AVAILABLE_AND_LIMITED(51),
    /** The switch has no such bridge. */
    BRIDGE_MISSING(100),
    /** The bridge is not of the userspace datapath, {@code datapath_type=netdev}. */
    BRIDGE_NOT_NETDEV(101),
    /** The switch runs without DPDK. */
    DPDK_OFF(102),
    /** The switch has all the vhost-user ports that it can have. */
    PORT_LIMIT(103),
    /** The switch refused the port; the details hold its words. */
    PORT_REFUSED(104),
    /** A bug of ours. */
    INTERNAL(999);

    private final int code;

    ErrorCode(int code) {
        this.code = code;
    }

    /** The number that stands in {@code code} of a CNI error. */
    public int code() {
        return code;
    }
}
