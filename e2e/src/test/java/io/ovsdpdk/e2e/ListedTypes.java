package io.ovsdpdk.e2e;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import io.fabric8.kubernetes.api.model.ObjectMeta;
import java.io.IOException;
import java.io.InputStream;
import java.util.Map;

/** Types of custom resources of which there are no model classes, from a list of their fields. */
final class ListedTypes {
    private static final String LIST = "/kubevirt-1.7-types.yaml";
    private static final String LISTS = "list of ";
    private static final String MAPS = "map of ";

    private final JsonNode types;

    private ListedTypes(JsonNode types) {
        this.types = types;
    }

    static ListedTypes read() throws IOException {
        try (InputStream list = ListedTypes.class.getResourceAsStream(LIST)) {
            return new ListedTypes(new ObjectMapper(new YAMLFactory()).readTree(list));
        }
    }

    /** @throws IOException for a field that the type doesn't have, or a value of another type; it names the place */
    void check(JsonNode value, String type) throws IOException {
        check(value, type, type);
    }

    private void check(JsonNode value, String type, String place) throws IOException {
        if (type.startsWith(LISTS)) {
            require(value.isArray(), value, type, place);
            for (JsonNode element : value) {
                check(element, type.substring(LISTS.length()), place + "[]");
            }
        } else if (type.startsWith(MAPS)) {
            require(value.isObject(), value, type, place);
            for (Map.Entry<String, JsonNode> entry : value.properties()) {
                check(entry.getValue(), type.substring(MAPS.length()), place + "." + entry.getKey());
            }
        } else {
            switch (type) {
                case "string" -> require(value.isTextual(), value, type, place);
                case "number" -> require(value.isNumber(), value, type, place);
                case "boolean" -> require(value.isBoolean(), value, type, place);
                case "object" -> require(value.isObject(), value, type, place);
                case "ObjectMeta" -> Manifests.readStrictly(value, ObjectMeta.class);
                default -> checkFields(value, type, place);
            }
        }
    }

    private void checkFields(JsonNode value, String type, String place) throws IOException {
        JsonNode fields = types.path(type);
        if (fields.isMissingNode()) {
            throw new IOException(place + ": the type " + type + " is not in the list");
        }
        require(value.isObject(), value, type, place);
        for (Map.Entry<String, JsonNode> field : value.properties()) {
            String inner = place + "." + field.getKey();
            if (!fields.has(field.getKey())) {
                throw new IOException(inner + ": " + type + " has no such field");
            }
            check(field.getValue(), fields.get(field.getKey()).asText(), inner);
        }
    }

    private static void require(boolean condition, JsonNode value, String type, String place) throws IOException {
        if (!condition) {
            throw new IOException(place + ": " + value + " is no " + type);
        }
    }
}
