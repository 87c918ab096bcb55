package io.ovsdpdk.ovsdb.testbed;

import java.io.FileNotFoundException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** A program or file of the distribution that the test bed needs, and the Debian package that brings it. */
enum Program {
    OVSDB_SERVER("openvswitch-common", "/usr/sbin/ovsdb-server"),
    OVSDB_TOOL("openvswitch-common", "/usr/bin/ovsdb-tool"),
    OVS_APPCTL("openvswitch-common", "/usr/bin/ovs-appctl"),
    OVS_VSCTL("openvswitch-switch", "/usr/bin/ovs-vsctl"),
    SCHEMA("openvswitch-switch", "/usr/share/openvswitch/vswitch.ovsschema"),
    VSWITCHD("openvswitch-switch", "/usr/lib/openvswitch-switch/ovs-vswitchd"),
    /** The alternative {@code ovs-vswitchd} of the PATH keeps pointing to the build without DPDK. */
    VSWITCHD_DPDK("openvswitch-switch-dpdk", "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"),
    /** Only a Recommends of OVS-DPDK: without it a vhost port connects and passes nothing. */
    MEMPOOL_RING(
            "librte-mempool-ring23 (Debian 12) or librte-mempool-ring25 (Debian 13)",
            "/usr/lib/x86_64-linux-gnu/librte_mempool_ring.so.23",
            "/usr/lib/x86_64-linux-gnu/librte_mempool_ring.so.25",
            "/usr/lib/aarch64-linux-gnu/librte_mempool_ring.so.23",
            "/usr/lib/aarch64-linux-gnu/librte_mempool_ring.so.25"),
    SETPRIV("util-linux", "/usr/bin/setpriv"),
    UNSHARE("util-linux", "/usr/bin/unshare");

    private final String debianPackage;
    private final List<Path> candidates;

    Program(String debianPackage, String... candidates) {
        this.debianPackage = debianPackage;
        this.candidates = Stream.of(candidates).map(Path::of).toList();
    }

    /**
     * Where it is installed.
     *
     * @throws FileNotFoundException if it is not installed; the message names the package to install
     */
    String path() throws FileNotFoundException {
        for (Path candidate : candidates) {
            if (Files.exists(candidate)) {
                return candidate.toString();
            }
        }
        throw new FileNotFoundException(
                candidates.getFirst() + " is missing: apt-get install --no-install-recommends " + debianPackage);
    }
}
