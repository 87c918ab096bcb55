package io.ovsdpdk.cni;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.api.Attached;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.Quoted;
import java.util.List;
import java.util.Optional;

/**
 * The result of an ADD (CNI 1.1.0, section "ADD Success"), held in the form of the newest version and written in any.
 *
 * @param interfaces each with a {@code name}
 * @param ips each with an {@code address}, and {@code interface}, where there is one, an index into {@code interfaces}
 * @param routes each with a {@code dst}
 * @param dns empty where there is nothing to say
 */
record CniResult(ArrayNode interfaces, ArrayNode ips, ArrayNode routes, ObjectNode dns) {
    /** Of an interface, since CNI 1.1.0. */
    private static final List<String> NEW_IN_INTERFACES = List.of("mtu", "socketPath", "pciID");

    /** Of a route, since CNI 1.1.0. */
    private static final List<String> NEW_IN_ROUTES = List.of("mtu", "advmss", "priority", "table", "scope");

    /**
     * Reads a result of any version that we speak.
     *
     * @param what whose result it is, for the message
     * @throws CniException {@link ErrorCode#DECODING} when it has not the shape of one
     */
    static CniResult read(String what, ObjectNode source) throws CniException {
        CniResult result = new CniResult(
                objects(what, source, "interfaces"),
                objects(what, source, "ips"),
                objects(what, source, "routes"),
                spoken(object(what, source, "dns")));
        for (JsonNode entry : result.interfaces) {
            requireText(what, "interfaces", entry, "name");
        }
        for (JsonNode entry : result.ips) {
            requireCidr(what, "ips", entry, "address");
            checkInterface(what, entry.path("interface"), result.interfaces.size());
            ((ObjectNode) entry).remove("version");
        }
        for (JsonNode entry : result.routes) {
            requireCidr(what, "routes", entry, "dst");
        }
        return result;
    }

    /**
     * Reads the abbreviated result of an IPAM plugin: whatever it says of interfaces means nothing.
     *
     * @throws CniException {@link ErrorCode#DECODING} when it has not the shape of one
     */
    static CniResult readAbbreviated(String what, ObjectNode source) throws CniException {
        ObjectNode abbreviated = source.deepCopy();
        abbreviated.remove("interfaces");
        abbreviated.path("ips").forEach(ip -> {
            if (ip instanceof ObjectNode object) {
                object.remove("interface");
            }
        });
        return read(what, abbreviated);
    }

    /**
     * The result that the network configuration brings with it: the plugins' before us in a chain, or at CHECK that of
     * the ADD.
     *
     * @throws CniException {@link ErrorCode#DECODING} when it has not the shape of a result,
     *     {@link ErrorCode#CONFIGURATION} when it is of a version that we don't speak
     */
    static Optional<CniResult> previous(ObjectNode network) throws CniException {
        JsonNode previous = network.path("prevResult");
        if (previous.isMissingNode() || previous.isNull()) {
            return Optional.empty();
        }
        if (!(previous instanceof ObjectNode source)) {
            throw malformed("prevResult", "it must be a JSON object");
        }
        JsonNode version = source.path("cniVersion");
        if (!version.isMissingNode() && CniVersion.named(version.asText()).isEmpty()) {
            throw new CniException(
                    ErrorCode.CONFIGURATION,
                    "prevResult is of CNI version " + Quoted.of(version.asText()),
                    "supported are " + CniVersion.names());
        }
        return Optional.of(read("prevResult", source));
    }

    /**
     * The result of an attachment alone.
     *
     * @param dns the network configuration's; where it says something, it counts and not the IPAM plugin's
     * @throws CniException {@link ErrorCode#DECODING} when the addresses have not the shape of an IPAM plugin's result
     */
    static CniResult of(Attached attached, ObjectNode dns) throws CniException {
        CniResult addresses = readAbbreviated("agent's stored addresses", attached.ipam());
        ObjectNode entry = Json.object()
                .put("name", attached.ifname())
                .put("mac", attached.mac().text());
        attached.mtu().ifPresent(mtu -> entry.put("mtu", mtu));
        entry.put("sandbox", attached.sandbox()).put("socketPath", attached.socketPath());
        addresses.ips.forEach(ip -> ((ObjectNode) ip).put("interface", 0));
        return new CniResult(
                Json.array().add(entry),
                addresses.ips,
                addresses.routes,
                spoken(dns).isEmpty() ? addresses.dns : spoken(dns));
    }

