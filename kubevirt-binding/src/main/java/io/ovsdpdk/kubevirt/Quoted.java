package io.ovsdpdk.kubevirt;

/** Foreign text in a message for people: in quotes, cut to a length that fits a log line, control characters escaped. */
final class Quoted {
    private static final int LIMIT = 120;

    private Quoted() {}

    static String of(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        text.codePoints().limit(LIMIT).forEach(c -> {
            if (Character.isISOControl(c) || !Character.isDefined(c) || Character.getType(c) == Character.SURROGATE) {
                quoted.append("\\u").append(Integer.toHexString(c));
            } else {
                quoted.appendCodePoint(c);
            }
        });
        return quoted.append(text.codePointCount(0, text.length()) > LIMIT ? "…\"" : "\"")
                .toString();
    }
}
