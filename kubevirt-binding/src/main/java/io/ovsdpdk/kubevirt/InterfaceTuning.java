package io.ovsdpdk.kubevirt;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Iterator;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;

/**
 * What a VM's author sets of an interface by the VMI's annotation {@value #ANNOTATION}: a JSON object with an object for
 * each interface that is to be another than usual, for example {@code {"fast":{"queues":4,"rxQueueSize":512}}}.
 *
 * @param queues pairs of queues, 1 to {@value VhostUserInterface#MAX_QUEUES}
 * @param rxQueueSize descriptors: 256, 512 or 1024
 * @param txQueueSize descriptors: 256, 512 or 1024
 * @param mtu bytes, {@value VhostUserInterface#MIN_MTU} to {@value VhostUserInterface#MAX_MTU}
 */
record InterfaceTuning(OptionalInt queues, OptionalInt rxQueueSize, OptionalInt txQueueSize, OptionalInt mtu) {
    static final String ANNOTATION = "ovs-dpdk.io/interfaces";

    private static final Set<String> MEMBERS = Set.of("queues", "rxQueueSize", "txQueueSize", "mtu");

    /** What QEMU takes. */
    private static final Set<Integer> QUEUE_SIZES = Set.of(256, 512, 1024);

    /**
     * The annotation of a VM. What it says of an interface of another binding plugin is passed over.
     *
     * @param ours the names of the interfaces that it may speak of
     * @throws RefusedException when it says anything that is not known or not possible
     */
    static ObjectNode read(VirtualMachine vm, List<String> ours) throws RefusedException {
        ObjectNode all = JsonDocument.readObject(
                "annotation " + ANNOTATION, vm.annotation(ANNOTATION).orElse("{}"));
        for (Iterator<String> names = all.fieldNames(); names.hasNext(); ) {
            String name = names.next();
            if (!ours.contains(name) && vm.isBound(name)) {
                // Of another registration of ours, whose own sidecar reads it
                continue;
            }
            if (!ours.contains(name)) {
                throw new RefusedException("annotation " + ANNOTATION + " speaks of interface " + Quoted.of(name)
                        + "; those of this binding are " + ours);
            }
            of(all, name);
        }
        return all;
    }

    /** What an annotation says of an interface. */
    static InterfaceTuning of(ObjectNode annotation, String name) throws RefusedException {
        JsonNode tuning = annotation.path(name);
        try {
            if (!tuning.isMissingNode() && !tuning.isObject()) {
                throw new RefusedException("it must be an object: " + Quoted.of(tuning.toString()));
            }
            refuseUnknown(tuning);
            return new InterfaceTuning(
                    JsonDocument.integer(tuning, "queues", 1, VhostUserInterface.MAX_QUEUES),
                    queueSize(tuning, "rxQueueSize"),
                    queueSize(tuning, "txQueueSize"),
                    JsonDocument.integer(tuning, "mtu", VhostUserInterface.MIN_MTU, VhostUserInterface.MAX_MTU));
        } catch (RefusedException e) {
            throw new RefusedException(
                    "annotation " + ANNOTATION + ", interface " + Quoted.of(name) + ": " + e.getMessage(), e);
        }
    }

    private static void refuseUnknown(JsonNode tuning) throws RefusedException {
        for (Iterator<String> members = tuning.fieldNames(); members.hasNext(); ) {
            String member = members.next();
            if (!MEMBERS.contains(member)) {
                throw new RefusedException(
                        "unknown key " + Quoted.of(member) + "; known are queues, rxQueueSize, txQueueSize and mtu");
            }
        }
    }

    private static OptionalInt queueSize(JsonNode tuning, String member) throws RefusedException {
        OptionalInt size = JsonDocument.integer(tuning, member, 1, Integer.MAX_VALUE);
        if (size.isPresent() && !QUEUE_SIZES.contains(size.getAsInt())) {
            throw new RefusedException(member + " must be 256, 512 or 1024: " + size.getAsInt());
        }
        return size;
    }
}
