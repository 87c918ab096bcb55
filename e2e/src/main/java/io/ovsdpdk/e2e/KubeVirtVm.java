package io.ovsdpdk.e2e;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fabric8.kubernetes.api.model.Pod;
import io.ovsdpdk.agent.kubernetes.testbed.Pods;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.ovsdb.testbed.ChildProcess;
import java.io.Closeable;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;

/**
 * A VM as stock KubeVirt runs it on a {@link KubernetesNode}: a pod with the volume for hook sidecars, Multus' call of our
 * plugin, the binding as a sidecar, a libvirt of its own, and QEMU, in software. Its system has one interface and pings its
 * peer for ever. What KubeVirt itself does, the pod, the call and the domain, is done here.
 */
final class KubeVirtVm implements Closeable {
    /** What KubeVirt calls the interface of the network "fast" in the pod. */
    static final String IFNAME = "pod115dc3606fb";

    private static final String NETWORK_STATUS = "k8s.v1.cni.cncf.io/network-status";

    private static final Duration PATIENCE = Duration.ofSeconds(90);

    /**
     * Software emulation needs {@code vectors=0}: QEMU 7.2 crashes when a vhost-user interface has MSI-X there. It is also
     * what other sidecars may have added, and must stay.
     */
    private static final String DOMAIN = """
            <domain type="qemu" xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0">
              <name>%1$s</name>
              <memory unit="MiB">96</memory>
              <vcpu>1</vcpu>
              <os>
                <type arch="x86_64" machine="q35">hvm</type>
                <kernel>%2$s/vmlinuz</kernel>
                <initrd>%2$s/initrd.gz</initrd>
                <cmdline>console=ttyS0 quiet panic=-1 mitigations=off nokaslr tsc=reliable no_timer_check \
            cryptomgr.notests random.trust_cpu=on myip=%3$s peer=%4$s</cmdline>
              </os>
              <features><acpi/></features>
              <cpu mode="custom" match="exact" check="none"><model fallback="allow">qemu64</model></cpu>
              <devices>
                <emulator>/usr/bin/qemu-system-x86_64</emulator>
                <serial type="file"><source path="%5$s"/><target port="0"/></serial>
                <memballoon model="none"/>
              </devices>
              <qemu:override>
                <qemu:device alias="ua-fast">
                  <qemu:frontend><qemu:property name="vectors" type="unsigned" value="0"/></qemu:frontend>
                </qemu:device>
              </qemu:override>
            </domain>
            """;

    private static final String VMI = """
            {"apiVersion":"kubevirt.io/v1","kind":"VirtualMachineInstance",
             "metadata":{"namespace":"default","name":"%1$s"},
             "spec":{"architecture":"amd64",
              "domain":{"devices":{"interfaces":[
                {"name":"fast","binding":{"name":"ovs-dpdk"},"macAddress":"%2$s"}]}},
              "networks":[{"name":"fast","multus":{"networkName":"dpdk-net"}}]}}
            """;

    private final KubernetesNode cluster;
    private final String name;
    private final ObjectNode network;
    private final String mac;
    private final String container;
    private final Resources resources = new Resources();
    private final Pod pod;
    private final LauncherPod launcherPod;
    private final Path console;
    private String address = "";
    private String peer = "";
    private VirtLauncher launcher;
    private ChildProcess sidecar;
    private Libvirt libvirt;

    /**
     * @param network of its interface
     * @param mac its interface's
     */
    KubeVirtVm(KubernetesNode cluster, String name, ObjectNode network, String mac) throws IOException {
        this.cluster = cluster;
        this.name = name;
        this.network = network;
        this.mac = mac;
        this.container = cluster.node.newContainer();
        this.pod = cluster.schedule(launcher(name));
        this.launcherPod = LauncherPod.with(cluster.volume(pod, LauncherPod.VOLUME));
        resources.add(launcherPod);
        this.console = launcherPod.folder().resolve("console.log");
        LauncherPod.own(Files.createFile(console));
    }

    /** What the agent reads of the pod that KubeVirt makes of a VM. */
    private static Pod launcher(String name) {
        return Pods.pod(
                "virt-launcher-" + name,
                KubernetesNode.NAME,
                "\"securityContext\": {\"runAsUser\": %1$d, \"runAsGroup\": %1$d, \"fsGroup\": %1$d}, \"volumes\": [{\"name\": \"%2$s\", \"emptyDir\": {}}]"
                        .formatted(LauncherPod.USER, LauncherPod.VOLUME),
                "\"volumeMounts\": [{\"name\": \"%s\", \"mountPath\": \"%s\"}]"
                        .formatted(LauncherPod.VOLUME, LauncherPod.MOUNTED));
    }

    /** The address of its interface, and of the one that it pings. */
    KubeVirtVm pinging(String ownAddress, String peerAddress) {
        address = ownAddress;
        peer = peerAddress;
        return this;
    }

