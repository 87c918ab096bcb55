package io.ovsdpdk.kubevirt;

/**
 * How a document breaks its lines, so that what is added looks like the rest.
 *
 * @param lineBreak what stands before an element; empty in a document that is one line
 * @param unit what an element on the next level has more
 */
record Layout(String lineBreak, String unit) {
    private static final String USUAL_UNIT = "  ";

    /** As it is among the children of an element. */
    static Layout within(String text, XmlElement parent) {
        String outer = before(text, parent.start());
        if (parent.children().isEmpty()) {
            return outer.isEmpty() ? new Layout("", "") : new Layout(outer + USUAL_UNIT, USUAL_UNIT);
        }
        String inner = before(text, parent.children().getFirst().start());
        if (inner.isEmpty()) {
            return new Layout("", "");
        }
        String indentation = indentation(inner);
        String shorter = indentation(outer);
        boolean deeper = indentation.startsWith(shorter) && indentation.length() > shorter.length();
        return new Layout(inner, deeper ? indentation.substring(shorter.length()) : USUAL_UNIT);
    }

    private static String indentation(String lineBreak) {
        return lineBreak.substring(lineBreak.lastIndexOf('\n') + 1);
    }

    /** One level deeper. */
    Layout deeper() {
        return new Layout(lineBreak + unit, unit);
    }

    /** The line break and the blanks that stand before a place; empty if there is anything else. */
    static String before(String text, int offset) {
        int start = blanksBefore(text, offset);
        int line = text.lastIndexOf('\n', offset - 1);
        if (line < start) {
            return "";
        }
        return text.substring(line > start && text.charAt(line - 1) == '\r' ? line - 1 : line, offset);
    }

    /** Where the white space that stands before a place begins. */
    static int blanksBefore(String text, int offset) {
        int start = offset;
        while (start > 0 && " \t\r\n".indexOf(text.charAt(start - 1)) >= 0) {
            start--;
        }
        return start;
    }
}
