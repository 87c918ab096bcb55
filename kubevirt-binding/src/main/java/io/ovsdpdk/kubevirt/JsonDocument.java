package io.ovsdpdk.kubevirt;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/** JSON from outside: at most {@value #MAX_BYTES} bytes, 200 levels, no key twice. */
final class JsonDocument {
    /** What the API server stores of an object at most (etcd's limit of a request). */
    static final int MAX_BYTES = 1536 * 1024;

    private static final JsonMapper MAPPER = JsonMapper.builder(JsonFactory.builder()
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .streamReadConstraints(StreamReadConstraints.builder()
                            .maxNestingDepth(200)
                            .maxStringLength(MAX_BYTES)
                            .build())
                    .build())
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private JsonDocument() {}

    /**
     * Reads some members of an object and skips the others: a VMI's status and bookkeeping may be longer than all that
     * counts of it.
     *
     * @param what what the document is, for the message
     * @throws RefusedException when it is too long or no JSON object
     */
    static ObjectNode readMembers(String what, byte[] document, Set<String> members) throws RefusedException {
        refuseLong(what, document.length);
        try (JsonParser parser = MAPPER.getFactory().createParser(document)) {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                throw new RefusedException("the " + what + " is no JSON object");
            }
            ObjectNode read = JsonNodeFactory.instance.objectNode();
            for (String member = parser.nextFieldName(); member != null; member = parser.nextFieldName()) {
                parser.nextToken();
                if (members.contains(member)) {
                    read.set(
                            member,
                            MAPPER.reader()
                                    .without(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                                    .readTree(parser));
                } else {
                    parser.skipChildren();
                }
            }
            if (parser.nextToken() != null) {
                throw new RefusedException("the " + what + " goes on behind its JSON object");
            }
            return read;
        } catch (JsonProcessingException e) {
            throw notJson(what, e);
        } catch (IOException e) {
            throw new RefusedException("the " + what + " is not valid JSON: " + e.getMessage(), e);
        }
    }

    /**
     * @param what what the document is, for the message
     * @throws RefusedException when it is too long or no JSON object
     */
    static ObjectNode readObject(String what, String document) throws RefusedException {
        refuseLong(what, document.length());
        try {
            if (MAPPER.readTree(document) instanceof ObjectNode object) {
                return object;
            }
            throw new RefusedException("the " + what + " is no JSON object: " + Quoted.of(document));
        } catch (JsonProcessingException e) {
            throw notJson(what, e);
        }
    }

    private static void refuseLong(String what, int length) throws RefusedException {
        if (length > MAX_BYTES) {
            throw new RefusedException("the " + what + " has more than " + MAX_BYTES + " bytes, which is the limit");
        }
    }

    private static RefusedException notJson(String what, JsonProcessingException e) {
        return new RefusedException("the " + what + " is not valid JSON: " + e.getOriginalMessage(), e);
    }

    /** A member that is text; empty where it is missing or null. */
    static String text(JsonNode object, String member) throws RefusedException {
        JsonNode value = object.path(member);
        if (value.isMissingNode() || value.isNull()) {
            return "";
        }
        if (!value.isTextual()) {
            throw new RefusedException(member + " must be text: " + Quoted.of(value.toString()));
        }
        return value.textValue();
    }

    /** A member that is true or false; false where it is missing or null. */
    static boolean flag(JsonNode object, String member) throws RefusedException {
        JsonNode value = object.path(member);
        if (value.isMissingNode() || value.isNull()) {
            return false;
        }
        if (!value.isBoolean()) {
            throw new RefusedException(member + " must be true or false: " + Quoted.of(value.toString()));
        }
        return value.booleanValue();
    }

    /**
     * A member that is an integer; empty where it is missing or null.
     *
     * @throws RefusedException when it is not within the range
     */
    static OptionalInt integer(JsonNode object, String member, int least, int most) throws RefusedException {
        JsonNode value = object.path(member);
        if (value.isMissingNode() || value.isNull()) {
            return OptionalInt.empty();
        }
        return OptionalInt.of(within(value, least, most)
                .orElseThrow(() -> new RefusedException(member + " must be a number from " + least + " to " + most
                        + ": " + Quoted.of(value.toString()))));
    }

    private static Optional<Integer> within(JsonNode value, int least, int most) {
        return value.isIntegralNumber()
                        && value.canConvertToInt()
                        && value.intValue() >= least
                        && value.intValue() <= most
                ? Optional.of(value.intValue())
                : Optional.empty();
    }
}
