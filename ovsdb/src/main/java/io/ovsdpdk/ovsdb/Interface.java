package io.ovsdpdk.ovsdb;

import java.util.Map;
import java.util.OptionalLong;
import org.opendaylight.ovsdb.lib.notation.UUID;

/**
 * An interface of a port: what was asked for, and what ovs-vswitchd reports of it.
 *
 * @param uuid the row's UUID
 * @param name its name, unique in the switch
 * @param type for example {@code dpdkvhostuserclient}; empty for a kernel device
 * @param options for example {@code vhost-server-path}
 * @param externalIds whose it is
 * @param ofport the OpenFlow port; absent until ovs-vswitchd has looked at it, -1 when it could not make it
 * @param error ovs-vswitchd's words when it could not make it; else empty
 * @param mtuRequest the MTU that was asked for, bytes
 * @param mtu the MTU that it has, bytes; 0 for a vhost-user port without peer
 * @param linkState {@code up} or {@code down}; empty until known. For a vhost-user port up means that a guest is
 *     connected and frames can pass
 * @param status what the driver reports, for example {@code status=connected}, which alone doesn't mean that frames pass
 */
public record Interface(
        UUID uuid,
        String name,
        String type,
        Map<String, String> options,
        Map<String, String> externalIds,
        OptionalLong ofport,
        String error,
        OptionalLong mtuRequest,
        OptionalLong mtu,
        String linkState,
        Map<String, String> status) {

    static Interface of(ReplicaRow row) {
        return new Interface(
                row.uuid(),
                row.string("name"),
                row.string("type"),
                row.map("options"),
                row.map("external_ids"),
                row.optionalInteger("ofport"),
                row.string("error"),
                row.optionalInteger("mtu_request"),
                row.optionalInteger("mtu"),
                row.string("link_state"),
                row.map("status"));
    }

    /** Whether ovs-vswitchd has given it an OpenFlow port. */
    boolean hasOfport() {
        return ofport.isPresent() && ofport.getAsLong() > 0;
    }

    /** Whether ovs-vswitchd has looked at it and could not make it. */
    boolean refused() {
        return !error.isEmpty() || ofport.isPresent() && ofport.getAsLong() <= 0;
    }
}
