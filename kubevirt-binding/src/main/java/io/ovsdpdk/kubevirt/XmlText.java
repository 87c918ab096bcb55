package io.ovsdpdk.kubevirt;

import com.ctc.wstx.api.WstxInputProperties;
import com.ctc.wstx.stax.WstxInputFactory;
import java.io.StringReader;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import javax.xml.stream.XMLInputFactory;
import javax.xml.stream.XMLStreamConstants;
import javax.xml.stream.XMLStreamException;
import org.codehaus.stax2.XMLStreamReader2;

/**
 * An XML document as text, together with where its upper elements stand in it: whoever changes some of them leaves every
 * other character as it is.
 *
 * @param root its outermost element; of what is below, {@value #DEPTH} levels are known
 */
record XmlText(String text, XmlElement root) {
    /** Chars of a document; KubeVirt's have some 10,000. */
    static final int MAX_BYTES = 1 << 20;

    /** Elements of those levels; KubeVirt's documents have some hundreds, and each takes a hundred bytes. */
    static final int MAX_ELEMENTS = 50_000;

    /** {@code domain/devices/interface/alias}. */
    private static final int DEPTH = 4;

    private static final char BYTE_ORDER_MARK = '\uFEFF';

    /**
     * Reads a document without a document type: there are no entities but XML's own.
     *
     * @throws RefusedException when it is too long, not UTF-8, not well-formed, or has a document type
     */
    static XmlText read(byte[] document) throws RefusedException {
        if (document.length > MAX_BYTES) {
            throw new RefusedException("the domain XML has more than " + MAX_BYTES + " bytes, which is the limit");
        }
        String text = decode(document);
        try {
            XMLStreamReader2 reader = (XMLStreamReader2) factory().createXMLStreamReader(new StringReader(text));
            return new XmlText(text, new Parse(reader).document());
        } catch (XMLStreamException e) {
            throw new RefusedException(
                    "the domain XML is not well-formed: " + e.getMessage().replaceAll("\\s+", " "), e);
        }
    }

    private static String decode(byte[] document) throws RefusedException {
        try {
            String text = StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(document))
                    .toString();
            return !text.isEmpty() && text.charAt(0) == BYTE_ORDER_MARK ? text.substring(1) : text;
        } catch (CharacterCodingException e) {
            throw new RefusedException("the domain XML is not UTF-8", e);
        }
    }

    private static XMLInputFactory factory() {
        WstxInputFactory factory = new WstxInputFactory();
        factory.setProperty(XMLInputFactory.SUPPORT_DTD, false);
        factory.setProperty(XMLInputFactory.IS_SUPPORTING_EXTERNAL_ENTITIES, false);
        factory.setProperty(WstxInputProperties.P_MAX_ELEMENT_DEPTH, 256);
        return factory;
    }

    /** One pass over a document. */
    private static final class Parse {
        private final XMLStreamReader2 reader;
        private int elements;

        Parse(XMLStreamReader2 reader) {
            this.reader = reader;
        }

        XmlElement document() throws XMLStreamException, RefusedException {
            refuseOtherEncoding();
            XmlElement root = null;
            while (reader.hasNext()) {
                switch (reader.next()) {
                    case XMLStreamConstants.DTD ->
                        throw new RefusedException("the domain XML has a DOCTYPE, which is not allowed");
                    case XMLStreamConstants.START_ELEMENT -> {
                        if (!plain()) {
                            throw new RefusedException("the domain XML's outermost element is "
                                    + Quoted.of(reader.getName().toString()) + " in a namespace; it must be domain");
                        }
                        root = element(1);
                    }
                    default -> {} // comments, processing instructions
                }
            }
            return root;
        }

        private void refuseOtherEncoding() throws RefusedException {
            String encoding = reader.getCharacterEncodingScheme();
            if (encoding != null && !encoding.equalsIgnoreCase("UTF-8") && !encoding.equalsIgnoreCase("US-ASCII")) {
                throw new RefusedException(
                        "the domain XML says encoding " + Quoted.of(encoding) + "; only UTF-8 is read");
            }
        }

        private boolean plain() {
            String namespace = reader.getNamespaceURI();
            return namespace == null || namespace.isEmpty();
        }

        /** The element whose start tag was just read, up to and with its end tag. */
        private XmlElement element(int depth) throws XMLStreamException, RefusedException {
            if (++elements > MAX_ELEMENTS) {
                throw new RefusedException(
                        "the domain XML has more than " + MAX_ELEMENTS + " elements, which is the limit");
            }
            String name = reader.getLocalName();
            Map<String, String> attributes = attributes();
            Map<String, String> prefixes = prefixes();
            int start = startOffset();
            int contentStart = endOffset();
            boolean selfClosing = reader.isEmptyElement();
            List<XmlElement> children = children(depth);
            int contentEnd = selfClosing ? contentStart : startOffset();
            int end = selfClosing ? contentStart : endOffset();
            return new XmlElement(name, attributes, prefixes, start, contentStart, contentEnd, end, children);
        }

        /** Reads up to the end tag of an element. */
        private List<XmlElement> children(int depth) throws XMLStreamException, RefusedException {
            List<XmlElement> children = new ArrayList<>(0);
            while (reader.next() != XMLStreamConstants.END_ELEMENT) {
                if (reader.getEventType() == XMLStreamConstants.START_ELEMENT) {
                    if (plain() && depth < DEPTH) {
                        children.add(element(depth + 1));
                    } else {
                        reader.skipElement();
                    }
                }
            }
            return children;
        }

        private Map<String, String> attributes() {
            Map<String, String> attributes = new HashMap<>();
            for (int i = 0; i < reader.getAttributeCount(); i++) {
                String namespace = reader.getAttributeNamespace(i);
                if (namespace == null || namespace.isEmpty()) {
                    attributes.put(reader.getAttributeLocalName(i), reader.getAttributeValue(i));
                }
            }
            return Map.copyOf(attributes);
        }

        private Map<String, String> prefixes() {
            Map<String, String> prefixes = new HashMap<>();
            for (int i = 0; i < reader.getNamespaceCount(); i++) {
                String prefix = reader.getNamespacePrefix(i);
                prefixes.put(prefix == null ? "" : prefix, reader.getNamespaceURI(i));
            }
            return Map.copyOf(prefixes);
        }

        private int startOffset() throws XMLStreamException {
            return Math.toIntExact(reader.getLocationInfo().getStartingCharOffset());
        }

        private int endOffset() throws XMLStreamException {
            return Math.toIntExact(reader.getLocationInfo().getEndingCharOffset());
        }
    }
}
