package io.ovsdpdk.kubevirt;

import java.util.Optional;
import java.util.OptionalInt;

/**
 * An interface as the domain must have it.
 *
 * @param name the VMI's
 * @param socket where QEMU listens, as the compute container sees it
 * @param mac empty where nobody chose one: then the domain's own stays, or libvirt makes one
 * @param mtu bytes
 * @param queues pairs of queues; empty for the one that every interface has
 * @param rxQueueSize descriptors
 * @param txQueueSize descriptors
 * @param pci empty where nobody chose one: then the domain's own stays, or libvirt chooses
 * @param acpiIndex 1 to {@value #MAX_ACPI_INDEX}
 * @param bootOrder from 1
 * @param linkDown whether it starts with the cable out
 * @param optionRom whether it may have one: without a boot order it is only in the way
 */
record VhostUserInterface(
        String name,
        String socket,
        VirtioModel model,
        Optional<MacAddress> mac,
        OptionalInt mtu,
        OptionalInt queues,
        int rxQueueSize,
        int txQueueSize,
        Optional<PciAddress> pci,
        OptionalInt acpiIndex,
        OptionalInt bootOrder,
        boolean linkDown,
        boolean optionRom) {

    /** Bytes of a path in {@code sockaddr_un}, without the terminating zero. */
    static final int MAX_SOCKET_PATH = 107;

    static final int MIN_MTU = 68;

    /** The most that Open vSwitch's {@code mtu_request} takes. */
    static final int MAX_MTU = 9702;

    /**
     * DPDK's vhost library has no more (VHOST_MAX_QUEUE_PAIRS): asked for 129, QEMU connects and gives up for ever, and
     * the VM doesn't start. KubeVirt's own limit, of tap devices, is 256.
     */
    static final int MAX_QUEUES = 128;

    static final int DEFAULT_QUEUE_SIZE = 1024;
    static final int MAX_ACPI_INDEX = 16 * 1024 - 1;

    /** The name by which KubeVirt, and we in a second call, find it in the domain. */
    String alias() {
        return alias(name);
    }

    static String alias(String name) {
        return "ua-" + name;
    }
}
