package io.ovsdpdk.kubevirt;

import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * A VM that must come out right.
 *
 * @param expected what the result must have, each without line breaks and the blanks behind them
 */
record Scenario(String name, Vmi vmi, String domain, String networkInfo, List<String> expected) {
    private static final String TAP = "<interface type=\"ethernet\"><mac address=\"02:00:00:00:00:01\"/>"
            + "<target dev=\"tap0\" managed=\"no\"/><model type=\"virtio-non-transitional\"/>"
            + "<alias name=\"ua-default\"/><rom enabled=\"no\"/></interface>";
    private static final String FAST = "<source type='unix' path='/var/run/kubevirt-hooks/ovs-dpdk/sockets/"
            + "pod115dc3606fb.sock' mode='server'/>";
    /** Libvirt chose the PCI address on the source; the guest knows it. */
    private static final String MIGRATED = """
            <interface type='vhostuser'>
                  <mac address='02:00:00:00:00:0a'/>
                  <source type='unix' path='/var/run/kubevirt-hooks/ovs-dpdk/sockets/pod115dc3606fb.sock' mode='server'/>
                  <target dev=''/>
                  <model type='virtio-non-transitional'/>
                  <driver queues='4' rx_queue_size='1024' tx_queue_size='1024'/>
                  <mtu size='9000'/>
                  <alias name='ua-fast'/>
                  <rom enabled='no'/>
                  <address type='pci' domain='0x0000' bus='0x02' slot='0x00' function='0x0'/>
                </interface>""";

    private static final String SHARED = "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>";
    private static final String CELL = "<cell id=\"%d\" cpus=\"%s\" memory=\"2097152\" unit=\"KiB\"/>";
    private static final String NUMA = "<numa>" + CELL.formatted(0, "0-1") + CELL.formatted(1, "2-3") + "</numa>";

    Scenario {
        expected = List.copyOf(expected);
    }

    byte[] xml() {
        return domain.getBytes(StandardCharsets.UTF_8);
    }

    private static Scenario of(String name, Vmi vmi, Domain domain, String... expected) {
        return new Scenario(name, vmi, domain.text(), "", expected.length == 0 ? List.of(FAST) : List.of(expected));
    }

    private static Domain usual() {
        return new Domain().device(TAP);
    }

    private static Scenario fast(String name, Vmi vmi, String... expected) {
        return of(name, vmi, usual(), expected);
    }

    static List<Scenario> all() {
        return java.util.stream.Stream.of(interfaces(), queues(), memory(), documents(), networkInfos())
                .flatMap(List::stream)
                .toList();
    }

    private static List<Scenario> interfaces() {
        return List.of(
                fast(
                        "the usual one",
                        Vmi.withFast(),
                        "<interface type='vhostuser'>" + FAST + "<model type='virtio-non-transitional'/>"
                                + "<driver rx_queue_size='1024' tx_queue_size='1024'/><rom enabled='no'/>"
                                + "<alias name='ua-fast'/></interface>",
                        SHARED),
                fast(
                        "all of the VM transitional",
                        Vmi.withFast().with(vmi -> vmi.withObject("/spec/domain/devices")
                                .put("useVirtioTransitional", true)),
                        "<model type='virtio-transitional'/>"),
                fast(
                        "model virtio, as users write it",
                        new Vmi().ours("fast", fast -> fast.put("model", "virtio")),
                        "<model type='virtio-non-transitional'/>"),
                fast(
                        "one interface transitional",
                        new Vmi().ours("fast", fast -> fast.put("model", "virtio-transitional")),
                        "<model type='virtio-transitional'/>"),
                of(
                        "on a mainframe, which has neither of them, nor option ROMs",
                        Vmi.withFast().with(vmi -> vmi.withObject("/spec").put("architecture", "s390x")),
                        usual().mainframe(),
                        "<model type='virtio'/>",
                        "tx_queue_size='1024'/><alias"),
                fast(
                        "with all that can be said of an interface",
                        new Vmi().ours("fast", fast -> fast.put("macAddress", "DE-AD-00-00-BE-AF")
                                .put("pciAddress", "0000:0b:01.2")
                                .put("acpiIndex", 101)
                                .put("bootOrder", 2)
                                .put("tag", "kept elsewhere")),
                        "<mac address='de:ad:00:00:be:af'/>",
                        "<address type='pci' domain='0x0000' bus='0x0b' slot='0x01' function='0x2'/>",
                        "<acpi index='101'/>",
                        "tx_queue_size='1024'/><boot order='2'/><alias name='ua-fast'/>"),
                fast(
                        "with the cable out",
                        new Vmi().ours("fast", fast -> fast.put("state", "down")),
                        "<link state='down'/>"),
                fast(
                        "two of ours beside others",
                        Vmi.withFast().ours("Slow_2").bound("other", "passt", other -> {}),
                        FAST,
                        "podfd11a8fcfc7.sock"),
                fast(
                        "the pod's first network",
                        new Vmi().with(vmi -> {
                            vmi.withObject("/spec/domain/devices")
                                    .withArray("interfaces")
                                    .addObject()
                                    .put("name", "fast")
                                    .putObject("binding")
                                    .put("name", "ovs-dpdk");
                            vmi.withObject("/spec")
                                    .withArray("networks")
                                    .addObject()
                                    .put("name", "fast")
                                    .putObject("multus")
                                    .put("networkName", "dpdk-net")
                                    .put("default", true);
                        }),
                        "/sockets/eth0.sock"),
                of(
                        "one that KubeVirt read back from libvirt and wrote again, without what it doesn't know",
                        Vmi.withFast(),
                        usual().memoryBacking("<source type=\"memfd\"></source><access mode=\"shared\"></access>")
                                .device("<interface type=\"vhostuser\"><address type=\"pci\" domain=\"0x0000\""
                                        + " bus=\"0x02\" slot=\"0x00\" function=\"0x0\"></address>"
                                        + "<source mode=\"server\"></source><model type=\"virtio\"></model>"
                                        + "<mac address=\"52:54:00:12:34:56\"></mac><alias name=\"ua-fast\"></alias>"
                                        + "<driver name=\"\" queues=\"4\"></driver></interface>"),
                        FAST,
                        "bus=\"0x02\"",
                        "52:54:00:12:34:56"),
                of(
                        "one that another sidecar gave a bandwidth",
                        Vmi.withFast(),
                        usual().device("<interface type='vhostuser'>\n"
                                + "<!-- slow down -->\n"
                                + "<bandwidth><inbound average='1000'/></bandwidth>\n"
                                + "<source type='unix' path='/elsewhere.sock' mode='client'/>"
                                + "<alias name='ua-fast'/></interface>"),
                        "<!-- slow down --><bandwidth><inbound average='1000'/></bandwidth>",
                        FAST));
    }

