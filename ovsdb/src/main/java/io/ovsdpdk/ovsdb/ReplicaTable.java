package io.ovsdpdk.ovsdb;

import java.util.List;
import java.util.Optional;
import org.opendaylight.ovsdb.lib.notation.UUID;

/**
 * One table of the replica at one moment, with an index by the column {@code name} where it has one.
 *
 * <p>Names are unique in a consistent database, but the rows of one update come in any order: for an instant the new row
 * and the old row of a name are both here. So a row's end takes the name out of the index only if it still leads to it.
 */
record ReplicaTable(PersistentMap<UUID, ReplicaRow> rows, PersistentMap<String, UUID> names) {

    static final ReplicaTable EMPTY = new ReplicaTable(PersistentMap.empty(), PersistentMap.empty());

    Optional<ReplicaRow> row(UUID uuid) {
        return rows.get(uuid);
    }

    Optional<ReplicaRow> named(String name) {
        return names.get(name).flatMap(rows::get);
    }

    List<ReplicaRow> all() {
        return rows.values();
    }

    ReplicaTable with(ReplicaRow row) {
        Optional<String> name = name(row);
        Optional<String> before = row(row.uuid()).flatMap(ReplicaTable::name);
        if (name.equals(before)) {
            return new ReplicaTable(rows.with(row.uuid(), row), names);
        }
        PersistentMap<String, UUID> index = without(before, row.uuid());
        return new ReplicaTable(
                rows.with(row.uuid(), row),
                name.map(text -> index.with(text, row.uuid())).orElse(index));
    }

    ReplicaTable without(UUID uuid) {
        return new ReplicaTable(rows.without(uuid), without(row(uuid).flatMap(ReplicaTable::name), uuid));
    }

    private PersistentMap<String, UUID> without(Optional<String> name, UUID uuid) {
        boolean leadsHere = name.flatMap(names::get).filter(uuid::equals).isPresent();
        return leadsHere ? names.without(name.orElseThrow()) : names;
    }

    private static Optional<String> name(ReplicaRow row) {
        return row.values().get("name") instanceof String name ? Optional.of(name) : Optional.empty();
    }
}
