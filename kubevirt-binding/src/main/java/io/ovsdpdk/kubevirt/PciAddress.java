package io.ovsdpdk.kubevirt;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A place on the guest's PCI bus.
 *
 * @param domain four hexadecimal digits
 * @param bus two
 * @param slot two
 * @param function one octal digit
 */
record PciAddress(String domain, String bus, String slot, String function) {
    /** As KubeVirt reads it. */
    private static final Pattern FORM = Pattern.compile("([\\da-fA-F]{4}):([\\da-fA-F]{2}):([\\da-fA-F]{2})\\.([0-7])");

    /** @throws RefusedException when it has another form than {@code 0000:01:00.0} */
    static PciAddress of(String text) throws RefusedException {
        Matcher parts = FORM.matcher(text);
        if (!parts.matches()) {
            throw new RefusedException("PCI address " + Quoted.of(text) + " must have the form 0000:01:00.0");
        }
        return new PciAddress(parts.group(1), parts.group(2), parts.group(3), parts.group(4));
    }
}
