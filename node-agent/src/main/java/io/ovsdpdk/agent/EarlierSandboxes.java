package io.ovsdpdk.agent;

import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.PodIdentity;
import io.ovsdpdk.ovsdb.Deadline;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What sandboxes before it left of a pod that gets a new one. A pod has one sandbox at a time, so they are dead, though
 * their DELs may be late, lost, or still going on in the background. What stands in the way of the new one is taken down
 * first: its sockets may lie in the same folder. A DEL that comes afterwards finds nothing of its own any more.
 *
 * <p>Whose an attachment is must be sure: nobody's word alone takes away what another has.
 */
final class EarlierSandboxes {
    private static final Logger LOG = LoggerFactory.getLogger(EarlierSandboxes.class);

    private final KnownAttachments known;
    private final AttachmentPlans plans;
    private final Ports ports;
    private final Announcements announcements;
    private final Removals removals;

    EarlierSandboxes(
            KnownAttachments known,
            AttachmentPlans plans,
            Ports ports,
            Announcements announcements,
            Removals removals) {
        this.known = known;
        this.plans = plans;
        this.ports = ports;
        this.announcements = announcements;
        this.removals = removals;
    }

    /** Whether anything is to be taken down before the attachment is made. */
    boolean areInTheWayOf(AttachmentPlans.Plan plan) {
        return !inTheWayOf(plan).isEmpty();
    }

    /**
     * Takes down what is in the way of an attachment that is not known yet. The caller holds its lock; whoever works on
     * what is in the way never waits for that one, being known already.
     *
     * @throws CniException {@link ErrorCode#TRY_AGAIN} when it is not gone by the deadline; that goes on. Likewise when the
     *     attachment's own sandbox is the earlier one
     */
    void takeDown(AttachmentPlans.Plan plan, Deadline deadline) throws CniException, InterruptedException {
        Map<AttachmentId, Future<?>> begun = new LinkedHashMap<>();
        Set<AttachmentId> inTheWay = inTheWayOf(plan);
        refuseLate(plan.attachment(), inTheWay);
        for (AttachmentId id : inTheWay) {
            LOG.info(
                    "taking down what a sandbox before left: {} ifname={} container={}",
                    plan.attachment(),
                    id.ifname(),
                    id.containerId());
            begun.put(id, removals.begin(id));
        }
        for (Map.Entry<AttachmentId, Future<?>> removal : begun.entrySet()) {
            removals.await(removal.getKey(), removal.getValue(), deadline);
        }
        for (AttachmentId left : inTheWayOf(plan)) {
            if (begun.containsKey(left)) {
                throw new CniException(
                        ErrorCode.TRY_AGAIN,
                        "pod " + plan.attachment().pod() + " had another sandbox before, whose interface "
                                + left.ifname() + " is not removed yet: container " + left.containerId(),
                        "try again: its removal goes on");
            }
        }
    }

    /** An ADD that was held up until its sandbox was deleted, or was replaced by another, is nobody's any more. */
    private void refuseLate(Attachment wanted, Set<AttachmentId> inTheWay) throws CniException {
        String container = wanted.id().containerId();
        for (AttachmentId other : inTheWay) {
            if (removals.endedBefore(container, other)) {
                throw new CniException(
                        ErrorCode.TRY_AGAIN,
                        "container " + container + " was deleted, and pod " + wanted.pod()
                                + " has had another sandbox since: container " + other.containerId(),
                        "the ADD comes too late");
            }
        }
    }

    private Set<AttachmentId> inTheWayOf(AttachmentPlans.Plan plan) {
        Attachment wanted = plan.attachment();
        PodIdentity pod = wanted.pod();
        if (!plan.podIsSure() || pod.uid().isEmpty()) {
            return Set.of();
        }
        Stream<AttachmentId> made = Stream.concat(
                        known.all().stream(),
                        // Whose checkpoint is lost
                        ports.ofPod(pod.uid()).stream().flatMap(port -> plans.of(port).stream()))
                .filter(other -> other.pod().equals(pod))
                .filter(other -> hasIfnameOf(other.id(), wanted) || other.isEntangledWith(wanted))
                .map(Attachment::id);
        Stream<AttachmentId> announced = announcements.of(pod).stream().filter(id -> hasIfnameOf(id, wanted));
        return Stream.concat(made, announced)
                .filter(id -> !id.containerId().equals(wanted.id().containerId()))
                .collect(Collectors.toSet());
    }

    private static boolean hasIfnameOf(AttachmentId id, Attachment wanted) {
        return id.ifname().equals(wanted.id().ifname());
    }
}
