package io.ovsdpdk.kubevirt;

import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import javax.xml.crypto.NodeSetData;
import javax.xml.crypto.OctetStreamData;
import javax.xml.crypto.dsig.CanonicalizationMethod;
import javax.xml.crypto.dsig.TransformService;
import javax.xml.crypto.dsig.spec.C14NMethodParameterSpec;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.Node;
import org.w3c.dom.Text;

/**
 * What of a domain is not the binding's, in canonical form (C14N 1.0 with comments): two of these are equal, or something
 * was changed that must not be. Read by the JDK's parser, not by the one that the binding uses.
 */
final class CanonicalXml {
    private final Document document;

    private CanonicalXml(Document document) {
        this.document = document;
    }

    /** @param ours the names of the interfaces that don't count */
    static String withoutOurs(byte[] xml, Set<String> ours) throws Exception {
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        CanonicalXml canonical = new CanonicalXml(factory.newDocumentBuilder().parse(new ByteArrayInputStream(xml)));
        canonical.removeInterfaces(ours);
        canonical.removeSharing();
        canonical.removeLayout(canonical.document.getDocumentElement());
        return canonical.text();
    }

    private void removeInterfaces(Set<String> ours) {
        for (Element found : elements("interface")) {
            boolean mine = elements(found, "alias").stream()
                    .anyMatch(alias -> ours.contains(alias.getAttribute("name").replaceFirst("ua-", "")));
            if (mine) {
                found.getParentNode().removeChild(found);
            }
        }
    }

    private void removeSharing() {
        for (Element backing : elements("memoryBacking")) {
            elements(backing, "access").forEach(backing::removeChild);
            elements(backing, "source").forEach(backing::removeChild);
            if (elements(backing, "*").isEmpty()) {
                backing.getParentNode().removeChild(backing);
            }
        }
        elements("cell").forEach(cell -> cell.removeAttribute("memAccess"));
    }

    /** White space between elements; a document whose elements were all taken out keeps none of it either. */
    private void removeLayout(Node parent) {
        for (Node child : children(parent)) {
            if (child instanceof Text text
                    && text.getNodeType() == Node.TEXT_NODE
                    && text.getData().isBlank()) {
                parent.removeChild(child);
            } else {
                removeLayout(child);
            }
        }
    }

    private static List<Node> children(Node parent) {
        return IntStream.range(0, parent.getChildNodes().getLength())
                .mapToObj(parent.getChildNodes()::item)
                .toList();
    }

    private List<Element> elements(String name) {
        return elements(document.getDocumentElement(), name);
    }

    private static List<Element> elements(Element parent, String name) {
        return IntStream.range(0, parent.getElementsByTagName(name).getLength())
                .mapToObj(i -> (Element) parent.getElementsByTagName(name).item(i))
                .toList();
    }

    private String text() throws Exception {
        TransformService service = TransformService.getInstance(CanonicalizationMethod.INCLUSIVE_WITH_COMMENTS, "DOM");
        service.init((C14NMethodParameterSpec) null);
        List<Node> nodes = new ArrayList<>();
        collect(document, nodes);
        NodeSetData<Node> data = nodes::iterator;
        OctetStreamData result = (OctetStreamData) service.transform(data, null);
        return new String(result.getOctetStream().readAllBytes(), StandardCharsets.UTF_8);
    }

    private static void collect(Node node, List<Node> nodes) {
        nodes.add(node);
        if (node.hasAttributes()) {
            IntStream.range(0, node.getAttributes().getLength())
                    .mapToObj(node.getAttributes()::item)
                    .forEach(nodes::add);
        }
        children(node).forEach(child -> collect(child, nodes));
    }
}
