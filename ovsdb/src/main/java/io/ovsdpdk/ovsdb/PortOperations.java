package io.ovsdpdk.ovsdb;

import java.util.List;
import java.util.Map;
import java.util.Set;
import org.opendaylight.ovsdb.lib.notation.Mutator;
import org.opendaylight.ovsdb.lib.notation.OvsdbSet;
import org.opendaylight.ovsdb.lib.notation.UUID;
import org.opendaylight.ovsdb.lib.operations.Insert;
import org.opendaylight.ovsdb.lib.operations.Mutate;
import org.opendaylight.ovsdb.lib.operations.Operation;
import org.opendaylight.ovsdb.lib.operations.Select;
import org.opendaylight.ovsdb.lib.schema.DatabaseSchema;
import org.opendaylight.ovsdb.lib.schema.GenericTableSchema;

/** The operations of which {@link LocalSwitch} makes its transactions, for one schema of the server. */
final class PortOperations {

    private static final String NEW_INTERFACE = "new_interface";
    private static final String NEW_PORT = "new_port";

    private final GenericTableSchema openVswitch;
    private final GenericTableSchema bridges;
    private final GenericTableSchema ports;
    private final GenericTableSchema interfaces;

    PortOperations(DatabaseSchema schema) {
        this.openVswitch = schema.table("Open_vSwitch", GenericTableSchema.class);
        this.bridges = schema.table("Bridge", GenericTableSchema.class);
        this.ports = schema.table("Port", GenericTableSchema.class);
        this.interfaces = schema.table("Interface", GenericTableSchema.class);
    }

    /** Fails the transaction unless there is a bridge of that name. */
    Operation<?> requireBridge(String name) {
        return whereNamed(name, new Wait<>(bridges, List.of("name"), List.of(Map.of("name", name))));
    }

    /** Fails the transaction unless the bridge of that name has the userspace datapath. */
    Operation<?> requireNetdev(String bridge) {
        return whereNamed(
                bridge, new Wait<>(bridges, List.of("datapath_type"), List.of(Map.of("datapath_type", "netdev"))));
    }

    private Wait<GenericTableSchema> whereNamed(String name, Wait<GenericTableSchema> wait) {
        wait.addCondition(bridges.column("name", String.class).opEqual(name));
        return wait;
    }

    Operation<?> insertInterface(VhostUserPort port) {
        Insert<GenericTableSchema> insert = new Insert<>(interfaces);
        insert.withId(NEW_INTERFACE);
        insert.value(interfaces.column("name", String.class), port.name());
        insert.value(interfaces.column("type", String.class), LocalSwitch.VHOST_USER_CLIENT);
        insert.value(
                interfaces.multiValuedColumn("options", String.class, String.class),
                Map.of("vhost-server-path", port.socketPath()));
        insert.value(interfaces.multiValuedColumn("external_ids", String.class, String.class), port.externalIds());
        port.mtu()
                .ifPresent(mtu ->
                        insert.value(interfaces.multiValuedColumn("mtu_request", Long.class), Set.of((long) mtu)));
        return insert;
    }

    /** Of the interface that {@link #insertInterface} makes in the same transaction. */
    Operation<?> insertPort(VhostUserPort port) {
        Insert<GenericTableSchema> insert = new Insert<>(ports);
        insert.withId(NEW_PORT);
        insert.value(ports.column("name", String.class), port.name());
        insert.value(ports.multiValuedColumn("interfaces", UUID.class), Set.of(new UUID(NEW_INTERFACE)));
        insert.value(ports.multiValuedColumn("external_ids", String.class, String.class), port.externalIds());
        return insert;
    }

    /** Adds the port that {@link #insertPort} makes in the same transaction. */
    Operation<?> addToBridge(String bridge) {
        Mutate<GenericTableSchema> mutate = new Mutate<>(bridges);
        mutate.addMutation(bridges.multiValuedColumn("ports", UUID.class), Mutator.INSERT, Set.of(new UUID(NEW_PORT)));
        mutate.addCondition(bridges.column("name", String.class).opEqual(bridge));
        return mutate;
    }

    /** From whatever bridge has it; the server collects the Port and its Interfaces then. */
    Operation<?> removeFromBridge(UUID port) {
        OvsdbSet<UUID> only = OvsdbSet.fromSet(Set.of(port));
        Mutate<GenericTableSchema> mutate = new Mutate<>(bridges);
        mutate.addMutation(bridges.multiValuedColumn("ports", UUID.class), Mutator.DELETE, only);
        mutate.addCondition(bridges.multiValuedColumn("ports", UUID.class).opIncludes(only));
        return mutate;
    }

    /** Tells ovs-vswitchd that it is waited for. */
    Operation<?> incrementNextCfg() {
        Mutate<GenericTableSchema> mutate = new Mutate<>(openVswitch);
        mutate.addMutation(openVswitch.column("next_cfg", Long.class), Mutator.SUM, 1L);
        return mutate;
    }

    /** In the transaction that increments it, so that it is ours whoever else increments. */
    Operation<?> selectNextCfg() {
        return new Select<>(openVswitch).column(openVswitch.column("next_cfg", Long.class));
    }
}
