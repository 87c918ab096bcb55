package io.ovsdpdk.ovsdb;

import java.time.Duration;

/**
 * How an {@link OvsdbClient} keeps its connection.
 *
 * @param probeInterval silence after which the server is asked for an echo; twice that ends the connection
 * @param firstBackOff the pause after a connection's end, doubled after every failure up to {@code longestBackOff}
 * @param longestBackOff the longest pause between two attempts
 * @param longestMessage bytes that one message of the server may have, before the connection is ended
 */
public record OvsdbOptions(Duration probeInterval, Duration firstBackOff, Duration longestBackOff, int longestMessage) {

    /**
     * Probe after 5 s as Open vSwitch's own programs do. Back-off from 20 ms, within which ovsdb-server restarts, to 1 s,
     * which nobody notices. 256 MiB hold the four tables of a switch with some 100,000 ports.
     */
    public static final OvsdbOptions DEFAULT =
            new OvsdbOptions(Duration.ofSeconds(5), Duration.ofMillis(20), Duration.ofSeconds(1), 256 << 20);

    /**
     * Checks that times and sizes make sense.
     *
     * @throws IllegalArgumentException if a duration is not positive, the first back-off is longer than the longest, or
     *     a message may not have even 64 KiB
     */
    public OvsdbOptions {
        if (!probeInterval.isPositive() || !firstBackOff.isPositive()) {
            throw new IllegalArgumentException(
                    "probe interval " + probeInterval + " and first back-off " + firstBackOff + " must be positive");
        }
        if (firstBackOff.compareTo(longestBackOff) > 0) {
            throw new IllegalArgumentException(
                    "first back-off " + firstBackOff + " is over the longest, " + longestBackOff);
        }
        if (longestMessage < 64 << 10) {
            throw new IllegalArgumentException("longest message " + longestMessage + " is under 65536 bytes");
        }
    }
}
