package io.ovsdpdk.kubevirt;

import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeMap;

/**
 * Writes an interface's element. Where the domain has one with the same alias already, it takes its place and keeps what
 * we don't say anything of: the MAC and PCI addresses that libvirt chose, others' elements.
 */
final class InterfaceXml {
    /** What belongs to one kind of interface, and to ours only as we write it. */
    private static final Set<String> REPLACED = Set.of(
            "source",
            "target",
            "model",
            "driver",
            "backend",
            "portForward",
            "virtualport",
            "alias",
            "rom",
            "mtu",
            "acpi",
            "boot",
            "link");

    private final VhostUserInterface wanted;
    private final Optional<XmlElement> old;
    private final String text;
    private final Layout layout;
    private final StringBuilder xml = new StringBuilder();

    /**
     * @param old what it replaces
     * @param text the document's
     * @param layout of the devices
     */
    InterfaceXml(VhostUserInterface wanted, Optional<XmlElement> old, String text, Layout layout) {
        this.wanted = wanted;
        this.old = old;
        this.text = text;
        this.layout = layout;
    }

    /** From {@code <interface} to the end tag, with line breaks inside. */
    String write() {
        xml.append("<interface type='vhostuser'");
        old.ifPresent(element -> new TreeMap<>(element.prefixes())
                .forEach((prefix, uri) -> xml.append(prefix.isEmpty() ? " xmlns" : " xmlns:" + prefix)
                        .append("='")
                        .append(escaped(uri))
                        .append('\'')));
        xml.append('>');
        wanted.mac().ifPresent(mac -> child("<mac address='" + mac.text() + "'/>"));
        child("<source type='unix' path='" + escaped(wanted.socket()) + "' mode='server'/>");
        child("<model type='" + wanted.model().text() + "'/>");
        child("<driver" + attribute("queues", wanted.queues()) + " rx_queue_size='" + wanted.rxQueueSize()
                + "' tx_queue_size='" + wanted.txQueueSize() + "'/>");
        wanted.mtu().ifPresent(mtu -> child("<mtu size='" + mtu + "'/>"));
        if (wanted.linkDown()) {
            child("<link state='down'/>");
        }
        wanted.bootOrder().ifPresent(order -> child("<boot order='" + order + "'/>"));
        if (wanted.optionRom() && wanted.bootOrder().isEmpty()) {
            child("<rom enabled='no'/>");
        }
        child("<alias name='" + wanted.alias() + "'/>");
        wanted.acpiIndex().ifPresent(index -> child("<acpi index='" + index + "'/>"));
        wanted.pci()
                .ifPresent(pci -> child("<address type='pci' domain='0x" + pci.domain() + "' bus='0x" + pci.bus()
                        + "' slot='0x" + pci.slot() + "' function='0x" + pci.function() + "'/>"));
        String kept = old.map(this::kept).orElse("");
        xml.append(kept.isBlank() ? layout.lineBreak() : kept);
        return xml.append("</interface>").toString();
    }

    private void child(String element) {
        xml.append(layout.deeper().lineBreak()).append(element);
    }

    /** What stays of the content of the one that is replaced. */
    private String kept(XmlElement element) {
        StringBuilder kept = new StringBuilder();
        int copied = element.contentStart();
        for (XmlElement child : element.children()) {
            if (replaces(child.name())) {
                kept.append(text, copied, Math.max(copied, Layout.blanksBefore(text, child.start())));
                copied = child.end();
            }
        }
        return kept.append(text, copied, element.contentEnd()).toString();
    }

    private boolean replaces(String name) {
        return switch (name) {
            case "mac" -> wanted.mac().isPresent();
            case "address" -> wanted.pci().isPresent();
            default -> REPLACED.contains(name);
        };
    }

    private static String attribute(String name, OptionalInt value) {
        return value.isPresent() ? " " + name + "='" + value.getAsInt() + "'" : "";
    }

    private static String escaped(String value) {
        return value.replace("&", "&amp;").replace("<", "&lt;").replace("'", "&apos;");
    }
}