    /** Kernel and files of the VMs' system, made by {@code toolchain/guest} if need be. */
    static Path system() throws IOException {
        return Path.of(Command.run(Jars.repository().resolve("toolchain/guest").toString()));
    }

    String container() {
        return container;
    }

    /** Multus calls the plugin for the pod; returns its result. */
    ObjectNode attach() throws IOException {
        PluginCall.Outcome add = call("ADD");
        if (!add.succeeded()) {
            throw new IOException("ADD failed: " + add);
        }
        return add.json();
    }

    private PluginCall.Outcome call(String command) throws IOException {
        return cluster.node
                .call(command, container, IFNAME, network)
                .with("CNI_ARGS", KubernetesNode.arguments(pod) + ";MAC=" + mac)
                .run();
    }

    /**
     * virt-launcher asks the sidecar and defines the domain; returns it.
     *
     * @param system its kernel and its files, as {@link #system} has them
     */
    byte[] define(Path system) throws IOException {
        for (String file : List.of("vmlinuz", "initrd.gz")) {
            Files.copy(system.resolve(file), launcherPod.folder().resolve(file));
        }
        launcherPod.tell(networkInfo());
        sidecar = launcherPod.startSidecar("hook-sidecar-0", Map.of());
        launcher = VirtLauncher.collect(launcherPod.volume(), VirtLauncher.Release.V1_6, 1, PATIENCE);
        byte[] domain = launcher.onDefineDomain(
                DOMAIN.formatted(name, launcherPod.folder(), address, peer, console)
                        .getBytes(StandardCharsets.UTF_8),
                VMI.formatted(name, mac).getBytes(StandardCharsets.UTF_8));
        libvirt = Libvirt.start(launcherPod.folder().resolve("libvirt"), launcherPod.volume());
        resources.add(libvirt);
        libvirt.define(domain);
        return domain;
    }

    /** What KubeVirt makes of the pod's {@code network-status} when that has our interface's device information. */
    private String networkInfo() throws IOException {
        Deadline deadline = Deadline.after(PATIENCE);
        while (true) {
            for (JsonNode entry : cluster.annotation(pod, NETWORK_STATUS)) {
                if (IFNAME.equals(entry.path("interface").asText()) && entry.has("device-info")) {
                    ObjectNode info = Json.object();
                    info.withArray("interfaces")
                            .addObject()
                            .put("network", "fast")
                            .put("mac", entry.path("mac").asText())
                            .set("deviceInfo", entry.get("device-info"));
                    return info.toString();
                }
            }
            if (deadline.passed()) {
                throw new IOException("the agent does not tell the pod of " + name + " where its socket is");
            }
            LockSupport.parkNanos(20_000_000);
        }
    }

    /** Starts it; returns when the switch has connected. */
    void start() throws IOException {
        libvirt.startDomain(name);
    }

    /** How much it has said on its console so far, in chars. */
    int said() throws IOException {
        return Files.readString(console).length();
    }

    /** Waits until it says that a ping was answered, or was lost, after it had said so much. */
    void awaitPing(int after, boolean answered) throws IOException {
        String expected = answered ? " ok" : " lost";
        Deadline deadline = Deadline.after(PATIENCE);
        while (Files.readString(console)
                .substring(after)
                .lines()
                .noneMatch(line -> line.matches("PING \\d+" + expected))) {
            if (deadline.passed()) {
                throw new IOException(name + " says of no ping that it is" + expected + ":\n"
                        + Files.readString(console) + libvirt.virsh("dominfo", name));
            }
            LockSupport.parkNanos(20_000_000);
        }
    }

    /** Its first line of all: the interface. */
    String up() throws IOException {
        return Files.readString(console)
                .lines()
                .filter(line -> line.startsWith("UP "))
                .findFirst()
                .orElse("");
    }

    /** The number that libvirt gave to its running QEMU, which a restart would change. */
    String id() throws IOException {
        return libvirt.virsh("domid", name).strip();
    }

    /** Ends the VM, tells the sidecar, and has Multus call the plugin; returns the sidecar's exit status. */
    int end() throws IOException {
        libvirt.destroyDomain(name);
        launcher.shutdown();
        if (!sidecar.awaitExit(PATIENCE)) {
            throw new IOException("the sidecar does not end: " + sidecar.output());
        }
        return sidecar.onExit().join().exitValue();
    }

    /** Multus calls the plugin when the VM has ended. */
    void detach() throws IOException {
        PluginCall.Outcome del = call("DEL");
        if (!del.succeeded()) {
            throw new IOException("DEL failed: " + del);
        }
    }

    /** The pod's containers are gone; kubelet removes the volume and the pod, which no mount of ours may hinder. */
    void remove() throws IOException {
        resources.close();
        cluster.remove(pod);
    }

    @Override
    public void close() throws IOException {
        resources.close();
    }
}
