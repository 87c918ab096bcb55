package io.ovsdpdk.ovsdb;

import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import org.opendaylight.ovsdb.lib.notation.UUID;

/**
 * One row of the replica at one moment; it never changes.
 *
 * <p>The typed accessors give the default of their type for a column that the server's schema lacks. Asking for another
 * type than the column's is a mistake of the caller: {@link ClassCastException}.
 *
 * @param uuid the row's UUID
 * @param values every replicated column that the server has, by name: Long, Double, Boolean, String or UUID, a Set of
 *     these for optional values and sets, or a Map
 */
public record ReplicaRow(UUID uuid, Map<String, Object> values) {

    /** A string column, or the only element of an optional one; empty if there is none. */
    public String string(String column) {
        return optionalString(column).orElse("");
    }

    /** The element of an optional string column. */
    public Optional<String> optionalString(String column) {
        return first(column).map(String.class::cast);
    }

    /** An integer column; 0 if there is none. */
    public long integer(String column) {
        return optionalInteger(column).orElse(0);
    }

    /** The element of an optional integer column. */
    public OptionalLong optionalInteger(String column) {
        return first(column).map(Long.class::cast).map(OptionalLong::of).orElse(OptionalLong.empty());
    }

    /** A boolean column; false if there is none. */
    public boolean bool(String column) {
        return first(column).map(Boolean.class::cast).orElse(false);
    }

    /** A set of strings. */
    public Set<String> strings(String column) {
        return set(column);
    }

    /** A set of integers. */
    public Set<Long> integers(String column) {
        return set(column);
    }

    /** A set of references to rows. */
    public Set<UUID> uuids(String column) {
        return set(column);
    }

    /** A map of strings to strings. */
    @SuppressWarnings("unchecked") // the schema says so, and every value was checked against it
    public Map<String, String> map(String column) {
        return (Map<String, String>) values.getOrDefault(column, Map.of());
    }

    @SuppressWarnings("unchecked") // the schema says so, and every value was checked against it
    private <T> Set<T> set(String column) {
        return (Set<T>) values.getOrDefault(column, Set.of());
    }

    private Optional<Object> first(String column) {
        return switch (values.get(column)) {
            case null -> Optional.empty();
            case Set<?> set -> set.stream().findFirst().map(Object.class::cast);
            case Object scalar -> Optional.of(scalar);
        };
    }
}
