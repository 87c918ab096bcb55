package io.ovsdpdk.agent.kubernetes;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.api.Attached;
import io.ovsdpdk.api.Json;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * The two annotations in which Userspace CNI tells a pod of its interfaces, for applications that read nothing else.
 *
 * <p>app-netutil, with which they read, sets the rules. It passes over an annotation with a {@code =} in its value. It
 * removes all backslashes and spaces before it reads the JSON. It puts {@link #MAPPED_DIR} and a socket's file name
 * together with nothing in between. It takes an address only with its IP version, as CNI 0.4.0 has it.
 *
 * @param configurationData a JSON array with an entry for each interface
 * @param mappedDir the folder that all sockets are below, as the pod sees it; ends in {@code /}. Empty where none of ours
 *     is told, and it is others' or nobody's
 */
record LegacyAnnotations(String configurationData, Optional<String> mappedDir) {
    static final String CONFIGURATION_DATA = "userspace/configuration-data";
    static final String MAPPED_DIR = "userspace/mapped-dir";

    /**
     * What the annotations must be.
     *
     * @param current the configuration data that there is. Entries of others stay, unless they are of a sandbox before
     * @param interfaces all of ours in the pod
     * @return empty when none of them asks for these annotations, and none asked before
     * @throws MalformedAnnotationException when the current configuration data can't be read
     * @throws UnspeakableException when app-netutil could not read ours
     */
    static Optional<LegacyAnnotations> of(Optional<String> current, List<PodInterface> interfaces)
            throws MalformedAnnotationException, UnspeakableException {
        List<PodInterface> told =
                interfaces.stream().filter(PodInterface::legacyAnnotations).toList();
        if (told.isEmpty()) {
            return withoutStale(current, interfaces);
        }
        String mappedDir = commonFolder(told);
        requireSpeakable("the sockets' folder", mappedDir);
        ArrayNode wanted = others(current, interfaces);
        for (PodInterface ours : told) {
            wanted.add(entry(ours, mappedDir));
        }
        return Optional.of(new LegacyAnnotations(
                unchanged(current, wanted).orElseGet(() -> AnnotationText.write(wanted)), Optional.of(mappedDir)));
    }

    /**
     * The configuration data when interfaces of ours are no longer in the pod: without their entries.
     *
     * @throws MalformedAnnotationException when it can't be read, and one of them was told in it
     */
    static Optional<String> without(Optional<String> current, List<PodInterface> departed)
            throws MalformedAnnotationException {
        List<PodInterface> told =
                departed.stream().filter(PodInterface::legacyAnnotations).toList();
        if (told.isEmpty()) {
            return current;
        }
        ArrayNode left = Json.array();
        for (JsonNode entry : entries(current)) {
            if (told.stream().noneMatch(gone -> isOf(entry, gone))) {
                left.add(entry);
            }
        }
        return entries(current).equals(left) ? current : Optional.of(AnnotationText.write(left));
    }

    private static boolean isOf(JsonNode entry, PodInterface ours) {
        return entry.path("containerId").asText().equals(ours.containerId())
                && entry.path("ifName").asText().equals(ours.ifname());
    }

    /** Data that can't be read is none of ours. */
    private static Optional<LegacyAnnotations> withoutStale(Optional<String> current, List<PodInterface> interfaces) {
        try {
            ArrayNode wanted = others(current, interfaces);
            return entries(current).equals(wanted)
                    ? Optional.empty()
                    : Optional.of(new LegacyAnnotations(AnnotationText.write(wanted), Optional.empty()));
        } catch (MalformedAnnotationException e) {
            return Optional.empty();
        }
    }

    private static ArrayNode others(Optional<String> current, List<PodInterface> interfaces)
            throws MalformedAnnotationException {
        ArrayNode others = Json.array();
        for (JsonNode entry : entries(current)) {
            if (isOthers(entry, interfaces)) {
                others.add(entry);
            }
        }
        return others;
    }

    /** The data as it is laid out now, when it says what it should. */
    private static Optional<String> unchanged(Optional<String> current, ArrayNode wanted)
            throws MalformedAnnotationException {
        return entries(current).equals(wanted) ? current : Optional.empty();
    }

    private static ArrayNode entries(Optional<String> current) throws MalformedAnnotationException {
        return current.isEmpty() || current.get().isBlank()
                ? Json.array()
                : AnnotationText.array(CONFIGURATION_DATA, current.get());
    }

    /** Of this sandbox, and no interface of ours: a pod has one sandbox at a time, and in it one interface of a name. */
    private static boolean isOthers(JsonNode entry, List<PodInterface> interfaces) {
        Set<String> containers =
                interfaces.stream().map(PodInterface::containerId).collect(Collectors.toSet());
        Set<String> names = interfaces.stream().map(PodInterface::ifname).collect(Collectors.toSet());
        return containers.contains(entry.path("containerId").asText())
                && !names.contains(entry.path("ifName").asText());
    }

    /** Sockets may lie in different volumes: then it is a folder above them. */
    private static String commonFolder(List<PodInterface> told) {
        String common = folder(told.getFirst().attached().socketPath());
        for (PodInterface ours : told) {
            while (!ours.attached().socketPath().startsWith(common)) {
                common = folder(common.substring(0, common.length() - 1));
            }
        }
        return common;
    }

    private static String folder(String path) {
        return path.substring(0, path.lastIndexOf('/') + 1);
    }

    private static ObjectNode entry(PodInterface ours, String mappedDir) throws UnspeakableException {
        ObjectNode entry = Json.object()
                .put("containerId", ours.containerId())
                .put("ifName", ours.ifname())
                .put("name", ours.network());
        ObjectNode config = entry.putObject("config");
        config.put("engine", "ovs-dpdk").put("iftype", "vhostuser").put("netType", "interface");
        config.putObject("memif");
        config.putObject("vhost")
                .put("mode", "server")
                .put("socketfile", ours.attached().socketPath().substring(mappedDir.length()));
        config.putObject("bridge");
        entry.set("ipResult", result(ours.attached()));
        requireSpeakable("interface " + ours.ifname(), AnnotationText.write(entry));
        return entry;
    }

    /** As CNI 0.4.0 has it. DNS is said only where it can be. */
    private static ObjectNode result(Attached attached) {
        ObjectNode result = Json.object().put("cniVersion", "0.4.0");
        result.putArray("interfaces")
                .addObject()
                .put("name", attached.ifname())
                .put("mac", attached.mac().text())
                .put("sandbox", attached.sandbox());
        ArrayNode addresses = Json.array();
        for (JsonNode ip : attached.ipam().path("ips")) {
            String address = ip.path("address").asText();
            ObjectNode told = addresses
                    .addObject()
                    .put("version", address.contains(":") ? "6" : "4")
                    .put("interface", 0)
                    .put("address", address);
            copyText(ip, "gateway", told);
        }
        ArrayNode routes = Json.array();
        for (JsonNode route : attached.ipam().path("routes")) {
            ObjectNode told = routes.addObject();
            copyText(route, "dst", told);
            copyText(route, "gw", told);
        }
        if (!addresses.isEmpty()) {
            result.set("ips", addresses);
        }
        if (!routes.isEmpty()) {
            result.set("routes", routes);
        }
        boolean dns = attached.ipam().path("dns").isObject()
                && isSpeakable(AnnotationText.write(attached.ipam().get("dns")));
        result.set("dns", dns ? attached.ipam().get("dns") : Json.object());
        return result;
    }

    private static void copyText(JsonNode from, String key, ObjectNode to) {
        if (from.path(key).isTextual()) {
            to.set(key, from.get(key));
        }
    }

    private static void requireSpeakable(String what, String text) throws UnspeakableException {
        if (!isSpeakable(text)) {
            throw new UnspeakableException(what, text);
        }
    }

    /** Compact JSON has white space within texts only; a quotation mark within one has a backslash before it. */
    private static boolean isSpeakable(String text) {
        return text.chars().noneMatch(c -> c == '=' || c == '\\' || Character.isWhitespace(c));
    }
}
