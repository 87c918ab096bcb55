package io.ovsdpdk.ovsdb;

/**
 * A change that is in the database and that ovs-vswitchd is to follow.
 *
 * @param number our {@code next_cfg}, as our own transaction left it; done when {@code cur_cfg} has reached it
 * @param generation the client's generation before the transaction was sent
 */
public record PendingConfiguration(long number, long generation) {}
