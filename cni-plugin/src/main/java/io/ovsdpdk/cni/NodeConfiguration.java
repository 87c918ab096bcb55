package io.ovsdpdk.cni;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.LogLevel;
import io.ovsdpdk.api.Quoted;
import io.ovsdpdk.api.Request;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * What the node's administrator says to the plugin. It never comes from the network configuration, which a tenant
 * writes.
 *
 * @param agentSocket where the agent listens
 * @param addTimeout what the agent has to make a port or roll it back, and an IPAM plugin for each of its runs
 * @param agentWait how long we wait for an agent that is away: it may be restarting
 * @param deviceInfoFolder the one folder in which files of device information may be
 * @param logLevel how much is told on standard error, unless the network configuration says otherwise
 */
record NodeConfiguration(
        Path agentSocket, Duration addTimeout, Duration agentWait, Path deviceInfoFolder, LogLevel logLevel) {
    /** Says in the runtime's environment, which is no tenant's, where the file is. */
    static final String VARIABLE = "OVS_DPDK_CONF";

    static final NodeConfiguration DEFAULT = new NodeConfiguration(
            Path.of("/run/ovs-dpdk-cni/agent/agent.sock"),
            Duration.ofSeconds(10),
            Duration.ofSeconds(30),
            // Where Multus has them
            Path.of("/var/run/k8s.cni.cncf.io/devinfo/cni"),
            LogLevel.WARN);

    /** What fits into {@code sun_path} of a unix socket's address, in bytes. */
    private static final int MAX_SOCKET_PATH = 107;

    private static final int MAX_PATH = 4095;

    private static final int MAX_WAIT_SECONDS = 300;

    private static final List<String> KEYS =
            List.of("agentSocket", "addTimeoutSeconds", "agentWaitSeconds", "deviceInfoFolder", "logLevel");

    /**
     * Reads a node configuration; where there is no such file, everything is as usual.
     *
     * @throws CniException {@link ErrorCode#CONFIGURATION} with key and value, {@link ErrorCode#DECODING} when it is no
     *     JSON, {@link ErrorCode#IO} when it can't be read
     */
    static NodeConfiguration read(Path file) throws CniException {
        byte[] document;
        try (InputStream in = Files.newInputStream(file)) {
            document = in.readNBytes(Json.MAX_BYTES + 1);
        } catch (NoSuchFileException e) {
            return DEFAULT;
        } catch (IOException e) {
            throw new CniException(ErrorCode.IO, "the node configuration " + file + " can't be read: " + e, "", e);
        }
        return of(file, Json.readObject("node configuration " + file, document));
    }

    private static NodeConfiguration of(Path file, ObjectNode source) throws CniException {
        for (String key : (Iterable<String>) source::fieldNames) {
            if (!KEYS.contains(key)) {
                throw new CniException(
                        ErrorCode.CONFIGURATION,
                        "the node configuration " + file + " has the unknown key " + Quoted.of(key) + " with the value "
                                + shown(source.get(key)),
                        "the known keys are " + String.join(", ", KEYS));
            }
        }
        return new NodeConfiguration(
                path(file, source, "agentSocket", MAX_SOCKET_PATH, DEFAULT.agentSocket),
                seconds(
                        file,
                        source,
                        "addTimeoutSeconds",
                        1,
                        (int) Request.MAX_TIMEOUT.toSeconds(),
                        DEFAULT.addTimeout),
                seconds(file, source, "agentWaitSeconds", 0, MAX_WAIT_SECONDS, DEFAULT.agentWait),
                path(file, source, "deviceInfoFolder", MAX_PATH, DEFAULT.deviceInfoFolder),
                logLevel(file, source.path("logLevel")));
    }

    private static Path path(Path file, ObjectNode source, String key, int longest, Path otherwise)
            throws CniException {
        JsonNode value = source.path(key);
        if (value.isMissingNode()) {
            return otherwise;
        }
        String text = value.asText();
        if (value.isTextual()
                && text.startsWith("/")
                && text.getBytes(StandardCharsets.UTF_8).length <= longest
                && text.chars().noneMatch(Character::isISOControl)) {
            try {
                return Path.of(text);
            } catch (InvalidPathException e) {
                throw invalid(file, key, value, "a path: " + e.getReason());
            }
        }
        throw invalid(file, key, value, "an absolute path of " + longest + " bytes at most");
    }

    private static Duration seconds(Path file, ObjectNode source, String key, int least, int most, Duration otherwise)
            throws CniException {
        JsonNode value = source.path(key);
        if (value.isMissingNode()) {
            return otherwise;
        }
        if (!value.isIntegralNumber()
                || !value.canConvertToInt()
                || value.intValue() < least
                || value.intValue() > most) {
            throw invalid(file, key, value, "a whole number of seconds from " + least + " to " + most);
        }
        return Duration.ofSeconds(value.intValue());
    }

    private static LogLevel logLevel(Path file, JsonNode value) throws CniException {
        if (value.isMissingNode()) {
            return DEFAULT.logLevel;
        }
        if (value.isTextual() && LogLevel.named(value.textValue()).isPresent()) {
            return LogLevel.named(value.textValue()).get();
        }
        throw invalid(file, "logLevel", value, LogLevel.NAMES);
    }

    private static CniException invalid(Path file, String key, JsonNode value, String expected) {
        return new CniException(
                ErrorCode.CONFIGURATION,
                "invalid " + key + " in the node configuration " + file + ": " + shown(value) + " must be " + expected);
    }

    private static String shown(JsonNode value) {
        return Quoted.of(value.isTextual() ? value.textValue() : value.toString());
    }
}
