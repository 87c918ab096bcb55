package io.ovsdpdk.ovsdb;

/**
 * Refuses text that OVSDB can't hold, before it is sent: NUL, and half a surrogate pair. ovsdb-server takes either for a
 * broken connection and drops it, and all other callers would lose their answers.
 *
 * <p>Jackson writes both as escapes ({@code \}{@code u0000}, and every surrogate), so a look at the escapes finds them.
 */
final class WireText {

    private static final int ESCAPE = 6;

    private WireText() {}

    /**
     * Looks through one message.
     *
     * @param json what Jackson wrote
     * @throws IllegalArgumentException if ovsdb-server would not accept it
     */
    static void check(byte[] json) {
        int i = 0;
        while (i < json.length - 1) {
            if (json[i] != '\\') {
                i++;
            } else if (json[i + 1] != 'u') {
                i += 2;
            } else {
                i += checkEscape(json, i);
            }
        }
    }

    /** Returns how many bytes it looked at. */
    private static int checkEscape(byte[] json, int start) {
        char unit = unit(json, start);
        if (unit == 0) {
            throw new IllegalArgumentException("a text with a NUL character can't be stored in OVSDB");
        }
        if (!Character.isSurrogate(unit)) {
            return ESCAPE;
        }
        int next = start + ESCAPE;
        boolean paired = Character.isHighSurrogate(unit)
                && next < json.length - ESCAPE
                && json[next] == '\\'
                && json[next + 1] == 'u'
                && Character.isLowSurrogate(unit(json, next));
        if (!paired) {
            throw new IllegalArgumentException("a text with half a surrogate pair can't be stored in OVSDB");
        }
        return 2 * ESCAPE;
    }

    private static char unit(byte[] json, int start) {
        int unit = 0;
        for (int i = start + 2; i < start + ESCAPE; i++) {
            unit = unit << 4 | Character.digit(json[i], 16);
        }
        return (char) unit;
    }
}
