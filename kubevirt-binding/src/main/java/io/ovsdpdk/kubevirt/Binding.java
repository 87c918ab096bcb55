package io.ovsdpdk.kubevirt;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * What the binding does: gives a domain the vhost-user interfaces that its VMI asks for.
 *
 * @param name under which the plugin is registered in the KubeVirt CR: interfaces with this binding are ours
 * @param hooksFolder the pod's volume {@code hook-sidecar-sockets} as the compute container sees it
 * @param networkInfo the file that KubeVirt writes for bindings with {@code downwardAPI: device-info}
 */
record Binding(String name, Path hooksFolder, Path networkInfo) {
    static final String DEFAULT_NAME = "ovs-dpdk";
    static final Path DEFAULT_HOOKS_FOLDER = Path.of("/var/run/kubevirt-hooks");
    static final Path DEFAULT_NETWORK_INFO = Path.of("/etc/podinfo/network-info");

    /** Where the agent makes the folder for sockets in that volume: its part of the agreement stands there. */
    static final Path SOCKETS = Path.of("ovs-dpdk", "sockets");

    /** From KubeVirt 1.9 on a sidecar is told its binding's name. */
    private static final String NAME_VARIABLE = "NETWORK_BINDING_PLUGIN_NAME";

    /** What libvirt allows in an alias. */
    private static final Pattern INTERFACE_NAME = Pattern.compile("[A-Za-z0-9_-]+");

    /** The binding's name where the environment has one, else the usual one. */
    static String nameIn(Map<String, String> environment) {
        String name = environment.getOrDefault(NAME_VARIABLE, "");
        return name.isEmpty() ? DEFAULT_NAME : name;
    }

    /**
     * The domain with our interfaces and with memory that the switch can share. Applied to its own result it changes
     * nothing.
     *
     * @param vmi the VirtualMachineInstance as JSON
     * @param domain libvirt's domain XML
     * @throws RefusedException when the VM could not start, or would have an interface that passes nothing
     */
    byte[] define(byte[] vmi, byte[] domain) throws RefusedException {
        VirtualMachine vm = VirtualMachine.read(vmi);
        List<JsonNode> ours = vm.interfaces(name);
        if (ours.isEmpty()) {
            throw new RefusedException("VM " + vm.name() + " has no interface with binding " + Quoted.of(name)
                    + "; its bindings are " + vm.bindings()
                    + ". Before KubeVirt 1.9 this plugin must be registered as " + Quoted.of(DEFAULT_NAME));
        }
        List<VhostUserInterface> present = new ArrayList<>();
        Set<String> absent = new LinkedHashSet<>();
        NetworkInfo info = NetworkInfo.read(networkInfo).orElseGet(NetworkInfo::none);
        ObjectNode tuning = InterfaceTuning.read(vm, names(ours));
        for (JsonNode candidate : ours) {
            String interfaceName = nameOf(candidate);
            if (JsonDocument.text(candidate, "state").equals("absent")) {
                absent.add(VhostUserInterface.alias(interfaceName));
            } else {
                present.add(plan(vm, candidate, interfaceName, info, InterfaceTuning.of(tuning, interfaceName)));
            }
        }
        if (vm.confidential() && !present.isEmpty()) {
            throw new RefusedException("VM " + vm.name() + " has spec.domain.launchSecurity: the switch can't read"
                    + " encrypted memory, and interface "
                    + Quoted.of(present.getFirst().name())
                    + " would pass nothing. Take out one of the two");
        }
        return DomainXml.read(domain).with(present, absent);
    }

    /**
     * The networks of our interfaces that KubeVirt will tell of, since the file is there, and has not told of yet. A VM
     * that {@link #define} refuses has none.
     */
    List<String> untold(byte[] vmi) {
        try {
            Optional<NetworkInfo> info = NetworkInfo.read(networkInfo);
            if (info.isEmpty()) {
                return List.of();
            }
            List<String> untold = new ArrayList<>();
            for (JsonNode candidate : VirtualMachine.read(vmi).interfaces(name)) {
                String network = nameOf(candidate);
                if (!JsonDocument.text(candidate, "state").equals("absent")
                        && !info.get().tellsOf(network)) {
                    untold.add(network);
                }
            }
            return untold;
        } catch (RefusedException e) {
            return List.of();
        }
    }

