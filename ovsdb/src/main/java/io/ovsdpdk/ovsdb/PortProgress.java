package io.ovsdpdk.ovsdb;

import java.util.Optional;

/** How far ovs-vswitchd has come with a port. */
sealed interface PortProgress {

    /** It hasn't looked at it. */
    record Awaited() implements PortProgress {}

    /** It has given it an OpenFlow port, and has not yet finished the configuration that the port belongs to. */
    record Made() implements PortProgress {}

    /** It is done. */
    record Applied(Interface iface) implements PortProgress {}

    /** It could not make it. */
    record Refused(String words) implements PortProgress {}

    /** The Interface's row is gone. */
    record Vanished() implements PortProgress {}

    static PortProgress of(PendingPort pending, Replica replica) {
        Optional<Interface> row = replica.row("Interface", pending.iface()).map(Interface::of);
        if (row.isEmpty()) {
            return mustShow(pending.configuration(), replica) ? new Vanished() : new Awaited();
        }
        Interface iface = row.get();
        if (iface.refused()) {
            return new Refused(iface.error());
        }
        if (!iface.hasOfport()) {
            return new Awaited();
        }
        return SwitchState.of(replica).curCfg() >= pending.configuration().number() ? new Applied(iface) : new Made();
    }

    /**
     * Whether the replica is younger than the transaction: it has its {@code next_cfg}, or was replaced since. Without
     * that, an absent row would only mean that the update is still on its way.
     */
    private static boolean mustShow(PendingConfiguration configuration, Replica replica) {
        return replica.generation() != configuration.generation()
                || SwitchState.of(replica).nextCfg() >= configuration.number();
    }
}
