package io.ovsdpdk.ovsdb;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.opendaylight.ovsdb.lib.notation.UUID;
import org.opendaylight.ovsdb.lib.schema.ColumnSchema;
import org.opendaylight.ovsdb.lib.schema.GenericTableSchema;

/**
 * One column of a replicated table: reads its values, knows its default, applies differences.
 *
 * <p>The library turns JSON into values without looking closely (a number reads as a string, a wrong reference as null),
 * so the JSON is checked here first. Values are immutable: Long, Double, Boolean, String, {@link UUID} for scalars; a
 * {@link Set} of these for optional and set columns; a {@link Map}.
 */
final class ReplicatedColumn {

    private enum Shape {
        SCALAR,
        OPTIONAL,
        SET,
        MAP
    }

    private enum Atom {
        INTEGER,
        REAL,
        BOOLEAN,
        STRING,
        UUID;

        private static final Pattern UUID_TEXT = Pattern.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}");

        boolean admits(JsonNode value) {
            return switch (this) {
                case INTEGER -> value.isIntegralNumber() && value.canConvertToLong();
                case REAL -> value.isNumber();
                case BOOLEAN -> value.isBoolean();
                case STRING -> value.isTextual();
                case UUID ->
                    value.isArray()
                            && value.size() == 2
                            && "uuid".equals(value.get(0).asText())
                            && UUID_TEXT.matcher(value.get(1).asText()).matches();
            };
        }

        /** RFC 7047 section 5.2.1. */
        Object zero() {
            return switch (this) {
                case INTEGER -> 0L;
                case REAL -> 0.0;
                case BOOLEAN -> false;
                case STRING -> "";
                case UUID -> new UUID("00000000-0000-0000-0000-000000000000");
            };
        }
    }

    private final String name;
    private final ColumnSchema<GenericTableSchema, Object> schema;
    private final Shape shape;
    private final Atom key;
    private final Atom value;

    /**
     * Describes a column.
     *
     * @param schema the library's idea of it
     * @param type the {@code <type>} of RFC 7047 section 3.2
     */
    ReplicatedColumn(ColumnSchema<GenericTableSchema, Object> schema, JsonNode type) throws OvsdbProtocolException {
        this.name = schema.getName();
        this.schema = schema;
        this.shape = shape(type);
        this.key = atom(type.isTextual() ? type : type.path("key"));
        this.value = shape == Shape.MAP ? atom(type.path("value")) : key;
    }

    private static Shape shape(JsonNode type) {
        if (type.has("value")) {
            return Shape.MAP;
        }
        if ("unlimited".equals(type.path("max").asText()) || type.path("max").asLong(1) > 1) {
            return Shape.SET;
        }
        return type.path("min").asLong(1) == 0 ? Shape.OPTIONAL : Shape.SCALAR;
    }

    private Atom atom(JsonNode baseType) throws OvsdbProtocolException {
        String text =
                baseType.isTextual() ? baseType.asText() : baseType.path("type").asText();
        return switch (text) {
            case "integer" -> Atom.INTEGER;
            case "real" -> Atom.REAL;
            case "boolean" -> Atom.BOOLEAN;
            case "string" -> Atom.STRING;
            case "uuid" -> Atom.UUID;
            default -> throw new OvsdbProtocolException("column " + name + " is of unknown type \"" + text + "\"");
        };
    }

    /** The value that a row has when the server leaves the column out. */
    Object defaultValue() {
        return switch (shape) {
            case SCALAR -> key.zero();
            case OPTIONAL, SET -> Set.of();
            case MAP -> Map.of();
        };
    }

    /**
     * Reads a whole value.
     *
     * @throws OvsdbProtocolException if it is not of the column's type
     */
    Object parse(JsonNode json) throws OvsdbProtocolException {
        if (!admits(json)) {
            String shown = json.toString();
            throw new OvsdbProtocolException(
                    "column " + name + " can't be " + (shown.length() > 200 ? shown.substring(0, 200) + "…" : shown));
        }
        return switch (schema.valueFromJson(json)) {
            case Set<?> set -> Set.copyOf(set);
            case Map<?, ?> map -> Map.copyOf(map);
            case Object scalar -> scalar;
        };
    }

    private boolean admits(JsonNode json) {
        return switch (shape) {
            case SCALAR -> key.admits(json);
            case OPTIONAL, SET -> key.admits(json) || isCollection(json, "set") && all(json.get(1), key::admits);
            case MAP -> isCollection(json, "map") && all(json.get(1), this::admitsPair);
        };
    }

    private boolean admitsPair(JsonNode pair) {
        return pair.isArray() && pair.size() == 2 && key.admits(pair.get(0)) && value.admits(pair.get(1));
    }

    private static boolean isCollection(JsonNode json, String kind) {
        return json.isArray()
                && json.size() == 2
                && kind.equals(json.get(0).asText())
                && json.get(1).isArray();
    }

    private static boolean all(JsonNode elements, Predicate<JsonNode> admitted) {
        for (JsonNode element : elements) {
            if (!admitted.test(element)) {
                return false;
            }
        }
        return true;
    }

    /**
     * The value after a {@code modify} of update2 and update3: scalars and optional values are replaced; of a set, what
     * is in one of the two only; of a map, pairs equal on both sides go, others are put.
     */
    Object modified(Object old, JsonNode difference) throws OvsdbProtocolException {
        Object change = parse(difference);
        return switch (shape) {
            case SCALAR, OPTIONAL -> change;
            case SET -> symmetricDifference((Set<?>) old, (Set<?>) change);
            case MAP -> changedPairs((Map<?, ?>) old, (Map<?, ?>) change);
        };
    }

    private static Set<Object> symmetricDifference(Set<?> old, Set<?> change) {
        Set<Object> result = new HashSet<>(old);
        for (Object element : change) {
            if (!result.remove(element)) {
                result.add(element);
            }
        }
        return Collections.unmodifiableSet(result);
    }

    private static Map<Object, Object> changedPairs(Map<?, ?> old, Map<?, ?> change) {
        Map<Object, Object> result = new HashMap<>(old);
        change.forEach((pairKey, pairValue) -> {
            if (!result.remove(pairKey, pairValue)) {
                result.put(pairKey, pairValue);
            }
        });
        return Collections.unmodifiableMap(result);
    }
}