    private static List<String> names(List<JsonNode> interfaces) throws RefusedException {
        List<String> names = new ArrayList<>();
        for (JsonNode candidate : interfaces) {
            String name = nameOf(candidate);
            if (names.contains(name)) {
                throw new RefusedException("the VMI has two interfaces " + Quoted.of(name));
            }
            names.add(name);
        }
        return names;
    }

    private static String nameOf(JsonNode candidate) throws RefusedException {
        String name = JsonDocument.text(candidate, "name");
        if (!INTERFACE_NAME.matcher(name).matches()) {
            throw new RefusedException(
                    "interface " + Quoted.of(name) + " needs a name of letters, digits, hyphens and underscores");
        }
        return name;
    }

    private VhostUserInterface plan(
            VirtualMachine vm, JsonNode wanted, String name, NetworkInfo info, InterfaceTuning tuning)
            throws RefusedException {
        String socket = socket(vm.podInterface(name));
        try {
            refuseOtherSocket(socket, info.socket(name));
            return new VhostUserInterface(
                    name,
                    socket,
                    VirtioModel.of(JsonDocument.text(wanted, "model"), vm.usualModel()),
                    mac(wanted, info.mac(name)),
                    mtu(info.mtu(name), tuning.mtu()),
                    queues(vm, tuning),
                    tuning.rxQueueSize().orElse(VhostUserInterface.DEFAULT_QUEUE_SIZE),
                    tuning.txQueueSize().orElse(VhostUserInterface.DEFAULT_QUEUE_SIZE),
                    pci(wanted),
                    acpiIndex(wanted),
                    JsonDocument.integer(wanted, "bootOrder", 1, Integer.MAX_VALUE),
                    JsonDocument.text(wanted, "state").equals("down"),
                    vm.hasOptionRoms());
        } catch (RefusedException e) {
            throw new RefusedException("interface " + Quoted.of(name) + ": " + e.getMessage(), e);
        }
    }

    private String socket(String podInterface) throws RefusedException {
        String path =
                hooksFolder.resolve(SOCKETS).resolve(podInterface + ".sock").toString();
        int bytes = path.getBytes(StandardCharsets.UTF_8).length;
        if (bytes > VhostUserInterface.MAX_SOCKET_PATH) {
            throw new RefusedException("socket path " + path + " has " + bytes + " bytes; a unix socket's may have "
                    + VhostUserInterface.MAX_SOCKET_PATH);
        }
        return path;
    }

    private static void refuseOtherSocket(String computed, Optional<String> told) throws RefusedException {
        if (told.isPresent() && !told.get().equals(computed)) {
            throw new RefusedException("the switch connects to " + Quoted.of(told.get()) + ", but this VM listens on "
                    + computed + ": take sharedDir and socketVolume out of the NetworkAttachmentDefinition");
        }
    }

    private static Optional<MacAddress> mac(JsonNode wanted, Optional<MacAddress> told) throws RefusedException {
        String mac = JsonDocument.text(wanted, "macAddress");
        return told.isPresent() || mac.isEmpty() ? told : Optional.of(MacAddress.of(mac));
    }

    private static OptionalInt mtu(OptionalInt network, OptionalInt wanted) throws RefusedException {
        if (network.isPresent() && wanted.isPresent() && wanted.getAsInt() > network.getAsInt()) {
            throw new RefusedException("mtu " + wanted.getAsInt() + " of the annotation " + InterfaceTuning.ANNOTATION
                    + " is more than the network's, " + network.getAsInt());
        }
        return wanted.isPresent() ? wanted : network;
    }

    private static OptionalInt queues(VirtualMachine vm, InterfaceTuning tuning) throws RefusedException {
        if (tuning.queues().isPresent() || !vm.multiqueue()) {
            return tuning.queues();
        }
        return OptionalInt.of((int) Math.min(vm.virtualCpus(), VhostUserInterface.MAX_QUEUES));
    }

    private static Optional<PciAddress> pci(JsonNode wanted) throws RefusedException {
        String address = JsonDocument.text(wanted, "pciAddress");
        return address.isEmpty() ? Optional.empty() : Optional.of(PciAddress.of(address));
    }

    /** KubeVirt takes 0 for none. */
    private static OptionalInt acpiIndex(JsonNode wanted) throws RefusedException {
        OptionalInt index = JsonDocument.integer(wanted, "acpiIndex", 0, VhostUserInterface.MAX_ACPI_INDEX);
        return index.orElse(0) == 0 ? OptionalInt.empty() : index;
    }
}
