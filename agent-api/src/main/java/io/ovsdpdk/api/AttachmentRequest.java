package io.ovsdpdk.api;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Optional;

/**
 * What a runtime wants of an interface, as far as the agent needs to know it.
 *
 * @param sandbox {@code CNI_NETNS}: the path of the network namespace, which the result repeats
 * @param mac {@code MAC} of {@code CNI_ARGS}
 * @param network the network configuration, as it came and not yet checked
 */
public record AttachmentRequest(
        AttachmentId id, String sandbox, PodIdentity pod, Optional<MacAddress> mac, ObjectNode network) {

    /** @throws IllegalArgumentException with a message for people, when the sandbox can't be a path */
    public AttachmentRequest {
        if (sandbox.isEmpty() || sandbox.length() > 4096 || sandbox.codePoints().anyMatch(c -> !isVisible(c))) {
            throw new IllegalArgumentException(
                    "CNI_NETNS " + Quoted.of(sandbox) + " must be the path of a network namespace");
        }
    }

    /** Half a surrogate pair, which JSON can hold, is no letter of a path, nor of a text in OVSDB. */
    private static boolean isVisible(int codePoint) {
        return !Character.isISOControl(codePoint) && Character.getType(codePoint) != Character.SURROGATE;
    }
}
