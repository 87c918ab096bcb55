package io.ovsdpdk.ovsdb;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.opendaylight.ovsdb.lib.schema.DatabaseSchema;
import org.opendaylight.ovsdb.lib.schema.GenericTableSchema;

/** The server's schema, and those columns of it that are replicated. */
final class ReplicaSchema {

    private final DatabaseSchema database;
    private final Map<String, Map<String, ReplicatedColumn>> tables;

    private ReplicaSchema(DatabaseSchema database, Map<String, Map<String, ReplicatedColumn>> tables) {
        this.database = database;
        this.tables = tables;
    }

    /**
     * Reads the answer to {@code get_schema}.
     *
     * @throws OvsdbProtocolException if it is no schema
     */
    static ReplicaSchema of(JsonNode answer, ReplicatedTables wanted) throws OvsdbProtocolException {
        JsonNode json = answer.deepCopy();
        widenMaxima(json);
        try {
            DatabaseSchema database =
                    DatabaseSchema.fromJson(wanted.database(), json).withInternallyGeneratedColumns();
            return new ReplicaSchema(database, replicated(json, database, wanted));
        } catch (RuntimeException e) {
            // The library meets a broken schema with whatever comes: its own exceptions, null pointers, casts
            throw new OvsdbProtocolException("the server's schema can't be read: " + e, e);
        }
    }

    /** The library takes a maximum for 1 unless its JSON node is a long: 4096 trunks of a Port would be one. */
    private static void widenMaxima(JsonNode schema) {
        for (JsonNode table : schema.path("tables")) {
            for (JsonNode column : table.path("columns")) {
                if (column.path("type") instanceof ObjectNode type
                        && type.path("max").isInt()) {
                    type.put("max", type.get("max").asLong());
                }
            }
        }
    }

    private static Map<String, Map<String, ReplicatedColumn>> replicated(
            JsonNode json, DatabaseSchema database, ReplicatedTables wanted) throws OvsdbProtocolException {
        Map<String, Map<String, ReplicatedColumn>> tables = new HashMap<>();
        for (Map.Entry<String, Set<String>> entry : wanted.columns().entrySet()) {
            if (!database.hasTable(entry.getKey())) {
                continue;
            }
            GenericTableSchema table = database.table(entry.getKey(), GenericTableSchema.class);
            JsonNode described = json.path("tables").path(entry.getKey()).path("columns");
            Map<String, ReplicatedColumn> columns = new TreeMap<>();
            for (String name : entry.getValue()) {
                if (described.has(name)) {
                    columns.put(
                            name,
                            new ReplicatedColumn(
                                    table.column(name, Object.class),
                                    described.path(name).path("type")));
                }
            }
            tables.put(entry.getKey(), columns);
        }
        return Map.copyOf(tables);
    }

    /** All tables and columns, for building operations; {@code _uuid} and {@code _version} among them. */
    DatabaseSchema database() {
        return database;
    }

    /** The replicated tables that the server has. */
    Set<String> tables() {
        return tables.keySet();
    }

    /** The replicated columns of one of {@link #tables()}, by name. */
    Map<String, ReplicatedColumn> columns(String table) {
        return tables.get(table);
    }
}
