package io.ovsdpdk.ovsdb.testbed;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The CPU cores that this process may use, which need not begin with 0.
 *
 * @param first number of the lowest
 * @param last number of the highest; the same as {@code first} on a machine with one core
 */
record Cores(int first, int last) {
    /** {@code 0-1}, {@code 3} or {@code 0,2-5,8}. */
    private static final Pattern ALLOWED =
            Pattern.compile("^Cpus_allowed_list:\\s+(?<first>\\d+)(?:[-,\\d]*[-,](?<last>\\d+))?$", Pattern.MULTILINE);

    static Cores allowed() throws IOException {
        String status = Files.readString(Path.of("/proc/self/status"));
        Matcher list = ALLOWED.matcher(status);
        if (!list.find()) {
            throw new IOException("no Cpus_allowed_list in /proc/self/status: " + status);
        }
        int first = Integer.parseInt(list.group("first"));
        return new Cores(first, list.group("last") == null ? first : Integer.parseInt(list.group("last")));
    }

    String firstMask() {
        return mask(first);
    }

    String lastMask() {
        return mask(last);
    }

    private static String mask(int core) {
        return "0x" + BigInteger.ONE.shiftLeft(core).toString(16);
    }
}
