package io.ovsdpdk.e2e;

import java.nio.charset.StandardCharsets;

/** A domain as long as one likes, of a VM with one interface that is the binding's. For measurements. */
public final class SampleDomain {
    private SampleDomain() {}

    /** @param bytes that it has at least: it has so many disks */
    public static byte[] xml(int bytes) {
        StringBuilder domain = new StringBuilder("<domain type='kvm'>\n<name>vm</name>\n<devices>\n");
        for (int disk = 0; domain.length() < bytes; disk++) {
            domain.append("  <disk type='file' device='disk'>\n    <source file='/disks/")
                    .append(disk)
                    .append("'/>\n    <target dev='vd")
                    .append(disk)
                    .append("' bus='virtio'/>\n    <alias name='ua-disk")
                    .append(disk)
                    .append("'/>\n  </disk>\n");
        }
        return domain.append("</devices>\n</domain>\n").toString().getBytes(StandardCharsets.UTF_8);
    }

    /** The VM. */
    public static byte[] vmi() {
        return """
                {"spec":{"domain":{"devices":{"interfaces":[{"name":"fast","binding":{"name":"ovs-dpdk"}}]}},
                "networks":[{"name":"fast","multus":{"networkName":"net"}}]}}""".getBytes(StandardCharsets.UTF_8);
    }
}
