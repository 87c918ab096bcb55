package io.ovsdpdk.kubevirt;

import java.util.Locale;
import java.util.regex.Pattern;

/**
 * An Ethernet address that a VM's interface can have: unicast and not zero.
 *
 * @param text six lower-case hexadecimal octets joined by colons, as libvirt reads them
 */
record MacAddress(String text) {
    private static final Pattern FORM = Pattern.compile("[0-9a-f]{2}(:[0-9a-f]{2}){5}");

    /**
     * @param text as a VMI may have it, in upper or lower case, joined by colons or hyphens
     * @throws RefusedException when it is no such address
     */
    static MacAddress of(String text) throws RefusedException {
        String canonical = text.toLowerCase(Locale.ROOT).replace('-', ':');
        if (!FORM.matcher(canonical).matches()) {
            throw new RefusedException(
                    "MAC address " + Quoted.of(text) + " must be six octets such as 02:00:5e:10:00:01");
        }
        if ((Integer.parseInt(canonical.substring(0, 2), 16) & 1) != 0 || canonical.equals("00:00:00:00:00:00")) {
            throw new RefusedException("MAC address " + Quoted.of(text)
                    + " is no interface's address: the first octet must be even, and not all may be zero");
        }
        return new MacAddress(canonical);
    }
}
