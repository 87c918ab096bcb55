package io.ovsdpdk.api;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Locale;
import java.util.regex.Pattern;

/**
 * An Ethernet address that an interface can have: unicast and not zero.
 *
 * @param text six lower-case hexadecimal octets joined by colons
 */
public record MacAddress(String text) {
    private static final Pattern FORM = Pattern.compile("[0-9a-f]{2}(:[0-9a-f]{2}){5}");

    /** @throws IllegalArgumentException with a message for people, when it is no such address */
    public MacAddress {
        text = text.toLowerCase(Locale.ROOT);
        if (!FORM.matcher(text).matches()) {
            throw new IllegalArgumentException(
                    "MAC address " + Quoted.of(text) + " must be six octets such as 02:00:5e:10:00:01");
        }
        if ((Integer.parseInt(text.substring(0, 2), 16) & 1) != 0) {
            throw new IllegalArgumentException(
                    "MAC address " + Quoted.of(text) + " is a multicast address: the first octet must be even");
        }
        if (text.equals("00:00:00:00:00:00")) {
            throw new IllegalArgumentException("MAC address " + Quoted.of(text) + " is no interface's address");
        }
    }

    /** The address of an attachment for which nobody chose one: locally administered, and always the same. */
    public static MacAddress derived(String network, AttachmentId id) {
        byte[] digest = sha256(network + "/" + id.containerId() + "/" + id.ifname());
        byte[] octets = java.util.Arrays.copyOf(digest, 6);
        octets[0] = (byte) ((octets[0] | 0x02) & 0xfe);
        return new MacAddress(HexFormat.ofDelimiter(":").formatHex(octets));
    }

    private static byte[] sha256(String text) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }

    @Override
    public String toString() {
        return text;
    }
}
