package io.ovsdpdk.agent.kubernetes;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.agent.kubernetes.AnnotationText.Entry;
import io.ovsdpdk.api.Attached;
import io.ovsdpdk.api.DeviceInfo;
import io.ovsdpdk.api.Json;
import java.util.List;
import java.util.Optional;

/**
 * The annotation in which Multus tells a pod of its interfaces (Multi-Network Specification 1.3, section "Network
 * Status"), completed by where the sockets of ours are.
 *
 * <p>Multus writes it once, after all plugins, replaces what is there, and knows nothing of sockets. So our part is added
 * after each time that it was written without.
 */
final class NetworkStatus {
    static final String ANNOTATION = "k8s.v1.cni.cncf.io/network-status";

    /** The pod's attachments as Multus is asked for them: where it is, Multus will write the status. */
    static final String NETWORKS = "k8s.v1.cni.cncf.io/networks";

    private static final String DEVICE_INFO = "device-info";

    /** What the entry of one ADD has, and that of another one may lack. */
    private static final List<String> GIVEN_OR_NOT = List.of("ips", "mtu");

    private NetworkStatus() {}

    /**
     * What the annotation must be changed to.
     *
     * @param current what it is; empty where there is none
     * @param multus whether Multus writes it: then it is waited for, and entries are left to it. Otherwise an entry that
     *     is missing, or that is of a sandbox before, is written, save for that of the cluster's default network
     * @param interfaces all of ours in the pod
     * @return empty when there is nothing to do, yet
     * @throws MalformedAnnotationException when it can't be completed
     */
    static Optional<String> completed(Optional<String> current, boolean multus, List<PodInterface> interfaces)
            throws MalformedAnnotationException {
        Optional<String> written = current.filter(text -> !text.isBlank());
        if (written.isEmpty() && multus) {
            return Optional.empty();
        }
        String text = written.orElse("[]");
        for (PodInterface ours : interfaces) {
            text = multus ? withDeviceInfo(text, ours) : withEntry(text, ours);
        }
        return text.equals(written.orElse("[]")) ? Optional.empty() : Optional.of(text);
    }

    /**
     * The annotation of a pod without Multus when interfaces of ours are no longer in it: without the entries that we
     * wrote for them.
     *
     * @throws MalformedAnnotationException when it can't be read
     */
    static Optional<String> without(Optional<String> current, List<PodInterface> departed)
            throws MalformedAnnotationException {
        if (current.isEmpty() || current.get().isBlank()) {
            return current;
        }
        String text = current.get();
        for (PodInterface gone : departed) {
            Optional<Entry> told =
                    entry(text, gone).filter(entry -> !isOfDefaultNetwork(entry) && hasAddress(entry.value(), gone));
            if (told.isPresent()) {
                text = AnnotationText.withoutElement(text, told.get().place());
            }
        }
        return Optional.of(text);
    }

    private static String withDeviceInfo(String text, PodInterface ours) throws MalformedAnnotationException {
        Optional<Entry> entry = entry(text, ours);
        return entry.isEmpty() ? text : completed(text, entry.get(), ours);
    }

    private static String withEntry(String text, PodInterface ours) throws MalformedAnnotationException {
        Optional<Entry> found = entry(text, ours);
        if (found.isEmpty()) {
            return AnnotationText.withElement(text, toEntry(ours));
        }
        Entry entry = found.get();
        if (isOfDefaultNetwork(entry)) {
            return completed(text, entry, ours);
        }
        ObjectNode renewed = renewed(entry.value(), ours);
        return renewed.equals(entry.value())
                ? completed(text, entry, ours)
                : withDeviceInfo(AnnotationText.replaced(text, entry.place(), renewed), ours);
    }

    /** Multus writes that one for pods that ask for no other networks, too. */
    private static boolean isOfDefaultNetwork(Entry entry) {
        return entry.value().path("default").asBoolean();
    }

    /** With what the last ADD gave. What others said of the same interface stays; of one with another address nothing does. */
    private static ObjectNode renewed(ObjectNode entry, PodInterface ours) {
        ObjectNode given = toEntry(ours);
        if (!hasAddress(entry, ours)) {
            return given;
        }
        ObjectNode renewed = entry.deepCopy();
        renewed.remove(GIVEN_OR_NOT.stream().filter(key -> !given.has(key)).toList());
        given.properties().stream()
                .filter(member -> !member.getKey().equals(DEVICE_INFO))
                .forEach(member -> renewed.set(member.getKey(), member.getValue()));
        return renewed;
    }

    /** A pod has no two interfaces of one name. Its address may be another: a plugin behind us in a chain may set it. */
    private static Optional<Entry> entry(String text, PodInterface ours) throws MalformedAnnotationException {
        return AnnotationText.entries(ANNOTATION, text, DEVICE_INFO).stream()
                .filter(entry -> entry.value().path("interface").asText().equals(ours.ifname()))
                .findFirst();
    }

    private static String completed(String text, Entry entry, PodInterface ours) {
        boolean present = entry.value().path(DEVICE_INFO) instanceof ObjectNode;
        ObjectNode existing = present ? (ObjectNode) entry.value().get(DEVICE_INFO) : Json.object();
        ObjectNode completed = DeviceInfo.completed(existing, ours.attached().socketPath());
        if (completed.equals(existing)) {
            return text;
        }
        return entry.member()
                .map(place -> AnnotationText.replaced(text, place, completed))
                .orElseGet(() -> AnnotationText.withMember(text, entry.place(), DEVICE_INFO, completed));
    }

    /** As Multus would write it. */
    private static ObjectNode toEntry(PodInterface ours) {
        Attached attached = ours.attached();
        ObjectNode entry = Json.object().put("name", ours.network()).put("interface", ours.ifname());
        ArrayNode addresses = Json.array();
        attached.ipam()
                .path("ips")
                .forEach(ip -> addresses.add(withoutPrefix(ip.path("address").asText())));
        if (!addresses.isEmpty()) {
            entry.set("ips", addresses);
        }
        entry.put("mac", mac(ours));
        attached.mtu().ifPresent(mtu -> entry.put("mtu", mtu));
        entry.set("dns", attached.ipam().path("dns") instanceof ObjectNode dns ? dns : Json.object());
        entry.set(DEVICE_INFO, DeviceInfo.completed(Json.object(), attached.socketPath()));
        return entry;
    }

    private static String withoutPrefix(String cidr) {
        int slash = cidr.indexOf('/');
        return slash < 0 ? cidr : cidr.substring(0, slash);
    }

    private static boolean hasAddress(ObjectNode entry, PodInterface ours) {
        return entry.path("mac").asText().equalsIgnoreCase(mac(ours));
    }

    private static String mac(PodInterface ours) {
        return ours.attached().mac().text();
    }
}
