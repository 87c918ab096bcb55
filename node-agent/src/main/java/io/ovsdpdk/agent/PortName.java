package io.ovsdpdk.agent;

import io.ovsdpdk.api.AttachmentId;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** What the port of an attachment is called in the switch: {@code vhu} and 11 hexadecimal digits, always the same. */
final class PortName {
    private PortName() {}

    static String of(AttachmentId id) {
        try {
            // "/" can't stand in a container ID, so no two attachments are written alike
            byte[] digest = MessageDigest.getInstance("SHA-256")
                    .digest((id.containerId() + "/" + id.ifname()).getBytes(StandardCharsets.UTF_8));
            return "vhu" + HexFormat.of().formatHex(digest).substring(0, 11);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
