package io.ovsdpdk.kubevirt;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** What KubeVirt calls a network's interface in the pod: the CNI plugin gets it as {@code CNI_IFNAME}. */
final class PodInterfaceName {
    /** Of the pod's first network. */
    static final String PRIMARY = "eth0";

    private static final String PREFIX = "pod";
    private static final int DIGITS = 11;

    private PodInterfaceName() {}

    /** @param network the name that a further network has in the VMI */
    static String ofSecondary(String network) {
        return PREFIX + HexFormat.of().formatHex(sha256(network)).substring(0, DIGITS);
    }

    private static byte[] sha256(String text) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
