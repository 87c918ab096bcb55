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
