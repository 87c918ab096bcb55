package io.ovsdpdk.ovsdb;

import org.opendaylight.ovsdb.lib.notation.UUID;

/**
 * A port that is in the database and that ovs-vswitchd is to make.
 *
 * @param name its name
 * @param port the UUID of its Port
 * @param iface the UUID of its Interface, by which it is followed: another port may get the same name later
 * @param configuration the change that made it
 */
public record PendingPort(String name, UUID port, UUID iface, PendingConfiguration configuration) {}
