package io.ovsdpdk.agent.host;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * The name of one entry of a folder, byte for byte as the kernel has it. A pod may choose any bytes but {@code /} and
 * NUL, also ones that are no UTF-8, so each byte is held as the ISO 8859-1 character of the same number: nothing is
 * lost on the way back to the kernel. What people write ({@link #of}) is encoded as UTF-8; {@link #toString} is for
 * people and logs, with everything but printable ASCII escaped, so that a name can't forge a line of a log.
 *
 * @param bytes the bytes of the name as ISO 8859-1 characters, 1 to 255 of them; neither {@code .} nor {@code ..}
 */
public record FileName(String bytes) {

    private static final int MAX_BYTES = 255;

    /** @throws IllegalArgumentException if this can't be the name of an entry */
    public FileName {
        if (bytes.isEmpty() || bytes.length() > MAX_BYTES || bytes.equals(".") || bytes.equals("..")) {
            throw new IllegalArgumentException("not a file name of 1 to 255 bytes: '" + printable(bytes) + "'");
        }
        for (int i = 0; i < bytes.length(); i++) {
            char c = bytes.charAt(i);
            if (c == '/' || c == 0 || c > 0xff) {
                throw new IllegalArgumentException("a file name with '/', NUL or no byte: '" + printable(bytes) + "'");
            }
        }
    }

    /**
     * A name as people write it, encoded as UTF-8.
     *
     * @throws IllegalArgumentException if this can't be the name of an entry
     */
    public static FileName of(String name) {
        return new FileName(kernelBytes(name));
    }

    /** The bytes that the kernel gets for a path or name as people write it, as ISO 8859-1 characters. */
    static String kernelBytes(String path) {
        return new String(path.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);
    }

    static String kernelBytes(Path path) {
        return kernelBytes(path.toString());
    }

    /** The same with everything but printable ASCII as {@code \xNN}. */
    static String printable(String bytes) {
        StringBuilder shown = new StringBuilder(bytes.length());
        for (int i = 0; i < bytes.length(); i++) {
            char c = bytes.charAt(i);
            if (c >= ' ' && c < 0x7f && c != '\\') {
                shown.append(c);
            } else {
                shown.append("\\x%02x".formatted((int) c));
            }
        }
        return shown.toString();
    }

    @Override
    public String toString() {
        return printable(bytes);
    }
}
