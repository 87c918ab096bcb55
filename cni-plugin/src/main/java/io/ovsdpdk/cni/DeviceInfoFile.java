package io.ovsdpdk.cni;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.DeviceInfo;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.Quoted;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Optional;
import java.util.UUID;

/**
 * The file in which Multus expects an attachment's device information ({@code runtimeConfig.CNIDeviceInfoFile}; Device
 * Information Specification 1.1.0). Multus copies it into the pod's {@code network-status}, and removes it after a DEL.
 *
 * <p>The author of a NetworkAttachmentDefinition can write {@code runtimeConfig} too, and what is not overwritten by
 * Multus reaches us, who are root. So the file must be in the one folder that the node's administrator says, and have the
 * container's ID in its name: then it is nobody else's.
 */
record DeviceInfoFile(Path path) {
    private static final String KEY = "CNIDeviceInfoFile";

    /**
     * The file that the runtime asks for.
     *
     * @param folder where such files are
     * @return empty when it asks for none
     * @throws CniException {@link ErrorCode#CONFIGURATION} when it can't be this attachment's
     */
    static Optional<DeviceInfoFile> of(ObjectNode network, String containerId, Path folder) throws CniException {
        JsonNode value = network.path("runtimeConfig").path(KEY);
        if (value.isMissingNode()
                || value.isNull()
                || value.isTextual() && value.textValue().isEmpty()) {
            return Optional.empty();
        }
        Optional<Path> path = path(value)
                .filter(file -> folder.equals(file.getParent())
                        && file.getFileName().toString().contains(containerId));
        if (path.isEmpty()) {
            throw new CniException(
                    ErrorCode.CONFIGURATION,
                    "invalid runtimeConfig." + KEY + ": "
                            + Quoted.of(value.isTextual() ? value.textValue() : value.toString())
                            + " must be a file in " + folder + " with the container's ID in its name",
                    "Multus sets it; another folder can be allowed by \"deviceInfoFolder\" of the node configuration");
        }
        return path.map(DeviceInfoFile::new);
    }

    private static Optional<Path> path(JsonNode value) {
        try {
            return value.isTextual() ? Optional.of(Path.of(value.textValue())) : Optional.empty();
        } catch (InvalidPathException e) {
            return Optional.empty();
        }
    }

    /**
     * Completes what a device plugin left there, or makes the file. Whoever reads it meanwhile sees the old one or the
     * new one.
     *
     * @param socketPath where the workload listens, as it sees the path itself
     */
    void write(String socketPath, Log log) throws IOException {
        Files.createDirectories(path.getParent());
        byte[] information = Json.write(DeviceInfo.completed(existing(log), socketPath));
        Path fresh = fresh();
        try {
            Files.deleteIfExists(fresh);
            Files.write(fresh, information);
            Files.setPosixFilePermissions(fresh, PosixFilePermissions.fromString("rw-r--r--"));
            Files.move(fresh, path, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Files.deleteIfExists(fresh);
        }
    }

    private ObjectNode existing(Log log) throws IOException {
        try (InputStream in = Files.newInputStream(path, LinkOption.NOFOLLOW_LINKS)) {
            return Json.readObject("device information " + path, in.readNBytes(Json.MAX_BYTES + 1));
        } catch (NoSuchFileException e) {
            return Json.object();
        } catch (CniException e) {
            log.warn("it is replaced: " + e.getMessage());
            return Json.object();
        }
    }

    /** The same for each ADD and DEL of the attachment, which so find what a process that was killed has left. */
    Path fresh() {
        UUID name = UUID.nameUUIDFromBytes(path.getFileName().toString().getBytes(StandardCharsets.UTF_8));
        return path.resolveSibling(".ovs-dpdk-" + name);
    }

    void delete() throws IOException {
        Files.deleteIfExists(fresh());
        Files.deleteIfExists(path);
    }
}