    private static List<Scenario> queues() {
        return List.of(
                fast("multiqueue by cores", Vmi.withFast().multiqueue().cpu(4, 0, 0), "<driver queues='4' rx_"),
                of(
                        "multiqueue by the whole topology",
                        Vmi.withFast().multiqueue().cpu(3, 2, 2),
                        usual().vcpu(12),
                        "<driver queues='12' rx_"),
                of(
                        "multiqueue with more CPUs than queues",
                        Vmi.withFast().multiqueue().cpu(100, 4, 1),
                        usual().vcpu(400),
                        "<driver queues='" + VhostUserInterface.MAX_QUEUES + "' rx_"),
                fast(
                        "multiqueue by a CPU limit",
                        Vmi.withFast().multiqueue().with(vmi -> vmi.withObject("/spec/domain/resources/limits")
                                .put("cpu", "2500m")),
                        "<driver queues='3' rx_"),
                fast("multiqueue with one CPU", Vmi.withFast().multiqueue(), "<driver queues='1' rx_"),
                fast(
                        "an annotation for one of two",
                        Vmi.withFast()
                                .ours("slow")
                                .multiqueue()
                                .cpu(4, 1, 1)
                                .tuned(
                                        "{\"fast\":{\"queues\":2,\"rxQueueSize\":256,\"txQueueSize\":512,\"mtu\":9000}}"),
                        "<driver queues='2' rx_queue_size='256' tx_queue_size='512'/><mtu size='9000'/>",
                        "<driver queues='4' rx_queue_size='1024' tx_queue_size='1024'/><rom"));
    }

