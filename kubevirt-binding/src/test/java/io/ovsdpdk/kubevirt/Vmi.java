package io.ovsdpdk.kubevirt;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.util.function.Consumer;

/** A VirtualMachineInstance to be put together, as the API server would have it. */
final class Vmi {
    private final ObjectNode json = JsonNodeFactory.instance.objectNode();

    /** One without any interface. */
    Vmi() {
        json.put("apiVersion", "kubevirt.io/v1").put("kind", "VirtualMachineInstance");
        json.putObject("metadata").put("namespace", "default").put("name", "vm");
        ObjectNode spec = json.putObject("spec").put("architecture", "amd64");
        spec.putObject("domain").putObject("devices").putArray("interfaces");
        spec.putArray("networks");
        json.putObject("status").put("phase", "Scheduled").put("nodeName", "node-a");
    }

    /** One with KubeVirt's usual first interface and one of ours, named {@code fast}. */
    static Vmi withFast() {
        return new Vmi().masquerade().ours("fast");
    }

    Vmi masquerade() {
        devices().withArray("interfaces").addObject().put("name", "default").putObject("masquerade");
        spec().withArray("networks").addObject().put("name", "default").putObject("pod");
        return this;
    }

    Vmi ours(String name) {
        return ours(name, settings -> {});
    }

    Vmi ours(String name, Consumer<ObjectNode> settings) {
        return bound(name, "ovs-dpdk", settings);
    }

    Vmi bound(String name, String binding, Consumer<ObjectNode> settings) {
        settings.accept(unnetworked(name, binding));
        spec().withArray("networks")
                .addObject()
                .put("name", name)
                .putObject("multus")
                .put("networkName", "dpdk-net");
        return this;
    }

    /** An interface whose network is still missing. */
    ObjectNode unnetworked(String name, String binding) {
        ObjectNode added = devices().withArray("interfaces").addObject().put("name", name);
        added.putObject("binding").put("name", binding);
        return added;
    }

    Vmi annotation(String key, String value) {
        json.withObject("/metadata/annotations").put(key, value);
        return this;
    }

    /** The annotation of the binding. */
    Vmi tuned(String value) {
        return annotation(InterfaceTuning.ANNOTATION, value);
    }

    Vmi cpu(int cores, int sockets, int threads) {
        domain().putObject("cpu").put("cores", cores).put("sockets", sockets).put("threads", threads);
        return this;
    }

    Vmi multiqueue() {
        devices().put("networkInterfaceMultiqueue", true);
        return this;
    }

    /** As it is when the launcher on the target prepares itself: the source still has it. */
    Vmi migrating() {
        json.withObject("/metadata/labels")
                .put("kubevirt.io/nodeName", "node-a")
                .put("kubevirt.io/migrationTargetNodeName", "node-b");
        ObjectNode status = json.withObject("/status")
                .put("phase", "Running")
                .put("nodeName", "node-a")
                .put("migrationMethod", "LiveMigration")
                .put("migrationTransport", "Unix");
        status.putArray("interfaces")
                .addObject()
                .put("name", "fast")
                .put("mac", "02:00:00:00:00:0a")
                .put("podInterfaceName", PodInterfaceName.ofSecondary("fast"))
                .put("queueCount", 4)
                .put("infoSource", "domain, multus-status");
        status.withObject("/migrationState")
                .put("migrationUid", "c6a8b0a6-0b52-4a0e-9f39-9f5a6f7f2f6e")
                .put("sourceNode", "node-a")
                .put("sourcePod", "virt-launcher-vm-aaaaa")
                .put("targetNode", "node-b")
                .put("targetPod", "virt-launcher-vm-bbbbb")
                .put("targetNodeAddress", "10.244.1.2")
                .withArray("targetCPUSet")
                .add(7)
                .add(8);
        return this;
    }

    /** As it is afterwards. */
    Vmi migrated() {
        migrating();
        json.withObject("/metadata/labels")
                .put("kubevirt.io/nodeName", "node-b")
                .remove("kubevirt.io/migrationTargetNodeName");
        json.withObject("/status").put("nodeName", "node-b");
        json.withObject("/status/migrationState")
                .put("startTimestamp", "2026-01-02T03:04:05Z")
                .put("endTimestamp", "2026-01-02T03:04:09Z")
                .put("mode", "PreCopy")
                .put("targetNodeDomainDetected", true)
                .put("completed", true);
        return this;
    }

    /** What is not worth a method of its own. */
    Vmi with(Consumer<ObjectNode> change) {
        change.accept(json);
        return this;
    }

    ObjectNode spec() {
        return json.withObject("/spec");
    }

    ObjectNode domain() {
        return json.withObject("/spec/domain");
    }

    ObjectNode devices() {
        return json.withObject("/spec/domain/devices");
    }

    byte[] json() {
        return json.toString().getBytes(StandardCharsets.UTF_8);
    }
}
