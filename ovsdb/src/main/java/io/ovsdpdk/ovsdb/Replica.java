package io.ovsdpdk.ovsdb;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.opendaylight.ovsdb.lib.notation.UUID;

/**
 * The replicated tables at one moment: what a transaction left behind is in it whole, or not at all. It never changes, so
 * whoever reads several rows reads them from one replica.
 */
public final class Replica {

    /** What stands here before the first connection. */
    static final Replica NOTHING = new Replica(0, Map.of());

    /** A new replica, and which rows differ from the one before. */
    record Change(Replica after, Set<UUID> rows) {}

    private final long generation;
    private final Map<String, ReplicaTable> tables;

    private Replica(long generation, Map<String, ReplicaTable> tables) {
        this.generation = generation;
        this.tables = tables;
    }

    /** An empty replica, which the first answer of a monitor fills. */
    static Replica empty(long generation) {
        return new Replica(generation, Map.of());
    }

    /** Which synchronisation this goes back to; 0 before the first one. Within one, a row that is gone was deleted. */
    public long generation() {
        return generation;
    }

    /** All rows of a table, in no order; none for a table that isn't replicated or that the server lacks. */
    public Collection<ReplicaRow> rows(String table) {
        return table(table).all();
    }

    /** How many rows a table has. */
    public int size(String table) {
        return table(table).rows().size();
    }

    /** The row with this UUID. */
    public Optional<ReplicaRow> row(String table, UUID uuid) {
        return table(table).row(uuid);
    }

    /** The row whose column {@code name} has this value. */
    public Optional<ReplicaRow> named(String table, String name) {
        return table(table).named(name);
    }

    private ReplicaTable table(String name) {
        return tables.getOrDefault(name, ReplicaTable.EMPTY);
    }

    /**
     * The replica after a {@code <table-updates2>} (ovsdb-server(7), "Update2 Notification").
     *
     * @throws OvsdbProtocolException if it doesn't fit the schema or this replica
     */
    Change apply(JsonNode updates, ReplicaSchema schema) throws OvsdbProtocolException {
        Map<String, ReplicaTable> after = new HashMap<>(tables);
        Set<UUID> changed = new HashSet<>();
        for (Map.Entry<String, JsonNode> update : updates.properties()) {
            String name = update.getKey();
            if (!schema.tables().contains(name)) {
                throw new OvsdbProtocolException("update of table " + name + ", which was not asked for");
            }
            ReplicaTable table = table(name);
            for (Map.Entry<String, JsonNode> row : update.getValue().properties()) {
                UUID uuid = new UUID(row.getKey());
                table = applyRow(table, uuid, row.getValue(), schema.columns(name));
                changed.add(uuid);
            }
            after.put(name, table);
        }
        return new Change(new Replica(generation, Map.copyOf(after)), changed);
    }

    private static ReplicaTable applyRow(
            ReplicaTable table, UUID uuid, JsonNode update, Map<String, ReplicatedColumn> columns)
            throws OvsdbProtocolException {
        Optional<ReplicaRow> before = table.row(uuid);
        if (update.has("initial") || update.has("insert")) {
            JsonNode given = update.has("initial") ? update.get("initial") : update.get("insert");
            return table.with(new ReplicaRow(uuid, complete(given, columns)));
        }
        if (before.isEmpty()) {
            throw new OvsdbProtocolException("update of row " + uuid + ", which is not there: " + update);
        }
        if (update.has("delete")) {
            return table.without(uuid);
        }
        if (update.has("modify")) {
            return table.with(new ReplicaRow(uuid, modified(before.get(), update.get("modify"), columns)));
        }
        throw new OvsdbProtocolException("update of row " + uuid + " of unknown kind: " + update);
    }

    /** Initial and inserted rows come without the columns that have their default. */
    private static Map<String, Object> complete(JsonNode given, Map<String, ReplicatedColumn> columns)
            throws OvsdbProtocolException {
        Map<String, Object> values = HashMap.newHashMap(columns.size());
        for (Map.Entry<String, ReplicatedColumn> column : columns.entrySet()) {
            JsonNode value = given.get(column.getKey());
            values.put(
                    column.getKey(),
                    value == null
                            ? column.getValue().defaultValue()
                            : column.getValue().parse(value));
        }
        return Map.copyOf(values);
    }

    private static Map<String, Object> modified(
            ReplicaRow row, JsonNode difference, Map<String, ReplicatedColumn> columns) throws OvsdbProtocolException {
        Map<String, Object> values = new HashMap<>(row.values());
        for (Map.Entry<String, JsonNode> changed : difference.properties()) {
            ReplicatedColumn column = columns.get(changed.getKey());
            if (column == null) {
                throw new OvsdbProtocolException("update of column " + changed.getKey() + ", which was not asked for");
            }
            values.put(changed.getKey(), column.modified(values.get(changed.getKey()), changed.getValue()));
        }
        return Map.copyOf(values);
    }

    @Override
    public String toString() {
        List<String> sizes = tables.entrySet().stream()
                .map(table -> table.getKey() + " " + table.getValue().rows().size())
                .sorted()
                .toList();
        return "generation " + generation + ", rows: " + String.join(", ", sizes);
    }
}
