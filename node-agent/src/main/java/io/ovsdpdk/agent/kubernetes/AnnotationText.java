package io.ovsdpdk.agent.kubernetes;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.cfg.JsonNodeFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.api.Quoted;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * An annotation that holds a JSON array of objects, others' and ours: a place is found in its text and written there, so
 * that all else stays to the letter.
 *
 * <p>Places are positions in the text, in chars.
 */
final class AnnotationText {
    /** Others' numbers must come out as they went in. */
    private static final JsonMapper MAPPER = JsonMapper.builder(JsonFactory.builder()
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .streamReadConstraints(
                            StreamReadConstraints.builder().maxNestingDepth(64).build())
                    .build())
            .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .disable(JsonNodeFeature.STRIP_TRAILING_BIGDECIMAL_ZEROES)
            .build();

    /** @param end the position behind it */
    record Span(int start, int end) {}

    /**
     * An object of the array.
     *
     * @param value all of it
     * @param place where it stands
     * @param member where the value of the member that was asked for stands
     */
    record Entry(ObjectNode value, Span place, Optional<Span> member) {}

    private AnnotationText() {}

    /**
     * The objects of the array in their order; its elements of other kinds are passed over.
     *
     * @param member whose place is wanted
     * @throws MalformedAnnotationException when it is not a JSON array
     */
    static List<Entry> entries(String annotation, String text, String member) throws MalformedAnnotationException {
        ArrayNode values = array(annotation, text);
        List<Entry> entries = new ArrayList<>();
        try (JsonParser parser = MAPPER.createParser(text)) {
            parser.nextToken();
            for (JsonNode value : values) {
                parser.nextToken();
                if (value instanceof ObjectNode object) {
                    entries.add(entry(parser, object, member));
                } else {
                    parser.skipChildren();
                }
            }
        } catch (IOException e) {
            throw new IllegalStateException("it was read a moment ago", e);
        }
        return entries;
    }

    /** @throws MalformedAnnotationException when it is not a JSON array */
    static ArrayNode array(String annotation, String text) throws MalformedAnnotationException {
        try {
            if (MAPPER.readTree(text) instanceof ArrayNode array) {
                return array;
            }
        } catch (IOException e) {
            throw new MalformedAnnotationException(annotation, "is not JSON: " + Quoted.of(text), e);
        }
        throw new MalformedAnnotationException(annotation, "is not a JSON array: " + Quoted.of(text), null);
    }

    private static Entry entry(JsonParser parser, ObjectNode value, String member) throws IOException {
        int start = startOf(parser);
        Optional<Span> place = Optional.empty();
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
            boolean wanted = parser.currentName().equals(member);
            parser.nextToken();
            int valueStart = startOf(parser);
            parser.skipChildren();
            if (wanted) {
                place = Optional.of(new Span(valueStart, endOf(parser)));
            }
        }
        return new Entry(value, new Span(start, endOf(parser)), place);
    }

    private static int startOf(JsonParser parser) {
        return (int) parser.currentTokenLocation().getCharOffset();
    }

    private static int endOf(JsonParser parser) throws IOException {
        parser.finishToken();
        return (int) parser.currentLocation().getCharOffset();
    }

    static String replaced(String text, Span place, JsonNode value) {
        return text.substring(0, place.start()) + write(value) + text.substring(place.end());
    }

    /** With one member more in an object that has none of that name: behind the others, laid out like them. */
    static String withMember(String text, Span object, String name, JsonNode value) {
        String inner = text.substring(object.start() + 1, object.end() - 1);
        String content = inner.strip();
        String layout = inner.substring(0, inner.indexOf(content));
        int behind = object.start() + 1 + layout.length() + content.length();
        return text.substring(0, behind)
                + (content.isEmpty() ? "" : ",") + layout
                + "\"" + name + "\":" + (layout.isEmpty() ? "" : " ") + write(value)
                + text.substring(behind);
    }

    /** With one element more at the end of the array, which is all of the text. */
    static String withElement(String text, JsonNode element) {
        String content = text.strip();
        String open = content.substring(0, content.length() - 1).stripTrailing();
        return open + (open.equals("[") ? "" : ",") + write(element) + "]";
    }

    /** With one element less in the array, which is all of the text; one comma goes with it. */
    static String withoutElement(String text, Span element) {
        String before = text.substring(0, element.start());
        String behind = text.substring(element.end());
        if (behind.stripLeading().startsWith(",")) {
            return before + behind.stripLeading().substring(1).stripLeading();
        }
        String others = before.stripTrailing();
        return (others.endsWith(",") ? others.substring(0, others.length() - 1) : others) + behind;
    }

    /** Without a {@code =}, on which app-netutil would drop the whole annotation: JSON can say it otherwise. */
    static String write(JsonNode value) {
        try {
            return MAPPER.writeValueAsString(value).replace("=", "\\u003d");
        } catch (IOException e) {
            throw new IllegalStateException("a JSON tree can always be written", e);
        }
    }
}
