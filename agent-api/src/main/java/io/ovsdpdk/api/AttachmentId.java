package io.ovsdpdk.api;

import java.nio.charset.StandardCharsets;
import java.util.regex.Pattern;

/**
 * What CNI identifies an attachment by: the container and the name of the interface in it (CNI 1.1.0, section
 * "Parameters").
 *
 * @param containerId letters, digits, {@code _ . -}, the first one a letter or digit; at most 255 characters
 * @param ifname at most 15 bytes, without {@code /}, {@code :} and white space, and not {@code .} or {@code ..}
 */
public record AttachmentId(String containerId, String ifname) {
    private static final Pattern CONTAINER_ID = Pattern.compile("[A-Za-z0-9][A-Za-z0-9_.\\-]{0,254}");

    /** Visible characters only: the name becomes a file name and stands in logs. */
    private static final Pattern IFNAME = Pattern.compile("[\\p{Graph}&&[^/:]]{1,15}");

    /** @throws IllegalArgumentException with a message for people, when one of them can't be */
    public AttachmentId {
        if (!CONTAINER_ID.matcher(containerId).matches()) {
            throw new IllegalArgumentException("container ID " + Quoted.of(containerId)
                    + " must be letters, digits and _ . - and begin with a letter or digit, 255 at most");
        }
        if (!IFNAME.matcher(ifname).matches()
                || ifname.equals(".")
                || ifname.equals("..")
                || ifname.getBytes(StandardCharsets.UTF_8).length > 15) {
            throw new IllegalArgumentException("interface name " + Quoted.of(ifname)
                    + " must be 1 to 15 visible ASCII characters without / and :, and not . or ..");
        }
    }

    @Override
    public String toString() {
        return containerId + "/" + ifname;
    }
}
