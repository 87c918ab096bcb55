package io.ovsdpdk.agent;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.agent.host.FolderLocation;
import io.ovsdpdk.agent.host.SocketFolder;
import io.ovsdpdk.agent.host.SocketFolders;
import io.ovsdpdk.api.Attached;
import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.AttachmentRequest;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.MacAddress;
import io.ovsdpdk.api.NetworkConfiguration;
import io.ovsdpdk.api.Quoted;
import io.ovsdpdk.ovsdb.Deadline;
import io.ovsdpdk.ovsdb.Port;
import io.ovsdpdk.ovsdb.VhostUserPort;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** What attachments are to be: from a request, or from what a port tells of the one that it belongs to. Makes nothing. */
final class AttachmentPlans {
    private final SocketPlaces places;
    private final SocketFolders folders;

    AttachmentPlans(SocketPlaces places, SocketFolders folders) {
        this.places = places;
        this.folders = folders;
    }

    /**
     * What a runtime asks for, as far as it is checked without looking at the node.
     *
     * @param mac the interface's address
     * @param digest of all that was asked for; an equal request has an equal digest, whatever has become of the pod
     */
    record Wish(AttachmentRequest request, NetworkConfiguration network, MacAddress mac, String digest) {
        AttachmentId id() {
            return request.id();
        }
    }

    /**
     * What an ADD would make.
     *
     * @param podIsSure whether it is known to be for the pod that it says
     */
    record Plan(Attachment attachment, boolean podIsSure) {}

    /** @throws CniException what is wrong with the request */
    static Wish read(AttachmentRequest request) throws CniException {
        NetworkConfiguration network = NetworkConfiguration.of(request.network());
        List<String> circumstances = new ArrayList<>(List.of(request.sandbox()));
        request.mac().map(MacAddress::text).ifPresent(circumstances::add);
        return new Wish(request, network, network.macFor(request.id(), request.mac()), network.digest(circumstances));
    }

    /**
     * All that an ADD would make, checked as far as that goes without looking at the switch.
     *
     * @throws CniException why it can't be, or can't be now
     */
    Plan of(Wish wish, ObjectNode ipam, Deadline deadline) throws CniException, InterruptedException {
        AttachmentId id = wish.id();
        NetworkConfiguration network = wish.network();
        SocketPlaces.Place place = places.find(id, wish.request().pod(), network, deadline);
        SocketFolder folder = locate(place.location());
        Path workloadSocket = place.workloadFolder().resolve(Attachment.socketName(id));
        Path switchSocket = folder.mountPoint().resolve(Attachment.socketName(id));
        refuseLong(
                workloadSocket,
                network.sharedDir().isPresent()
                        ? "choose a shorter sharedDir"
                        : "let the container mount the volume at a shorter path");
        refuseUnspeakable(workloadSocket, network.sharedDir().isPresent());
        refuseLong(switchSocket, "choose a shorter --run-dir of the agent");
        String sandbox = wish.request().sandbox();
        Attachment attachment = new Attachment(
                id,
                place.pod(),
                network.name(),
                network.bridge(),
                folder,
                switchSocket,
                new Attached(id.ifname(), sandbox, wish.mac(), network.mtu(), workloadSocket.toString(), ipam),
                network.legacyAnnotations(),
                wish.digest(),
                Attachment.State.MAKING);
        return new Plan(attachment, place.podIsSure());
    }

    /** What a port without a checkpoint belongs to; empty when it is not ours, or somebody tampered with its identity. */
    Optional<Attachment> of(Port port) {
        return PortIdentity.attachment(port.externalIds(), port.bridge().orElse(""), places, folders)
                .filter(attachment -> attachment.portName().equals(port.name()));
    }

    /**
     * Where the folder will be. The mount's name comes from the resolved path, so a root that is not there yet is
     * resolved as far as it is: a link above it must not change the name once the root is made.
     */
    private SocketFolder locate(FolderLocation location) throws CniException {
        try {
            SocketFolder resolved = folders.locate(location.in(resolve(location.trustedRoot())));
            return new SocketFolder(location, resolved.hostPath(), resolved.mountPoint());
        } catch (IOException e) {
            throw new CniException(ErrorCode.IO, "can't look at " + location + ": " + e.getMessage(), "", e);
        }
    }

    private static Path resolve(Path root) throws IOException {
        try {
            return root.toRealPath();
        } catch (NoSuchFileException e) {
            // "/" is there, so this ends; a root is never "/"
            return resolve(root.getParent()).resolve(root.getFileName());
        }
    }

    /**
     * A pod is told the path in its annotations. Their reader app-netutil passes over a line with a {@code =} and takes
     * spaces and backslashes out; it would look for the socket elsewhere, or for none.
     */
    private void refuseUnspeakable(Path socket, boolean ofSharedDir) throws CniException {
        boolean unspeakable =
                socket.toString().chars().anyMatch(c -> c == '=' || c == '\\' || c == '"' || Character.isWhitespace(c));
        if (unspeakable && places.cluster().pods().isPresent()) {
            throw new CniException(
                    ErrorCode.CONFIGURATION,
                    "the socket path " + Quoted.of(socket.toString())
                            + " can't be told to a pod: = \\ \" and white space are misread in annotations",
                    ofSharedDir
                            ? "choose a sharedDir and an interface name without them"
                            : "let the container mount the volume at a path without them, and choose such an interface"
                                    + " name");
        }
    }

    private static void refuseLong(Path socket, String remedy) throws CniException {
        int length = socket.toString().getBytes(StandardCharsets.UTF_8).length;
        if (length > VhostUserPort.LONGEST_SOCKET_PATH) {
            throw new CniException(
                    ErrorCode.CONFIGURATION,
                    "the socket path " + socket + " has " + length + " bytes; a unix socket's can have "
                            + VhostUserPort.LONGEST_SOCKET_PATH,
                    remedy);
        }
    }
}
