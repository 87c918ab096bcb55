package io.ovsdpdk.api;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;

/**
 * What a look for orphans found and did.
 *
 * @param graceSeconds for how int an orphan must have been one before it is removed, seconds
 * @param obstacle why it could not be found out which attachments are orphans, so that none was removed; empty when it
 *     could
 */
public record OrphanReport(List<OrphanView> orphans, int graceSeconds, String obstacle) {
    public OrphanReport {
        orphans = List.copyOf(orphans);
    }

    /** As it stands in replies, and as {@code ovs-dpdk gc -o json} prints it. */
    public ObjectNode toJson() {
        ObjectNode node = Json.object();
        ArrayNode array = node.putArray("orphans");
        orphans.forEach(orphan -> array.add(orphan.toJson()));
        return node.put("graceSeconds", graceSeconds).put("obstacle", obstacle);
    }
}
