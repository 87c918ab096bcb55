package io.ovsdpdk.kubevirt;

import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * Where an element without a namespace stands in a document's text. Offsets are of the text's chars.
 *
 * @param name without a prefix
 * @param attributes those without a namespace
 * @param prefixes namespaces declared here, by their prefix; the default one by an empty prefix
 * @param start of its start tag
 * @param contentStart behind its start tag
 * @param contentEnd at its end tag; where there is none, at its end
 * @param end behind all of it
 * @param children those of its child elements that have no namespace
 */
record XmlElement(
        String name,
        Map<String, String> attributes,
        Map<String, String> prefixes,
        int start,
        int contentStart,
        int contentEnd,
        int end,
        List<XmlElement> children) {

    /** Whether it is one tag, {@code <name/>}. */
    boolean selfClosing() {
        return contentStart == end;
    }

    /** Its child elements of this name. */
    Stream<XmlElement> children(String childName) {
        return children.stream().filter(child -> child.name.equals(childName));
    }

    /** An attribute's value; empty where there is none. */
    String attribute(String attributeName) {
        return attributes.getOrDefault(attributeName, "");
    }
}
