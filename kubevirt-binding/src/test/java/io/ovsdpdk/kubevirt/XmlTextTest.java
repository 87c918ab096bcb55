package io.ovsdpdk.kubevirt;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Elements are where the parser says: all that the binding writes depends on it. */
class XmlTextTest {
    private static XmlText read(String text) throws RefusedException {
        return XmlText.read(text.getBytes(StandardCharsets.UTF_8));
    }

    private static List<XmlElement> all(XmlElement element) {
        List<XmlElement> all = new ArrayList<>(List.of(element));
        element.children().forEach(child -> all.addAll(all(child)));
        return all;
    }

    /** A document in which nothing can be found by counting what is easy to count. */
    private static String document(String filling, String lineBreak) {
        return String.join(
                lineBreak,
                "<?xml version='1.0'?>",
                "<!-- " + filling + " <a/> -->",
                "<domain a='>'>" + filling,
                "<a x=\"<a/>\" y='1'".replace("<a/>", "&lt;a/>") + lineBreak + " z='2'  >" + filling + "</a >",
                "<![CDATA[<a></a>" + filling + "]]>",
                "<b><c/>" + filling + "<d><e></e>&amp;&#x41;</d></b>",
                "<f:g xmlns:f='urn:f'><a/></f:g>",
                "<?pi <a/> ?><h",
                "/>",
                "</domain>");
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 100, 3990, 3999, 4000, 4001, 8000, 20_000})
    void elementsAreWhereTheyAre(int length) throws Exception {
        for (String filling : List.of("x".repeat(length), "é".repeat(length), "𝄞".repeat(length))) {
            for (String lineBreak : List.of("\n", "\r\n")) {
                XmlText document = read(document(filling, lineBreak));

                assertThat(document.text()).isEqualTo(document(filling, lineBreak));
                assertThat(all(document.root()))
                        .extracting(XmlElement::name)
                        .containsExactly("domain", "a", "b", "c", "d", "e", "h");
                assertThat(all(document.root())).allSatisfy(element -> {
                    String whole = document.text().substring(element.start(), element.end());
                    assertThat(whole).startsWith("<" + element.name());
                    assertThat(whole.charAt(whole.length() - 1)).isEqualTo('>');
                    if (element.selfClosing()) {
                        assertThat(whole).endsWith("/>");
                    } else {
                        assertThat(document.text().charAt(element.contentStart() - 1))
                                .isEqualTo('>');
                        assertThat(document.text().substring(element.contentEnd(), element.end()))
                                .matches("</" + element.name() + "\\s*>");
                    }
                });
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "\uFEFF"})
    void byteOrderMarkIsNotPartOfTheText(String mark) throws Exception {
        assertThat(read(mark + "<domain/>").text()).isEqualTo("<domain/>");
    }
}
