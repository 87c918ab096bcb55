package io.ovsdpdk.kubevirt;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/**
 * What KubeVirt tells a binding that is registered with {@code downwardAPI: device-info}: the file {@code network-info}.
 * It appears late, maybe after the domain was defined, and says different things: up to KubeVirt 1.7 only networks with
 * device information, from 1.8 also their MAC address, from 1.9 also their MTU. So all of it may be missing.
 */
final class NetworkInfo {
    private final JsonNode interfaces;

    private NetworkInfo(JsonNode interfaces) {
        this.interfaces = interfaces;
    }

    /** One that tells of nothing. */
    static NetworkInfo none() {
        return new NetworkInfo(MissingNode.getInstance());
    }

    /**
     * What is told; empty where there is no such file, for then nothing will be.
     *
     * @throws RefusedException when there is such a file and it can't be read
     */
    static Optional<NetworkInfo> read(Path file) throws RefusedException {
        try {
            byte[] json = Files.readAllBytes(file);
            // kubelet writes an empty file as long as the pod has no such annotation
            return Optional.of(json.length == 0 ? none() : of(json));
        } catch (NoSuchFileException e) {
            return Optional.empty();
        } catch (IOException e) {
            throw new RefusedException("can't read " + file + ": " + e, e);
        }
    }

    /** @throws RefusedException when it is no JSON object */
    static NetworkInfo of(byte[] json) throws RefusedException {
        return new NetworkInfo(JsonDocument.readMembers("network-info", json, Set.of("interfaces"))
                .path("interfaces"));
    }

    /** Whether anything is told of a network. */
    boolean tellsOf(String network) {
        return of(network).isObject();
    }

    /** The MAC address that the network's CNI plugin chose. */
    Optional<MacAddress> mac(String network) throws RefusedException {
        String mac = JsonDocument.text(of(network), "mac");
        return mac.isEmpty() ? Optional.empty() : Optional.of(MacAddress.of(mac));
    }

    /** The MTU that the network's CNI plugin set, in bytes. */
    OptionalInt mtu(String network) throws RefusedException {
        OptionalInt mtu = JsonDocument.integer(of(network), "mtu", 0, VhostUserInterface.MAX_MTU);
        return mtu.orElse(0) == 0 ? OptionalInt.empty() : mtu;
    }

    /**
     * The socket that the network's CNI plugin made a port for, as its device information has it.
     *
     * @throws RefusedException when it is no vhost-user network, or one where the VM is to be the client
     */
    Optional<String> socket(String network) throws RefusedException {
        JsonNode device = of(network).path("deviceInfo");
        if (!device.isObject()) {
            return Optional.empty();
        }
        String type = JsonDocument.text(device, "type");
        String mode = JsonDocument.text(device.path("vhost-user"), "mode");
        if (!type.equals("vhost-user") || !mode.equals("server")) {
            throw new RefusedException("network " + Quoted.of(network) + " has a device of type " + Quoted.of(type)
                    + ", mode " + Quoted.of(mode) + ": its NetworkAttachmentDefinition must be of type ovs-dpdk");
        }
        String path = JsonDocument.text(device.path("vhost-user"), "path");
        return path.isEmpty() ? Optional.empty() : Optional.of(path);
    }

    private JsonNode of(String network) {
        for (JsonNode candidate : interfaces) {
            if (network.equals(candidate.path("network").textValue())) {
                return candidate;
            }
        }
        return MissingNode.getInstance();
    }
}
