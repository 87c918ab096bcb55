package io.ovsdpdk.api;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** JSON from strangers: at most 1 MiB, 64 levels, no key twice in an object, nothing behind the value. */
public final class Json {
    /** The longest document that is read, in bytes; also the longest request of the agent's protocol. */
    public static final int MAX_BYTES = 1 << 20;

    private static final ObjectMapper MAPPER = JsonMapper.builder(com.fasterxml.jackson.core.JsonFactory.builder()
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .streamReadConstraints(StreamReadConstraints.builder()
                            .maxNestingDepth(64)
                            .maxStringLength(MAX_BYTES)
                            .build())
                    .build())
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private Json() {}

    /**
     * @param what what the document is, for the message: "network configuration"
     * @throws CniException {@link ErrorCode#DECODING} when it is too long, no JSON, or no JSON object
     */
    public static ObjectNode readObject(String what, byte[] document) throws CniException {
        if (document.length > MAX_BYTES) {
            throw new CniException(
                    ErrorCode.DECODING, "the " + what + " has more than " + MAX_BYTES + " bytes, which is the limit");
        }
        refuseInvalidUtf8(what, document);
        JsonNode node;
        try {
            node = MAPPER.readTree(document);
        } catch (JsonProcessingException e) {
            throw new CniException(
                    ErrorCode.DECODING,
                    "the " + what + " is not valid JSON: " + printable(e.getOriginalMessage()),
                    at(e),
                    e);
        } catch (IOException e) {
            throw new CniException(ErrorCode.DECODING, "the " + what + " is not valid JSON: " + e.getMessage(), "", e);
        }
        if (node instanceof ObjectNode object) {
            return object;
        }
        throw new CniException(
                ErrorCode.DECODING,
                document.length == 0 || node == null || node.isMissingNode()
                        ? "the " + what + " is empty: a JSON object was expected"
                        : "the " + what + " is a JSON "
                                + node.getNodeType().name().toLowerCase(java.util.Locale.ROOT)
                                + ": a JSON object was expected");
    }

    /** Jackson accepts overlong forms, in which a letter can hide from whoever looked at the bytes before. */
    private static void refuseInvalidUtf8(String what, byte[] document) throws CniException {
        try {
            StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(document));
        } catch (CharacterCodingException e) {
            throw new CniException(
                    ErrorCode.DECODING, "the " + what + " is not valid JSON: it is not valid UTF-8", "", e);
        }
    }

    public static byte[] write(JsonNode node) {
        try {
            return MAPPER.writeValueAsBytes(node);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a JSON tree can always be written", e);
        }
    }

    public static ObjectNode object() {
        return JsonNodeFactory.instance.objectNode();
    }

    public static ArrayNode array() {
        return JsonNodeFactory.instance.arrayNode();
    }

    /** The same document with the keys of every object in order: equal documents are written alike. */
    public static JsonNode canonical(JsonNode node) {
        return switch (node) {
            case ObjectNode object -> {
                ObjectNode ordered = object();
                List<String> keys = new ArrayList<>();
                object.fieldNames().forEachRemaining(keys::add);
                keys.stream().sorted().forEach(key -> ordered.set(key, canonical(object.get(key))));
                yield ordered;
            }
            case ArrayNode array -> {
                ArrayNode copy = array();
                array.forEach(element -> copy.add(canonical(element)));
                yield copy;
            }
            default -> node;
        };
    }

    /** The parser quotes what it read, escape sequences of terminals too. */
    private static String printable(String text) {
        StringBuilder printable = new StringBuilder();
        text.codePoints()
                .forEach(c -> printable.append(
                        Character.isISOControl(c) ? String.format("\\u%04x", c) : Character.toString(c)));
        return printable.toString();
    }

    private static String at(JsonProcessingException e) {
        return e.getLocation() == null
                ? ""
                : "at line " + e.getLocation().getLineNr() + ", column "
                        + e.getLocation().getColumnNr();
    }
}
