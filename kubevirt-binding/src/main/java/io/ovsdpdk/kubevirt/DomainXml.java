package io.ovsdpdk.kubevirt;

import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * libvirt's description of a VM. It is changed in its text: whatever we don't write, comments, other sidecars' elements,
 * elements that KubeVirt's own structures don't know, stays as it is, character by character.
 */
final class DomainXml {
    private static final String SHARED = "shared";
    private static final Set<String> SHAREABLE_SOURCES = Set.of("memfd", "file");

    private final XmlText document;
    private final TextEdits edits = new TextEdits();

    private DomainXml(XmlText document) {
        this.document = document;
    }

    /** @throws RefusedException when it is not libvirt's, see {@link XmlText#read} */
    static DomainXml read(byte[] xml) throws RefusedException {
        XmlText document = XmlText.read(xml);
        if (!document.root().name().equals("domain")) {
            throw new RefusedException("the domain XML's outermost element is "
                    + Quoted.of(document.root().name()) + "; it must be domain");
        }
        return new DomainXml(document);
    }

    /**
     * The document with these interfaces, and with memory that is shared where there are any.
     *
     * @param absent aliases of interfaces to take out
     * @throws RefusedException when somebody made its memory private, or encrypted it
     */
    byte[] with(Collection<VhostUserInterface> interfaces, Set<String> absent) throws RefusedException {
        XmlElement devices = only("devices")
                .orElseThrow(() -> new RefusedException("the domain XML has no devices: is this a KubeVirt domain?"));
        for (String alias : absent) {
            Optional<XmlElement> there = byAlias(devices, alias);
            there.ifPresent(found -> edits.remove(Layout.blanksBefore(document.text(), found.start()), found.end()));
        }
        if (!interfaces.isEmpty()) {
            refuseEncrypted();
            shareMemory();
            attach(devices, interfaces);
        }
        return edits.applyTo(document.text()).getBytes(StandardCharsets.UTF_8);
    }

    private Optional<XmlElement> only(String name) throws RefusedException {
        return only(document.root(), name);
    }

    private static Optional<XmlElement> only(XmlElement parent, String name) throws RefusedException {
        List<XmlElement> found = parent.children(name).toList();
        if (found.size() > 1) {
            throw new RefusedException(
                    "the domain XML has " + found.size() + " elements " + name + " in " + parent.name());
        }
        return found.stream().findFirst();
    }

    private static Optional<XmlElement> byAlias(XmlElement devices, String alias) throws RefusedException {
        List<XmlElement> found = devices.children("interface")
                .filter(candidate -> candidate.children("alias").anyMatch(name -> name.attribute("name")
                        .equals(alias)))
                .toList();
        if (found.size() > 1) {
            throw new RefusedException("the domain XML has " + found.size() + " interfaces with alias " + alias);
        }
        return found.stream().findFirst();
    }

    private void attach(XmlElement devices, Collection<VhostUserInterface> interfaces) throws RefusedException {
        Layout layout = Layout.within(document.text(), devices);
        StringBuilder added = new StringBuilder();
        for (VhostUserInterface wanted : interfaces) {
            Optional<XmlElement> there = byAlias(devices, wanted.alias());
            if (there.isPresent()) {
                XmlElement old = there.get();
                edits.replace(
                        old.start(),
                        old.end(),
                        new InterfaceXml(wanted, Optional.of(old), document.text(), layout).write());
            } else {
                added.append(layout.lineBreak())
                        .append(new InterfaceXml(wanted, Optional.empty(), document.text(), layout).write());
            }
        }
        if (!added.isEmpty()) {
            append(devices, added.toString());
        }
    }

    /** Adds behind the last child of an element. */
    private void append(XmlElement parent, String added) {
        if (parent.selfClosing()) {
            int slash = document.text().lastIndexOf('/', parent.end());
            String before = Layout.before(document.text(), parent.start());
            edits.replace(slash, parent.end(), ">" + added + before + "</" + parent.name() + ">");
            return;
        }
        edits.insert(Math.max(parent.contentStart(), Layout.blanksBefore(document.text(), parent.contentEnd())), added);
    }

    private void refuseEncrypted() throws RefusedException {
        Optional<XmlElement> encrypted = only("launchSecurity");
        if (encrypted.isPresent()) {
            throw new RefusedException("the domain XML has launchSecurity of type "
                    + Quoted.of(encrypted.get().attribute("type"))
                    + ": the switch can't read encrypted memory, so a vhost-user interface would pass nothing");
        }
    }

    /** What the switch maps must be the guest's memory itself, not a copy. */
    private void shareMemory() throws RefusedException {
        Optional<XmlElement> backing = only("memoryBacking");
        if (backing.isPresent()) {
            completeBacking(backing.get());
        } else {
            addBacking();
        }
        Optional<XmlElement> cpu = only("cpu");
        Optional<XmlElement> numa = cpu.isPresent() ? only(cpu.get(), "numa") : Optional.empty();
        if (numa.isPresent()) {
            for (XmlElement cell : numa.get().children("cell").toList()) {
                shareCell(cell);
            }
        }
        for (XmlElement module :
                only("devices").orElseThrow().children("memory").toList()) {
            if (module.attributes().containsKey("access")) {
                refuseUnshared(module.attribute("access"), "a memory device");
            }
        }
    }

    private void addBacking() {
        Layout layout = Layout.within(document.text(), document.root());
        Layout inner = layout.deeper();
        XmlElement devices = document.root().children("devices").findFirst().orElseThrow();
        edits.insert(
                Layout.blanksBefore(document.text(), devices.start()),
                layout.lineBreak() + "<memoryBacking>" + inner.lineBreak() + "<source type='memfd'/>"
                        + inner.lineBreak() + "<access mode='shared'/>" + layout.lineBreak() + "</memoryBacking>");
    }

    private void completeBacking(XmlElement backing) throws RefusedException {
        StringBuilder missing = new StringBuilder();
        String lineBreak = Layout.within(document.text(), backing).lineBreak();
        Optional<XmlElement> source = only(backing, "source");
        if (source.isEmpty() && only(backing, "hugepages").isEmpty()) {
            missing.append(lineBreak).append("<source type='memfd'/>");
        } else if (source.isPresent()) {
            refuseOtherSource(source.get().attribute("type"));
        }
        Optional<XmlElement> access = only(backing, "access");
        if (access.isEmpty()) {
            missing.append(lineBreak).append("<access mode='shared'/>");
        } else {
            refuseUnshared(access.get().attribute("mode"), "memoryBacking");
        }
        if (!missing.isEmpty()) {
            append(backing, missing.toString());
        }
    }

    private void shareCell(XmlElement cell) throws RefusedException {
        if (cell.attributes().containsKey("memAccess")) {
            refuseUnshared(cell.attribute("memAccess"), "a NUMA cell");
        } else {
            edits.insert(cell.start() + 1 + cell.name().length(), " memAccess='" + SHARED + "'");
        }
    }

    private static void refuseOtherSource(String type) throws RefusedException {
        if (!SHAREABLE_SOURCES.contains(type)) {
            throw new RefusedException("the domain's memory is of source type " + Quoted.of(type)
                    + ", which can't be shared with the switch: whatever sets it must leave it or set it to memfd");
        }
    }

    /** libvirt's schema knows shared and private, and takes neither an empty value nor an element without any. */
    private static void refuseUnshared(String access, String of) throws RefusedException {
        if (!access.equals(SHARED)) {
            throw new RefusedException(
                    "the memory access of " + of + " is " + Quoted.of(access)
                            + ": the switch could not see the guest's packets. Whatever sets it must leave it or set it to shared");
        }
    }
}
