package io.ovsdpdk.kubevirt;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A VirtualMachineInstance as far as the binding reads it. Only what concerns our interfaces is checked. */
final class VirtualMachine {
    private static final Pattern CPU_QUANTITY = Pattern.compile("(\\d{1,9}(?:\\.\\d{1,9})?)(m?)");

    private final JsonNode metadata;
    private final JsonNode spec;

    private VirtualMachine(JsonNode metadata, JsonNode spec) {
        this.metadata = metadata;
        this.spec = spec;
    }

    /**
     * @param json the object as the API server has it
     * @throws RefusedException when it is none
     */
    static VirtualMachine read(byte[] json) throws RefusedException {
        ObjectNode vmi = JsonDocument.readMembers("VMI", json, Set.of("metadata", "spec"));
        if (!vmi.path("spec").path("domain").isObject()) {
            throw new RefusedException("the VMI has no spec.domain");
        }
        return new VirtualMachine(vmi.path("metadata"), vmi.path("spec"));
    }

    /** {@code namespace/name}. */
    String name() throws RefusedException {
        return JsonDocument.text(metadata, "namespace") + "/" + JsonDocument.text(metadata, "name");
    }

    /** The value of an annotation. */
    Optional<String> annotation(String key) throws RefusedException {
        JsonNode annotations = metadata.path("annotations");
        return annotations.has(key) ? Optional.of(JsonDocument.text(annotations, key)) : Optional.empty();
    }

    /** The interfaces with a binding plugin of this name, in the VMI's order. */
    List<JsonNode> interfaces(String binding) {
        List<JsonNode> ours = new ArrayList<>();
        for (JsonNode candidate : devices().path("interfaces")) {
            if (bindingOf(candidate).equals(Optional.of(binding))) {
                ours.add(candidate);
            }
        }
        return ours;
    }

    /** The names of the binding plugins of all interfaces, each once. */
    List<String> bindings() {
        List<String> names = new ArrayList<>();
        for (JsonNode candidate : devices().path("interfaces")) {
            bindingOf(candidate).filter(name -> !names.contains(name)).ifPresent(names::add);
        }
        return names;
    }

    /** Whether an interface of this name has a binding plugin, whichever. */
    boolean isBound(String interfaceName) {
        for (JsonNode candidate : devices().path("interfaces")) {
            if (bindingOf(candidate).isPresent()
                    && interfaceName.equals(candidate.path("name").textValue())) {
                return true;
            }
        }
        return false;
    }

    private static Optional<String> bindingOf(JsonNode candidate) {
        return Optional.ofNullable(candidate.path("binding").path("name").textValue());
    }

    /**
     * What the pod calls the interface of a network.
     *
     * @param network its name, which is also the VM's interface's
     * @throws RefusedException when there is no such network, or Multus doesn't attach it
     */
    String podInterface(String network) throws RefusedException {
        for (JsonNode candidate : spec.path("networks")) {
            if (network.equals(candidate.path("name").textValue())) {
                JsonNode multus = candidate.path("multus");
                if (!multus.isObject()) {
                    throw new RefusedException("network " + Quoted.of(network)
                            + " is not one of Multus: give it multus.networkName, a NetworkAttachmentDefinition"
                            + " of type ovs-dpdk");
                }
                return JsonDocument.flag(multus, "default")
                        ? PodInterfaceName.PRIMARY
                        : PodInterfaceName.ofSecondary(network);
            }
        }
        throw new RefusedException(
                "interface " + Quoted.of(network) + " has no network of its name in the VMI's spec.networks");
    }

    /** Whether its memory is encrypted or withheld from the host: by SEV, SNP, TDX or s390x's secure execution. */
    boolean confidential() {
        return spec.path("domain").hasNonNull("launchSecurity");
    }

    /** What KubeVirt makes of the model {@code virtio} for this VM. */
    VirtioModel usualModel() throws RefusedException {
        if (mainframe()) {
            return VirtioModel.VIRTIO;
        }
        return JsonDocument.flag(devices(), "useVirtioTransitional")
                ? VirtioModel.TRANSITIONAL
                : VirtioModel.NON_TRANSITIONAL;
    }

    /** Whether its devices can have an option ROM that may be switched off. */
    boolean hasOptionRoms() throws RefusedException {
        return !mainframe();
    }

    private boolean mainframe() throws RefusedException {
        return JsonDocument.text(spec, "architecture").equals("s390x");
    }

    /** Whether each interface is to have a queue for each virtual CPU. */
    boolean multiqueue() throws RefusedException {
        return JsonDocument.flag(devices(), "networkInterfaceMultiqueue");
    }

    /**
     * Virtual CPUs at start, as KubeVirt counts them: cores by sockets by threads; the CPU limit or request where the VMI
     * has no topology.
     */
    long virtualCpus() throws RefusedException {
        JsonNode cpu = spec.path("domain").path("cpu");
        long product = 1;
        boolean topology = false;
        for (String factor : List.of("cores", "sockets", "threads")) {
            int count = JsonDocument.integer(cpu, factor, 0, Short.MAX_VALUE).orElse(0);
            topology |= count > 0;
            product *= Math.max(1, count);
        }
        return topology ? product : Math.max(1, cpuResource());
    }

    private long cpuResource() throws RefusedException {
        JsonNode resources = spec.path("domain").path("resources");
        for (String kind : List.of("limits", "requests")) {
            JsonNode quantity = resources.path(kind).path("cpu");
            if (!quantity.isMissingNode() && !quantity.isNull()) {
                return wholeCpus(quantity.asText());
            }
        }
        return 1;
    }

    /** A Kubernetes quantity rounded up, such as 4, 2.5 or 500m. */
    private static long wholeCpus(String quantity) throws RefusedException {
        Matcher parts = CPU_QUANTITY.matcher(quantity);
        if (!parts.matches()) {
            throw new RefusedException(
                    "can't count the CPUs of " + Quoted.of(quantity) + ": set spec.domain.cpu.cores of the VM");
        }
        BigDecimal number = new BigDecimal(parts.group(1));
        return (parts.group(2).isEmpty() ? number : number.movePointLeft(3))
                .setScale(0, RoundingMode.CEILING)
                .longValueExact();
    }

    private JsonNode devices() {
        return spec.path("domain").path("devices");
    }
}
