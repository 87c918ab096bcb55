package io.ovsdpdk.api;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;

/**
 * A network configuration that holds together: what the author of a NetworkAttachmentDefinition wrote, and what Multus
 * or the runtime put in. {@code docs/network-configuration.md} is its reference for authors.
 *
 * @param name the network's name, which every attachment of the network shares
 * @param bridge the bridge of the node's switch that gets the port
 * @param sharedDir folder of the host below which the container's socket folder is made, absolute and without {@code .}
 *     or {@code ..}; empty where the socket goes into a volume of the pod
 * @param socketVolume the volume of the pod that gets the socket; empty leaves it to the names that volumes have by custom
 * @param mtu in bytes, 68 to 9702; empty leaves the switch its own
 * @param mac the address that was chosen for the interface by anybody but {@code CNI_ARGS}, most specific first
 * @param ipamType the IPAM plugin to delegate to
 * @param legacyAnnotations whether the pod is told of its socket in the way of Userspace CNI too
 * @param logLevel how much the plugin tells on standard error
 * @param source the document itself
 */
public record NetworkConfiguration(
        String name,
        String bridge,
        Optional<Path> sharedDir,
        Optional<String> socketVolume,
        OptionalInt mtu,
        MacSource mac,
        Optional<String> ipamType,
        boolean legacyAnnotations,
        Optional<LogLevel> logLevel,
        ObjectNode source) {

    /** The limits of {@code mtu_request} for vhost-user ports in Open vSwitch. */
    public static final int MIN_MTU = 68;

    public static final int MAX_MTU = 9702;

    /** What authors write, in the order of the reference. */
    private static final List<String> OWN_KEYS = List.of(
            "cniVersion",
            "name",
            "type",
            "bridge",
            "sharedDir",
            "socketVolume",
            "mtu",
            "mac",
            "ipam",
            "dns",
            "legacyAnnotations",
            "logLevel");

    /** What runtimes, libcni and Multus put in. They mean nothing to us, or are read where they matter. */
    private static final Set<String> FOREIGN_KEYS = Set.of(
            "runtimeConfig",
            "args",
            "capabilities",
            "deviceID",
            "pciBusID",
            "prevResult",
            "disableCheck",
            "disableGC",
            "loadOnlyInlinedPlugins",
            "cniVersions");

    /** Keys of Userspace CNI, whose configurations people bring along; quoted. */
    private static final Set<String> USERSPACE_CNI = Set.of("\"host\"", "\"container\"", "\"kubeconfig\"");

    private static final String NOT_USERSPACE_CNI =
            "; host and container are Userspace CNI's: here the bridge is named by"
                    + " \"bridge\", and the port is always a dpdkvhostuserclient, the workload being the vhost-user server,"
                    + " so that the switch can restart under it";

    private static final String FOREIGN_PREFIX = "cni.dev/";

    /** Keys that may differ between two ADDs of the same attachment without making them different. */
    private static final Set<String> NOT_IN_DIGEST = Set.of(
            "cniVersion",
            "cniVersions",
            "prevResult",
            "logLevel",
            "capabilities",
            "disableCheck",
            "disableGC",
            "loadOnlyInlinedPlugins");

    /** libcni's rule for network names. */
    private static final Pattern NETWORK_NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9_.\\-]{0,252}");

    private static final Pattern BRIDGE_NAME = Pattern.compile("[\\p{Graph}&&[^/]]{1,253}");

    /** Kubernetes' rule for names of volumes: RFC 1123 labels. */
    private static final Pattern VOLUME_NAME = Pattern.compile("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?");

    private static final Pattern IPAM_TYPE = Pattern.compile("[\\p{Graph}&&[^/]]{1,253}");

    /**
     * MAC addresses by who chose them.
     *
     * @param runtime {@code runtimeConfig.mac}
     * @param arguments {@code args.cni.mac}
     * @param network {@code mac}
     */
    public record MacSource(
            Optional<MacAddress> runtime, Optional<MacAddress> arguments, Optional<MacAddress> network) {}

    /**
     * Reads and checks a network configuration.
     *
     * @throws CniException {@link ErrorCode#CONFIGURATION} with the key, its value and what it may be
     */
    public static NetworkConfiguration of(ObjectNode source) throws CniException {
        refuseUnknownKeys(source);
        requiredText(source, "type");
        checkDns(source);
        return new NetworkConfiguration(
                name(source),
                bridge(source),
                sharedDir(source),
                socketVolume(source),
                mtu(source),
                new MacSource(
                        mac(object(source, "runtimeConfig"), "runtimeConfig.mac"),
                        mac(object(object(source, "args"), "cni"), "args.cni.mac"),
                        mac(source, "mac")),
                ipamType(source),
                legacyAnnotations(source),
                logLevel(source),
                source.deepCopy());
    }

    /** The network's name alone: what DEL and GC need of a configuration that may be broken otherwise. */
    public static String name(ObjectNode source) throws CniException {
        String name = requiredText(source, "name");
        if (!NETWORK_NAME.matcher(name).matches()) {
            throw invalid(
                    "name",
                    source.get("name"),
                    "letters, digits and _ . - beginning with a letter or digit, 253 at most");
        }
        return name;
    }

    /**
     * The plugin that {@code ipam} names; empty when there is none, or an empty object, which means the same.
     *
     * @throws CniException {@link ErrorCode#CONFIGURATION} when the type is missing, could lead out of {@code CNI_PATH},
     *     or is that of the network itself
     */
    public static Optional<String> ipamType(ObjectNode source) throws CniException {
        ObjectNode ipam = object(source, "ipam");
        if (ipam.isEmpty()) {
            return Optional.empty();
        }
        JsonNode type = ipam.path("type");
        String expected = "the file name of an IPAM plugin, such as \"host-local\", without /";
        if (!type.isTextual()) {
            throw invalid("ipam.type", type, expected);
        }
        if (!IPAM_TYPE.matcher(type.textValue()).matches()
                || type.textValue().equals(".")
                || type.textValue().equals("..")) {
            throw invalid("ipam.type", type, expected);
        }
        if (type.equals(source.path("type"))) {
            // Each run would start the next one, with the same configuration and without end
            throw invalid("ipam.type", type, "another plugin than the one that delegates to it");
        }
        return Optional.of(type.textValue());
    }

    /**
     * The address that the interface gets: what was chosen for it, most specific first, else a derived one.
     *
     * @param fromArgs {@code MAC} of {@code CNI_ARGS}
     */
    public MacAddress macFor(AttachmentId id, Optional<MacAddress> fromArgs) {
        return mac.runtime()
                .or(() -> fromArgs)
                .or(mac::arguments)
                .or(mac::network)
                .orElseGet(() -> MacAddress.derived(name, id));
    }

    /**
     * SHA-256, in hexadecimal, of all that makes an attachment what it is. Two ADDs with equal digests want the same.
     *
     * @param circumstances what else belongs to it: the sandbox, the address from {@code CNI_ARGS}
     */
    public String digest(List<String> circumstances) {
        ObjectNode relevant = source.deepCopy();
        relevant.remove(NOT_IN_DIGEST);
        source.fieldNames().forEachRemaining(key -> {
            if (key.startsWith(FOREIGN_PREFIX)) {
                relevant.remove(key);
            }
        });
        ObjectNode all = Json.object();
        all.set("network", relevant);
        circumstances.forEach(all.putArray("circumstances")::add);
        try {
            return HexFormat.of()
                    .formatHex(MessageDigest.getInstance("SHA-256").digest(Json.write(Json.canonical(all))));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }

    private static void refuseUnknownKeys(ObjectNode source) throws CniException {
        Set<String> unknown = new TreeSet<>();
        source.fieldNames().forEachRemaining(key -> {
            if (!OWN_KEYS.contains(key) && !FOREIGN_KEYS.contains(key) && !key.startsWith(FOREIGN_PREFIX)) {
                unknown.add(Quoted.of(key));
            }
        });
        if (!unknown.isEmpty()) {
            throw new CniException(
                    ErrorCode.CONFIGURATION,
                    "the network configuration has unknown keys: "
                            + String.join(", ", unknown.stream().limit(8).toList()),
                    "the known keys are " + String.join(", ", OWN_KEYS)
                            + (unknown.stream().anyMatch(USERSPACE_CNI::contains) ? NOT_USERSPACE_CNI : ""));
        }
    }

    private static String bridge(ObjectNode source) throws CniException {
        String bridge = requiredText(source, "bridge");
        if (!BRIDGE_NAME.matcher(bridge).matches()) {
            throw invalid("bridge", source.get("bridge"), "the name of a bridge of the node's Open vSwitch");
        }
        return bridge;
    }

    private static Optional<String> socketVolume(ObjectNode source) throws CniException {
        JsonNode volume = source.path("socketVolume");
        if (volume.isMissingNode()) {
            return Optional.empty();
        }
        if (!volume.isTextual() || !VOLUME_NAME.matcher(volume.textValue()).matches()) {
            throw invalid("socketVolume", volume, "the name of a volume of the pod, an emptyDir or a hostPath");
        }
        if (source.has("sharedDir")) {
            throw new CniException(
                    ErrorCode.CONFIGURATION,
                    "the network configuration has both sharedDir and socketVolume",
                    "choose one place for the socket: a folder of the host, or a volume of the pod");
        }
        return Optional.of(volume.textValue());
    }

    private static Optional<Path> sharedDir(ObjectNode source) throws CniException {
        if (!source.has("sharedDir")) {
            return Optional.empty();
        }
        String text = requiredText(source, "sharedDir");
        boolean clean = text.startsWith("/")
                && text.chars().noneMatch(Character::isISOControl)
                && text.length() <= 4096
                && List.of(text.substring(1).split("/", -1)).stream()
                        .noneMatch(part -> part.isEmpty() || part.equals(".") || part.equals(".."));
        if (!clean) {
            throw invalid(
                    "sharedDir",
                    source.get("sharedDir"),
                    "an absolute path of a folder of the host, without \".\", \"..\", \"//\" and a \"/\" at its end");
        }
        try {
            return Optional.of(Path.of(text));
        } catch (InvalidPathException e) {
            // Half a surrogate pair, or a letter that the platform's file names can't have
            throw invalid("sharedDir", source.get("sharedDir"), "a path that this node's file system can have");
        }
    }

    /** Goes into the result as it stands, so it must have the shape that the specification gives it there. */
    private static void checkDns(ObjectNode source) throws CniException {
        ObjectNode dns = object(source, "dns");
        for (String key : List.of("nameservers", "search", "options")) {
            JsonNode list = dns.path(key);
            boolean texts = list.isArray();
            for (JsonNode element : list) {
                texts &= element.isTextual();
            }
            if (!list.isMissingNode() && !list.isNull() && !texts) {
                throw invalid("dns." + key, list, "an array of texts");
            }
        }
        JsonNode domain = dns.path("domain");
        if (!domain.isMissingNode() && !domain.isTextual()) {
            throw invalid("dns.domain", domain, "text");
        }
    }

    private static OptionalInt mtu(ObjectNode source) throws CniException {
        JsonNode mtu = source.path("mtu");
        if (mtu.isMissingNode()) {
            return OptionalInt.empty();
        }
        if (!mtu.isIntegralNumber() || !mtu.canConvertToInt() || mtu.intValue() < MIN_MTU || mtu.intValue() > MAX_MTU) {
            throw invalid("mtu", mtu, "a number of bytes from " + MIN_MTU + " to " + MAX_MTU);
        }
        return OptionalInt.of(mtu.intValue());
    }

    private static Optional<MacAddress> mac(ObjectNode holder, String key) throws CniException {
        JsonNode mac = holder.path("mac");
        if (mac.isMissingNode() || mac.isTextual() && mac.textValue().isEmpty()) {
            return Optional.empty();
        }
        if (!mac.isTextual()) {
            throw invalid(key, mac, "a MAC address such as \"02:00:5e:10:00:01\"");
        }
        try {
            return Optional.of(new MacAddress(mac.textValue()));
        } catch (IllegalArgumentException e) {
            throw new CniException(ErrorCode.CONFIGURATION, "invalid " + key + ": " + e.getMessage());
        }
    }

    private static boolean legacyAnnotations(ObjectNode source) throws CniException {
        JsonNode legacy = source.path("legacyAnnotations");
        if (!legacy.isMissingNode() && !legacy.isBoolean()) {
            throw invalid("legacyAnnotations", legacy, "true or false");
        }
        return legacy.booleanValue();
    }

    private static Optional<LogLevel> logLevel(ObjectNode source) throws CniException {
        JsonNode level = source.path("logLevel");
        if (level.isMissingNode()) {
            return Optional.empty();
        }
        Optional<LogLevel> known = level.isTextual() ? LogLevel.named(level.textValue()) : Optional.empty();
        if (known.isEmpty()) {
            throw invalid("logLevel", level, LogLevel.NAMES);
        }
        return known;
    }

    private static String requiredText(ObjectNode source, String key) throws CniException {
        JsonNode value = source.path(key);
        if (value.isMissingNode()) {
            throw new CniException(
                    ErrorCode.CONFIGURATION,
                    "the network configuration has no " + Quoted.of(key) + ", which is required");
        }
        if (!value.isTextual() || value.textValue().isEmpty()) {
            throw invalid(key, value, "text that is not empty");
        }
        return value.textValue();
    }

    /** The object at {@code key}; an empty one when there is none, or {@code null}, which Go's encoders write for none. */
    private static ObjectNode object(ObjectNode source, String key) throws CniException {
        JsonNode value = source.path(key);
        if (value.isMissingNode() || value.isNull()) {
            return Json.object();
        }
        if (value instanceof ObjectNode object) {
            return object;
        }
        throw invalid(key, value, "a JSON object");
    }

    private static CniException invalid(String key, JsonNode value, String expected) {
        String shown =
                value.isMissingNode() ? "nothing" : Quoted.of(value.isTextual() ? value.textValue() : value.toString());
        return new CniException(ErrorCode.CONFIGURATION, "invalid " + key + ": " + shown + " must be " + expected);
    }
}
