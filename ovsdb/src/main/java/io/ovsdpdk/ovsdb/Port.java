package io.ovsdpdk.ovsdb;

import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import org.opendaylight.ovsdb.lib.notation.UUID;

/**
 * A port.
 *
 * @param uuid the row's UUID
 * @param name its name, unique in the switch
 * @param interfaces the UUIDs of its interfaces: one, unless it is a bond
 * @param tag the VLAN of an access port, 0 to 4095
 * @param trunks the VLANs that a trunk lets through; none means all
 * @param externalIds whose it is
 * @param bridge the name of the bridge that has it
 */
public record Port(
        UUID uuid,
        String name,
        Set<UUID> interfaces,
        OptionalLong tag,
        Set<Long> trunks,
        Map<String, String> externalIds,
        Optional<String> bridge) {

    static Port of(ReplicaRow row, Optional<String> bridge) {
        return new Port(
                row.uuid(),
                row.string("name"),
                row.uuids("interfaces"),
                row.optionalInteger("tag"),
                row.integers("trunks"),
                row.map("external_ids"),
                bridge);
    }
}
