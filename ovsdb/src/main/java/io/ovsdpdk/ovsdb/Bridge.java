package io.ovsdpdk.ovsdb;

import java.util.Map;
import java.util.Set;
import org.opendaylight.ovsdb.lib.notation.UUID;

/**
 * A bridge.
 *
 * @param uuid the row's UUID
 * @param name its name
 * @param datapathType {@code netdev} for the userspace datapath, which vhost-user needs; empty or {@code system} for the
 *     kernel's
 * @param ports the UUIDs of its ports
 * @param externalIds what others noted there
 */
public record Bridge(UUID uuid, String name, String datapathType, Set<UUID> ports, Map<String, String> externalIds) {

    static Bridge of(ReplicaRow row) {
        return new Bridge(
                row.uuid(),
                row.string("name"),
                row.string("datapath_type"),
                row.uuids("ports"),
                row.map("external_ids"));
    }
}
