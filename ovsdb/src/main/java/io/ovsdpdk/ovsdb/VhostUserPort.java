package io.ovsdpdk.ovsdb;

import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.OptionalInt;

/**
 * A vhost-user port to be made, Open vSwitch being the client that connects to the guest's socket.
 *
 * @param bridge the name of a bridge with {@code datapath_type=netdev}
 * @param name the name of the port and its interface, unique in the switch
 * @param socketPath where the guest listens, an absolute path of at most 107 bytes; nobody need listen there yet
 * @param mtu the MTU to ask for, 68 to 9702 bytes; without, Open vSwitch's default
 * @param externalIds noted on both the port and the interface
 */
public record VhostUserPort(
        String bridge, String name, String socketPath, OptionalInt mtu, Map<String, String> externalIds) {

    /** The longest path in {@code sun_path}, bytes. Open vSwitch cuts longer ones off and says nothing. */
    public static final int LONGEST_SOCKET_PATH = 107;

    private static final int SMALLEST_MTU = 68;
    private static final int LARGEST_MTU = 9702;

    /**
     * Copies the map and checks what Open vSwitch would accept and never make work.
     *
     * @throws IllegalArgumentException if a name is empty, the path not absolute or too long, or the MTU out of range
     */
    public VhostUserPort {
        if (bridge.isEmpty() || name.isEmpty()) {
            throw new IllegalArgumentException(
                    "a port needs a name and a bridge: \"" + name + "\" on \"" + bridge + "\"");
        }
        int length = socketPath.getBytes(StandardCharsets.UTF_8).length;
        if (!socketPath.startsWith("/") || length > LONGEST_SOCKET_PATH) {
            throw new IllegalArgumentException("socket path must be absolute and have at most " + LONGEST_SOCKET_PATH
                    + " bytes, this one has " + length + ": " + socketPath);
        }
        if (mtu.isPresent() && (mtu.getAsInt() < SMALLEST_MTU || mtu.getAsInt() > LARGEST_MTU)) {
            throw new IllegalArgumentException(
                    "MTU " + mtu.getAsInt() + " is not within " + SMALLEST_MTU + " to " + LARGEST_MTU);
        }
        externalIds = Map.copyOf(externalIds);
    }
}
