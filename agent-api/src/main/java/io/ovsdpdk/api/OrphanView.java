package io.ovsdpdk.api;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Locale;

/**
 * What is left of a pod that is gone, or a mount that belongs to nothing, as people look at it.
 *
 * @param port name of the port; empty for a mount
 * @param pod whose it was
 * @param containerId empty for a mount
 * @param ifname empty for a mount
 * @param mount the mount point; empty for a port
 * @param seenSeconds since when it has been seen so, seconds
 * @param remainingSeconds when it is due, seconds; 0 when it is
 * @param state what happens to it
 * @param note why, where the state does not tell; else empty
 */
public record OrphanView(
        String port,
        PodIdentity pod,
        String containerId,
        String ifname,
        String mount,
        int seenSeconds,
        int remainingSeconds,
        State state,
        String note) {

    /** What happens to it. */
    public enum State {
        /** It goes if it is still so when the grace period is over. */
        WAITING,
        /** The next look that may remove something removes it. */
        DUE,
        REMOVED,
        /** Its removal has begun, and goes on. */
        REMOVING,
        /** It stays; the note says why. */
        KEPT
    }

    /** As it stands in replies, and as {@code ovs-dpdk gc -o json} prints it. */
    public ObjectNode toJson() {
        ObjectNode node = Json.object().put("port", port);
        node.putObject("pod")
                .put("namespace", pod.namespace())
                .put("name", pod.name())
                .put("uid", pod.uid());
        return node.put("containerId", containerId)
                .put("ifname", ifname)
                .put("mount", mount)
                .put("seenSeconds", seenSeconds)
                .put("remainingSeconds", remainingSeconds)
                .put("state", state.name().toLowerCase(Locale.ROOT))
                .put("note", note);
    }
}
