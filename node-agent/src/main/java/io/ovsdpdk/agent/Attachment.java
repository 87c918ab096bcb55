package io.ovsdpdk.agent;

import io.ovsdpdk.agent.host.SocketFolder;
import io.ovsdpdk.agent.kubernetes.PodInterface;
import io.ovsdpdk.api.Attached;
import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.PodIdentity;
import java.nio.file.Path;

/**
 * An interface of a container and all that we made, or are about to make, for it.
 *
 * @param network name of the network that it attaches to
 * @param bridge the bridge of the switch that has its port
 * @param folder its socket folder on the host, and the mount of it
 * @param switchSocket the socket as the switch reaches it, through our mount
 * @param attached what its ADD answers
 * @param legacyAnnotations whether the pod is told of it in the way of Userspace CNI too
 * @param digest of all that the ADD asked for; an equal ADD has an equal digest
 */
record Attachment(
        AttachmentId id,
        PodIdentity pod,
        String network,
        String bridge,
        SocketFolder folder,
        Path switchSocket,
        Attached attached,
        boolean legacyAnnotations,
        String digest,
        State state) {

    /** How far an attachment has come. What is not {@code MADE} is taken down when nobody works on it. */
    enum State {
        MAKING,
        MADE,
        REMOVING
    }

    Attachment as(State next) {
        return new Attachment(
                id, pod, network, bridge, folder, switchSocket, attached, legacyAnnotations, digest, next);
    }

    String portName() {
        return PortName.of(id);
    }

    /** Name of the socket in its folder. It depends on the interface alone: a migrated VM looks for it there. */
    String socketName() {
        return socketName(id);
    }

    static String socketName(AttachmentId id) {
        return id.ifname() + ".sock";
    }

    /** What the pod is told of it. */
    PodInterface toPodInterface() {
        return new PodInterface(id.containerId(), network, attached, legacyAnnotations);
    }

    boolean sharesFolderWith(Attachment other) {
        return folder.mountPoint().equals(other.folder.mountPoint());
    }

    /**
     * Whether the folder of one is that of the other, or lies in it: a container could do what it likes with the other's,
     * and one's end would be the other's.
     */
    boolean isEntangledWith(Attachment other) {
        Path hostPath = folder.hostPath();
        return hostPath.startsWith(other.folder.hostPath())
                || other.folder.hostPath().startsWith(hostPath);
    }

    /** Whether its folder lies in the other's, and would go with that one. */
    boolean isThreatenedBy(Attachment other) {
        return !sharesFolderWith(other)
                && other.folder.location().layout().isOurs()
                && folder.hostPath().startsWith(other.folder.hostPath());
    }

    /** For logs: who it is, to everybody who may ask. */
    @Override
    public String toString() {
        return "pod=" + pod + " ifname=" + id.ifname() + " container=" + id.containerId() + " network=" + network
                + " port=" + portName();
    }
}
