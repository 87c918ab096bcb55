package io.ovsdpdk.agent;

import io.ovsdpdk.agent.host.FolderLocation;
import io.ovsdpdk.agent.host.SocketFolder;
import io.ovsdpdk.agent.host.SocketFolders;
import io.ovsdpdk.api.Attached;
import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.MacAddress;
import io.ovsdpdk.api.PodIdentity;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * The identity of an attachment as its port carries it in {@code external_ids}: enough for an administrator to see whose
 * port it is, and for the agent to take the attachment down when its checkpoint is lost.
 */
final class PortIdentity {
    /** Who made the port. Without it, or with another one, a port is none of our business. */
    static final String OWNER = "ovs-dpdk-cni";

    /** The folder of the host, where the workload sees it at another path than the host has it. */
    private static final String SOCKET_FOLDER = "socket-folder";

    private static final String POD_UID = "pod-uid";

    private PortIdentity() {}

    static Map<String, String> externalIds(Attachment attachment) {
        Map<String, String> ids = new LinkedHashMap<>();
        ids.put("owner", OWNER);
        ids.put("container-id", attachment.id().containerId());
        ids.put("ifname", attachment.id().ifname());
        ids.put("network", attachment.network());
        ids.put("sandbox", attachment.attached().sandbox());
        ids.put("socket-path", attachment.attached().socketPath());
        if (attachment.folder().location().layout() != FolderLocation.Layout.SHARED_DIR) {
            ids.put(SOCKET_FOLDER, attachment.folder().location().toString());
        }
        // the key that integrations of Open vSwitch use for it
        ids.put("attached-mac", attachment.attached().mac().text());
        if (attachment.pod().known()) {
            ids.put("pod-namespace", attachment.pod().namespace());
            ids.put("pod-name", attachment.pod().name());
            ids.put(POD_UID, attachment.pod().uid());
        }
        ids.values().removeIf(String::isEmpty);
        return ids;
    }

    static boolean isOurs(Map<String, String> externalIds) {
        return OWNER.equals(externalIds.get("owner"));
    }

    /** Whether the port is ours and was made for a pod of this UID. */
    static boolean isOf(String uid, Map<String, String> externalIds) {
        return isOurs(externalIds) && uid.equals(externalIds.get(POD_UID));
    }

    /**
     * The attachment that a port of ours belongs to, as far as the port tells: good for removing it, nothing else.
     *
     * @return empty when the port is not ours, or somebody tampered with its identity
     */
    static Optional<Attachment> attachment(
            Map<String, String> externalIds, String bridge, SocketPlaces places, SocketFolders folders) {
        if (!isOurs(externalIds)) {
            return Optional.empty();
        }
        try {
            AttachmentId id = id(externalIds);
            PodIdentity pod = pod(externalIds);
            Path socket = Path.of(value(externalIds, "socket-path"));
            FolderLocation location = externalIds.containsKey(SOCKET_FOLDER)
                    ? places.recorded(Path.of(externalIds.get(SOCKET_FOLDER)), pod)
                    : places.roots().place(socket.getParent().getParent(), id);
            SocketFolder folder = folders.locate(location);
            return Optional.of(new Attachment(
                    id,
                    pod,
                    value(externalIds, "network"),
                    bridge,
                    folder,
                    folder.mountPoint().resolve(Attachment.socketName(id)),
                    new Attached(
                            id.ifname(),
                            value(externalIds, "sandbox"),
                            new MacAddress(value(externalIds, "attached-mac")),
                            OptionalInt.empty(),
                            socket.toString(),
                            Json.object()),
                    false,
                    "",
                    Attachment.State.REMOVING));
        } catch (IllegalArgumentException | NullPointerException | CniException | IOException e) {
            return Optional.empty();
        }
    }

    /** @throws IllegalArgumentException when somebody tampered with it */
    static AttachmentId id(Map<String, String> externalIds) {
        return new AttachmentId(value(externalIds, "container-id"), value(externalIds, "ifname"));
    }

    /**
     * The pod that the port was made for, as far as the port tells.
     *
     * @throws IllegalArgumentException when somebody tampered with it
     */
    static PodIdentity pod(Map<String, String> externalIds) {
        return new PodIdentity(
                value(externalIds, "pod-namespace"), value(externalIds, "pod-name"), value(externalIds, POD_UID));
    }

    private static String value(Map<String, String> externalIds, String key) {
        return externalIds.getOrDefault(key, "");
    }
}