    private static List<Scenario> memory() {
        return List.of(
                of(
                        "hugepages, as KubeVirt writes them",
                        Vmi.withFast(),
                        usual().memoryBacking("\n\t\t<hugepages></hugepages>\n\t\t<source type=\"memfd\"></source>\n\t")
                                .cpu("<numa>" + CELL.formatted(0, "0-3") + "</numa>"),
                        "<source type=\"memfd\"></source><access mode='shared'/></memoryBacking>",
                        "<cell memAccess='shared' id=\"0\""),
                of(
                        "hugepages of 2 MiB on one NUMA cell",
                        Vmi.withFast().with(vmi -> vmi.withObject("/spec/domain/memory/hugepages")
                                .put("pageSize", "2Mi")),
                        usual().memoryBacking("<hugepages><page size=\"2\" unit=\"MiB\" nodeset=\"0\"/></hugepages>"
                                        + "<source type=\"memfd\"/>")
                                .cpu("<numa>" + CELL.formatted(0, "0-3") + "</numa>"),
                        "<page size=\"2\" unit=\"MiB\" nodeset=\"0\"/></hugepages><source type=\"memfd\"/>"
                                + "<access mode='shared'/></memoryBacking>",
                        "<cell memAccess='shared' id=\"0\""),
                of(
                        "hugepages of 1 GiB on two NUMA cells",
                        Vmi.withFast(),
                        usual().memoryBacking("<hugepages><page size=\"1\" unit=\"GiB\" nodeset=\"0-1\"/></hugepages>"
                                        + "<nosharepages/><source type=\"memfd\"/><allocation mode=\"immediate\"/>")
                                .cpu(NUMA)
                                .rest("<numatune><memory mode=\"strict\" nodeset=\"0-1\"/>"
                                        + "<memnode cellid=\"0\" mode=\"strict\" nodeset=\"0\"/></numatune>"),
                        "<allocation mode=\"immediate\"/><access mode='shared'/></memoryBacking>",
                        "<cell memAccess='shared' id=\"0\"",
                        "<cell memAccess='shared' id=\"1\""),
                of(
                        "hugepages without memfd, as an annotation of KubeVirt allows",
                        Vmi.withFast().annotation("kubevirt.io/memfd", "false"),
                        usual().memoryBacking("<hugepages></hugepages>"),
                        "<hugepages></hugepages><access mode='shared'/></memoryBacking>"),
                of(
                        "NUMA cells of which one is shared already",
                        Vmi.withFast(),
                        usual().cpu("<numa>" + CELL.formatted(0, "0-1")
                                + "<cell id='1' cpus='2-3' memory='2097152' unit='KiB' memAccess='shared'>"
                                + "<distances><sibling id='0' value='21'/></distances></cell></numa>"),
                        "<cell memAccess='shared' id=\"0\"",
                        SHARED),
                of(
                        "memory that virtiofs shares already",
                        Vmi.withFast(),
                        usual().memoryBacking("<source type=\"memfd\"/><access mode=\"shared\"/>")
                                .device(
                                        "<filesystem type=\"mount\" accessmode=\"passthrough\"><driver type=\"virtiofs\"/>"
                                                + "<source socket=\"/fs.sock\"/><target dir=\"data\"/></filesystem>"),
                        FAST),
                of("an empty memory backing", Vmi.withFast(), usual().emptyMemoryBacking(), SHARED),
                of(
                        "memory to be plugged in later",
                        Vmi.withFast(),
                        usual().rest("<maxMemory slots=\"1\" unit=\"KiB\">8388608</maxMemory>")
                                .device("<memory model=\"virtio-mem\"><target><size unit=\"KiB\">4194304</size>"
                                        + "<node>0</node><block unit=\"KiB\">2048</block>"
                                        + "<requested unit=\"KiB\">0</requested></target>"
                                        + "<alias name=\"ua-virtiomem\"/></memory>"),
                        SHARED));
    }