    /** This one and behind it another one's interfaces, addresses and routes. */
    CniResult followedBy(CniResult next) {
        ArrayNode shifted = next.ips.deepCopy();
        shifted.forEach(ip -> {
            if (ip.path("interface").isInt()) {
                ((ObjectNode) ip).put("interface", ip.get("interface").intValue() + interfaces.size());
            }
        });
        return new CniResult(
                interfaces.deepCopy().addAll(next.interfaces),
                ips.deepCopy().addAll(shifted),
                routes.deepCopy().addAll(next.routes),
                next.dns.isEmpty() ? dns : next.dns);
    }

    /** The result as JSON, without what that version doesn't know. */
    ObjectNode write(CniVersion version) {
        ObjectNode json = Json.object().put("cniVersion", version.text());
        if (!interfaces.isEmpty()) {
            json.set("interfaces", interfaces.deepCopy());
        }
        if (!ips.isEmpty()) {
            json.set("ips", ips.deepCopy());
        }
        if (!routes.isEmpty()) {
            json.set("routes", routes.deepCopy());
        }
        if (!dns.isEmpty()) {
            json.set("dns", dns.deepCopy());
        }
        if (!version.atLeast(CniVersion.V1_1_0)) {
            json.path("interfaces").forEach(entry -> ((ObjectNode) entry).remove(NEW_IN_INTERFACES));
            json.path("routes").forEach(entry -> ((ObjectNode) entry).remove(NEW_IN_ROUTES));
        }
        if (!version.atLeast(CniVersion.V1_0_0)) {
            json.path("ips").forEach(entry -> ((ObjectNode) entry)
                    .put("version", Cidr.of(entry.path("address").asText()).family()));
        }
        return json;
    }

    /** What the agent keeps of an IPAM plugin's result: addresses, routes and DNS alone. */
    ObjectNode abbreviated() {
        return write(CniVersion.NEWEST).without(List.of("cniVersion", "interfaces"));
    }

    private static ArrayNode objects(String what, ObjectNode source, String key) throws CniException {
        JsonNode value = source.path(key);
        if (value.isMissingNode() || value.isNull()) {
            return Json.array();
        }
        if (!(value instanceof ArrayNode array)) {
            throw malformed(what, key + " must be a JSON array");
        }
        for (JsonNode element : array) {
            if (!element.isObject()) {
                throw malformed(what, key + " must be a JSON array of objects");
            }
        }
        return array.deepCopy();
    }

    private static ObjectNode object(String what, ObjectNode source, String key) throws CniException {
        JsonNode value = source.path(key);
        if (value.isMissingNode() || value.isNull()) {
            return Json.object();
        }
        if (value instanceof ObjectNode object) {
            return object.deepCopy();
        }
        throw malformed(what, key + " must be a JSON object");
    }

    /** Without what says nothing: Go's encoders write empty objects, and some plugins empty lists. */
    private static ObjectNode spoken(ObjectNode dns) {
        ObjectNode spoken = dns.deepCopy();
        spoken.removeIf(value -> value.isNull()
                || value.isContainerNode() && value.isEmpty()
                || value.isTextual() && value.textValue().isEmpty());
        return spoken;
    }

    private static void requireText(String what, String list, JsonNode entry, String key) throws CniException {
        if (!entry.path(key).isTextual()) {
            throw malformed(what, "each of " + list + " must have a " + key);
        }
    }

    private static void requireCidr(String what, String list, JsonNode entry, String key) throws CniException {
        requireText(what, list, entry, key);
        try {
            Cidr.of(entry.get(key).textValue());
        } catch (IllegalArgumentException e) {
            throw malformed(
                    what,
                    key + " " + Quoted.of(entry.get(key).textValue()) + " in " + list + " is wrong: " + e.getMessage());
        }
    }

    private static void checkInterface(String what, JsonNode index, int interfaces) throws CniException {
        boolean none = index.isMissingNode() || index.isNull();
        if (!none && (!index.isInt() || index.intValue() < 0 || index.intValue() >= interfaces)) {
            throw malformed(
                    what,
                    "interface " + Quoted.of(index.toString()) + " in ips must be one of its " + interfaces
                            + " interfaces, counted from 0");
        }
    }

    private static CniException malformed(String what, String problem) {
        return new CniException(ErrorCode.DECODING, "the " + what + " is no CNI result: " + problem);
    }
}
