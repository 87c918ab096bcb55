package io.ovsdpdk.cni;

import java.net.Inet4Address;
import java.net.InetAddress;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * An IP address with the length of its network's prefix, as {@code ips} and {@code routes} have it. Two that are written
 * differently but mean the same are equal: runtimes rewrite IPv6 addresses.
 */
record Cidr(InetAddress address, int prefix) {
    private static final Pattern FORM =
            Pattern.compile("(\\d{1,3}(?:\\.\\d{1,3}){3}|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)/(\\d{1,3})");

    /** @throws IllegalArgumentException when the text is none */
    static Cidr of(String text) {
        Matcher matcher = FORM.matcher(text);
        if (!matcher.matches()) {
            throw new IllegalArgumentException("it must be an address such as 10.1.0.5/16 or fd00::5/64");
        }
        InetAddress address = InetAddress.ofLiteral(matcher.group(1));
        int prefix = Integer.parseInt(matcher.group(2));
        if (prefix > address.getAddress().length * Byte.SIZE) {
            throw new IllegalArgumentException("its prefix is longer than its address");
        }
        return new Cidr(address, prefix);
    }

    /** "4" or "6", as {@code version} of {@code ips} was until CNI 1.0.0. */
    String family() {
        return address instanceof Inet4Address ? "4" : "6";
    }
}