    private static List<Scenario> documents() {
        return List.of(
                of(
                        "comments and processing instructions",
                        Vmi.withFast(),
                        usual().prolog(
                                        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- <devices/> of 𝄞 -->\n<?x <y>?>\n")
                                .device("<!-- <interface type='x'><alias name='ua-fast'/></interface> -->")),
                of(
                        "foreign namespaces and QEMU's command line",
                        Vmi.withFast(),
                        usual().rest(
                                        "<qemu:commandline><qemu:arg value=\"-device\"/><qemu:env name=\"A\" value=\"&lt;&amp;&#10;\"/>"
                                                + "</qemu:commandline>")
                                .device("<controller type=\"usb\" index=\"0\" model=\"none\"/>")),
                of(
                        "CDATA that looks like a domain",
                        Vmi.withFast(),
                        usual().rest(
                                        "<description><![CDATA[<devices><interface/></devices> & ]]]]><![CDATA[>]]></description>")),
                of(
                        "what other sidecars add",
                        Vmi.withFast(),
                        usual().rest(
                                        "<sysinfo type=\"smbios\"><baseBoard><entry name=\"manufacturer\">Radical Edward</entry>"
                                                + "</baseBoard></sysinfo>")
                                .rest("<keywrap><cipher name=\"aes\" state=\"off\"/></keywrap>")),
                of(
                        "a hostdev without mode, and many other devices",
                        Vmi.withFast(),
                        usual().device(
                                        "<hostdev type=\"pci\" managed=\"no\"><source><address domain=\"0x0000\" bus=\"0x81\""
                                                + " slot=\"0x11\" function=\"0x6\"/></source><alias name=\"ua-sriov-net\"/></hostdev>")
                                .device(
                                        "<serial type=\"unix\"><target port=\"0\"/><source mode=\"bind\" path=\"/s\"/></serial>")
                                .device("<graphics type=\"vnc\"><listen type=\"socket\" socket=\"/vnc\"/></graphics>")
                                .device("<tpm model=\"tpm-tis\"><backend type=\"emulator\" version=\"2.0\"/></tpm>")
                                .device(
                                        "<vsock model=\"virtio-non-transitional\"><cid auto=\"no\" address=\"3\"/></vsock>")
                                .device("<rng model=\"virtio\"><backend model=\"random\">/dev/urandom</backend></rng>")
                                .device("<memballoon model=\"none\"/>"),
                        "<hostdev type=\"pci\" managed=\"no\">"),
                of(
                        "dedicated CPUs",
                        Vmi.withFast()
                                .with(vmi -> vmi.withObject("/spec/domain/cpu").put("dedicatedCpuPlacement", true)),
                        usual().rest("<cputune><vcpupin vcpu=\"0\" cpuset=\"2\"/><emulatorpin cpuset=\"3\"/></cputune>")
                                .rest("<iothreads>1</iothreads>")),
                new Scenario("all in one line", Vmi.withFast(), usual().compact(), "", List.of(FAST, SHARED)),
                new Scenario(
                        "line breaks of Windows",
                        Vmi.withFast(),
                        usual().text().replace("\n", "\r\n"),
                        "",
                        List.of(FAST, SHARED)),
                new Scenario(
                        "no device at all",
                        Vmi.withFast(),
                        usual().text().replaceAll("(?s)<devices>.*</devices>", "<devices/>"),
                        "",
                        List.of(FAST, SHARED)),
                of(
                        "the target of a migration, whose launcher asks with a domain of its own making",
                        Vmi.withFast().multiqueue().cpu(4, 1, 1).migrating(),
                        usual().rest(
                                        "<cputune><vcpupin vcpu=\"0\" cpuset=\"7\"/><emulatorpin cpuset=\"8\"/></cputune>"),
                        FAST + "<model type='virtio-non-transitional'/><driver queues='4' rx_queue_size='1024'",
                        SHARED),
                new Scenario(
                        "a VM that was migrated, whose domain is the source's as libvirt tells it",
                        Vmi.withFast().multiqueue().cpu(4, 1, 1).migrated(),
                        usual().memoryBacking("\n    <source type='memfd'/>\n    <access mode='shared'/>\n  ")
                                .device(MIGRATED)
                                .device("<memballoon model='none'/>")
                                .rest("<seclabel type='none' model='none'/>")
                                .rest("<seclabel type='dynamic' model='dac' relabel='yes'>"
                                        + "<label>+107:+107</label><imagelabel>+107:+107</imagelabel></seclabel>")
                                .text(),
                        "{\"interfaces\":[{\"network\":\"fast\",\"mac\":\"02:00:00:00:00:0a\",\"mtu\":9000}]}",
                        List.of(
                                "<mac address='02:00:00:00:00:0a'/>" + FAST,
                                "<driver queues='4' rx_queue_size='1024' tx_queue_size='1024'/><mtu size='9000'/>",
                                "<address type='pci' domain='0x0000' bus='0x02' slot='0x00' function='0x0'/>")),
                fast(
                        "one that was unplugged beside one that was not",
                        Vmi.withFast().ours("gone", gone -> gone.put("state", "absent")),
                        FAST));
    }

    private static List<Scenario> networkInfos() {
        return List.of(
                new Scenario(
                        "what KubeVirt 1.9 knows of the network",
                        Vmi.withFast(),
                        usual().text(),
                        """
                        {"interfaces":[{"network":"default","mac":"02:00:00:00:00:01"},
                         {"network":"fast","mac":"02:00:00:00:00:0A","mtu":9000,"deviceInfo":{"type":"vhost-user",
                          "version":"1.1.0","vhost-user":{"mode":"server",
                          "path":"/var/run/kubevirt-hooks/ovs-dpdk/sockets/pod115dc3606fb.sock"}}}]}""",
                        List.of("<mac address='02:00:00:00:00:0a'/>" + FAST, "<mtu size='9000'/>")),
                new Scenario(
                        "what KubeVirt 1.4 knows of it",
                        new Vmi().ours("fast", fast -> fast.put("macAddress", "02:00:00:00:00:0b")),
                        usual().text(),
                        "{\"interfaces\":[{\"network\":\"fast\",\"deviceInfo\":{\"type\":\"vhost-user\",\"version\":"
                                + "\"1.1.0\",\"vhost-user\":{\"mode\":\"server\"}}}]}",
                        List.of("<mac address='02:00:00:00:00:0b'/>")),
                new Scenario(
                        "a smaller MTU than the network's",
                        Vmi.withFast().tuned("{\"fast\":{\"mtu\":1400}}"),
                        usual().text(),
                        "{\"interfaces\":[{\"network\":\"fast\",\"mtu\":9000}]}",
                        List.of("<mtu size='1400'/>")),
                new Scenario(
                        "a network that it doesn't know yet", Vmi.withFast(), usual().text(), "{}", List.of(FAST)));
    }

    @Override
    public String toString() {
        return name;
    }
}
