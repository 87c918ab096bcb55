package io.ovsdpdk.ovsdb;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * What an {@link OvsdbClient} replicates. Tables and columns that the server's schema lacks (an older Open vSwitch) are
 * left out when it is asked; their rows are then absent and their values read as defaults.
 *
 * @param database the database's name
 * @param columns for each table the names of its columns
 */
public record ReplicatedTables(String database, Map<String, Set<String>> columns) {

    /** Copies the columns. */
    public ReplicatedTables {
        Map<String, Set<String>> copy = LinkedHashMap.newLinkedHashMap(columns.size());
        columns.forEach((table, names) -> copy.put(table, Set.copyOf(names)));
        columns = Map.copyOf(copy);
    }
}
