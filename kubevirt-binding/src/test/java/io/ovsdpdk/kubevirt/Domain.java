package io.ovsdpdk.kubevirt;

import java.nio.charset.StandardCharsets;

/** A domain to be put together, in the form in which virt-launcher hands it to hooks. */
final class Domain {
    private String prolog = "";
    private String type = "<type arch=\"x86_64\" machine=\"q35\">hvm</type>";
    private String memoryBacking = "";
    private String cpu = "";
    private String rest = "";
    private String vcpu = "4";
    private final StringBuilder devices = new StringBuilder();

    Domain prolog(String xml) {
        prolog = xml;
        return this;
    }

    Domain mainframe() {
        type = "<type arch=\"s390x\" machine=\"s390-ccw-virtio\">hvm</type>";
        return this;
    }

    /** The content of the element. */
    Domain memoryBacking(String xml) {
        memoryBacking = "\t<memoryBacking>" + xml + "</memoryBacking>\n";
        return this;
    }

    Domain emptyMemoryBacking() {
        memoryBacking = "\t<memoryBacking/>\n";
        return this;
    }

    /** The content of the element. */
    Domain cpu(String xml) {
        cpu = "\t<cpu mode=\"host-model\">" + xml + "</cpu>\n";
        return this;
    }

    Domain vcpu(int count) {
        vcpu = Integer.toString(count);
        return this;
    }

    Domain device(String xml) {
        devices.append("\t\t").append(xml).append('\n');
        return this;
    }

    /** Whatever stands on the upper level beside what is always there. */
    Domain rest(String xml) {
        rest += "\t" + xml + "\n";
        return this;
    }

    String text() {
        return prolog + "<domain type=\"kvm\" xmlns:qemu=\"http://libvirt.org/schemas/domain/qemu/1.0\">\n"
                + "\t<name>default_vm</name>\n"
                + "\t<memory unit=\"KiB\">4194304</memory>\n"
                + memoryBacking
                + "\t<os>\n\t\t" + type + "\n\t</os>\n"
                + "\t<devices>\n"
                + "\t\t<emulator>/usr/libexec/qemu-kvm</emulator>\n"
                + devices
                + "\t\t<disk device=\"disk\" type=\"file\">\n"
                + "\t\t\t<source file=\"/disk.img\"/>\n"
                + "\t\t\t<target bus=\"virtio\" dev=\"vda\"/>\n"
                + "\t\t\t<alias name=\"ua-rootdisk\"/>\n"
                + "\t\t</disk>\n"
                + "\t</devices>\n"
                + "\t<metadata>\n"
                + "\t\t<kubevirt xmlns=\"http://kubevirt.io\">\n"
                + "\t\t\t<uid>5b7b5b1c-0d3c-4c1e-8a0e-0a4f4b1f0f6d</uid>\n"
                + "\t\t</kubevirt>\n"
                + "\t</metadata>\n"
                + cpu
                + "\t<vcpu placement=\"static\">" + vcpu + "</vcpu>\n"
                + rest
                + "</domain>\n";
    }

    /** In one line. */
    String compact() {
        return text().replaceAll(">\\s+<", "><").strip();
    }

    byte[] xml() {
        return text().getBytes(StandardCharsets.UTF_8);
    }
}
