package io.ovsdpdk.ovsdb;

import java.util.Set;

/**
 * The switch as a whole: the one row of the table Open_vSwitch.
 *
 * @param dpdkInitialized whether ovs-vswitchd has DPDK running
 * @param ifaceTypes the types of interfaces that it can make
 * @param ovsVersion the version that Open vSwitch's start script noted; empty if it was started without
 * @param dpdkVersion the version of its DPDK; empty without
 * @param curCfg the configuration that ovs-vswitchd has applied last
 * @param nextCfg the configuration that was asked for last; higher than {@code curCfg} while ovs-vswitchd is behind
 */
public record SwitchState(
        boolean dpdkInitialized,
        Set<String> ifaceTypes,
        String ovsVersion,
        String dpdkVersion,
        long curCfg,
        long nextCfg) {

    /** Before the first synchronisation. */
    private static final SwitchState UNKNOWN = new SwitchState(false, Set.of(), "", "", 0, 0);

    static SwitchState of(Replica replica) {
        return replica.rows("Open_vSwitch").stream()
                .findFirst()
                .map(SwitchState::of)
                .orElse(UNKNOWN);
    }

    private static SwitchState of(ReplicaRow row) {
        return new SwitchState(
                row.bool("dpdk_initialized"),
                row.strings("iface_types"),
                row.string("ovs_version"),
                row.string("dpdk_version"),
                row.integer("cur_cfg"),
                row.integer("next_cfg"));
    }
}
