package io.ovsdpdk.agent;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fabric8.kubernetes.api.model.Pod;
import io.ovsdpdk.agent.host.KeyedLocks;
import io.ovsdpdk.agent.host.SocketFolders;
import io.ovsdpdk.agent.kubernetes.NodePods;
import io.ovsdpdk.agent.kubernetes.PodInterface;
import io.ovsdpdk.api.Attached;
import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.AttachmentRequest;
import io.ovsdpdk.api.AttachmentView;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.NetworkConfiguration;
import io.ovsdpdk.api.PodIdentity;
import io.ovsdpdk.api.Quoted;
import io.ovsdpdk.ovsdb.Deadline;
import io.ovsdpdk.ovsdb.OvsdbException;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Future;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes, checks and removes attachments.
 *
 * <p>Locks, in the order in which they are taken: one for each attachment, held during everything that is done to it,
 * and given in the order in which it was asked for; one for each container's folder, held while it is made or removed
 * (see {@link AttachmentFolders}); {@code admission}, held for the moment in which an attachment is compared with all
 * others and takes its place among them.
 *
 * <p>An attachment is known, and has its checkpoint, before anything is made for it and until everything is gone, so
 * what a killed agent began is known to the next one. What could not be taken down at once, because the switch was away
 * for instance, is taken down in the background (see {@link Removals}).
 */
final class Attachments implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Attachments.class);

    /** For all deletions of a GC together: ovs-vswitchd takes 20 ms for each port, and the plugin waits for a minute. */
    private static final Duration COLLECTION_TIMEOUT = Duration.ofSeconds(45);

    /** For a switch that is away when the agent starts. */
    private static final Duration SWEEP_TIMEOUT = Duration.ofDays(1);

    private final Ports ports;
    private final Checkpoints checkpoints;
    private final KnownAttachments known;
    private final AttachmentPlans plans;
    private final AttachmentFolders folders;
    private final Announcements announcements;
    private final Removals removals;
    private final EarlierSandboxes earlierSandboxes;

    /** Why attachments are not as they were promised and can't be made so. */
    private final Map<AttachmentId, String> conditions = new ConcurrentHashMap<>();

    private final KeyedLocks<AttachmentId> locks = new KeyedLocks<>();
    private final ReentrantLock admission = new ReentrantLock();

    /** Started at most, by the thread that resumes; the one that closes is the same. */
    private Thread sweeper = Thread.ofVirtual().unstarted(() -> {});

    /** @param nanoTime a clock like {@link System#nanoTime} */
    Attachments(
            Ports ports, SocketFolders folders, SocketPlaces places, Checkpoints checkpoints, LongSupplier nanoTime) {
        this.ports = ports;
        this.checkpoints = checkpoints;
        this.known = new KnownAttachments(checkpoints);
        this.plans = new AttachmentPlans(places, folders);
        this.folders = new AttachmentFolders(folders, known);
        this.announcements = new Announcements(nanoTime);
        this.removals = new Removals(known, locks, plans, ports, this.folders, announcements, gone -> {
            conditions.remove(gone.id());
            places.cluster().detached(gone.pod(), gone.toPodInterface());
        });
        this.earlierSandboxes = new EarlierSandboxes(known, plans, ports, announcements, removals);
    }

    /**
     * Takes over what the agent before this one left: remembers what was made, and takes down what was not finished.
     * Called once, before anything else.
     *
     * @throws IOException when the checkpoints can't be read
     */
    void resume() throws IOException {
        for (Attachment attachment : checkpoints.readAll()) {
            if (folders.adopt(attachment)) {
                known.enterAsWritten(attachment);
            } else {
                // Its port tells enough to take it down
                checkpoints.putAside(attachment, "it was made with another --run-dir");
            }
        }
        // Only when all are known is it known who is the last one in a folder
        for (Attachment attachment : known.all()) {
            if (attachment.state() != Attachment.State.MADE) {
                removals.resume(attachment);
            }
        }
        if (ports.areKnown()) {
            unmountLeftovers();
        } else {
            sweeper = Thread.ofVirtual().name("leftover-mounts").start(this::unmountLeftoversLater);
        }
    }

    /** A mount that a port uses must stay, so this waits until the switch's ports are known. */
    private void unmountLeftoversLater() {
        try {
            ports.awaitReady(Deadline.after(SWEEP_TIMEOUT));
            unmountLeftovers();
        } catch (CniException | IOException e) {
            LOG.warn("mounts that belong to no attachment are left to the next agent: reason={}", e.getMessage());
        }
    }

    private void unmountLeftovers() throws IOException {
        folders.removeLeftovers(ports::anyReachesInto);
    }

    /** All that are known, in whatever state, in the order of pods and interfaces. */
    List<Attachment> all() {
        return known.all().stream()
                .sorted(Comparator.comparing(
                                (Attachment attachment) -> attachment.pod().toString())
                        .thenComparing(attachment -> attachment.id().toString()))
                .toList();
    }

    /** Likewise, as people look at them. */
    List<AttachmentView> views() {
        return all().stream().map(this::view).toList();
    }

    private AttachmentView view(Attachment attachment) {
        AttachmentView view = ports.view(attachment);
        String condition = conditions.get(attachment.id());
        return condition == null || attachment.state() != Attachment.State.MADE ? view : view.withProblem(condition);
    }

    /**
     * What a pod is told of: all that was made for it, in the order of its interfaces' names. Of two of one name the newer
     * one: the other is of a sandbox before.
     */
    List<PodInterface> in(Pod pod) {
        Map<String, PodInterface> newest = new TreeMap<>();
        known.newestFirst().stream()
                .filter(attachment -> attachment.state() == Attachment.State.MADE)
                .filter(attachment -> isIn(pod, attachment.pod()))
                .forEach(attachment -> newest.putIfAbsent(attachment.id().ifname(), attachment.toPodInterface()));
        return List.copyOf(newest.values());
    }

    /** Without a UID it could be any pod that has the name in the course of time. */
    private static boolean isIn(Pod pod, PodIdentity identity) {
        return !identity.uid().isEmpty()
                && identity.name().equals(pod.getMetadata().getName())
                && identity.namespace().equals(pod.getMetadata().getNamespace())
                && NodePods.isOf(pod, identity);
    }

    /** How many there are, in whatever state. */
    int count() {
        return known.all().size();
    }

    /** See {@link io.ovsdpdk.api.Request.Announce}. */
    Optional<Attached> announce(AttachmentRequest request, Duration timeout) throws CniException, InterruptedException {
        Deadline deadline = Deadline.after(timeout);
        AttachmentPlans.Wish wish = AttachmentPlans.read(request);
        try (var _ = hold(wish.id(), deadline)) {
            Optional<Attachment> existing = made(wish.id());
            if (existing.isPresent()) {
                return Optional.of(repeat(existing.get(), wish, deadline));
            }
            if (announcements.isOpen(wish.id())) {
                throw new CniException(
                        ErrorCode.TRY_AGAIN, "another ADD of " + describe(wish.id()) + " is under way", "try again");
            }
            AttachmentPlans.Plan plan = plans.of(wish, Json.object(), deadline);
            ports.awaitReady(deadline);
            admit(plan, () -> {}, deadline);
            announcements.open(wish.id(), plan.attachment().pod(), timeout);
            return Optional.empty();
        }
    }

    /** See {@link io.ovsdpdk.api.Request.Add}. */
    Attached add(AttachmentRequest request, ObjectNode ipam, Deadline deadline)
            throws CniException, InterruptedException {
        AttachmentPlans.Wish wish = AttachmentPlans.read(request);
        try (var _ = hold(wish.id(), deadline)) {
            if (!announcements.close(wish.id()) && !ipam.isEmpty()) {
                throw new CniException(
                        ErrorCode.TRY_AGAIN,
                        describe(wish.id()) + " was deleted while the IPAM plugin ran",
                        "the address is released; add it again");
            }
            Optional<Attachment> existing = made(wish.id());
            if (existing.isPresent()) {
                return repeat(existing.get(), wish, deadline);
            }
            AttachmentPlans.Plan plan = plans.of(wish, ipam, deadline);
            Attachment wanted = plan.attachment();
            ports.awaitReady(deadline);
            finishRemoval(wanted.id(), deadline);
            admit(plan, () -> takePlace(wanted), deadline);
            make(wanted, deadline);
            LOG.info("added: {} bridge={}", wanted, wanted.bridge());
            return wanted.attached();
        }
    }

    private void takePlace(Attachment wanted) {
        known.enter(wanted);
        conditions.remove(wanted.id());
        removals.replaced(wanted.id());
    }

    /**
     * Removes whatever there is of an attachment. What can't be removed now, because the switch is away for instance, is
     * removed later: a DEL that failed would not be repeated.
     *
     * @throws CniException {@link ErrorCode#TRY_AGAIN} when this agent alone knows that it is to be removed
     */
    void delete(AttachmentId id) throws CniException, InterruptedException {
        removals.delete(id);
    }

    /** Begins to remove whatever there is of an attachment; {@link #isSettled} tells whether that is sure to happen. */
    Future<?> beginDeletion(AttachmentId id) {
        return removals.begin(id);
    }

    /** Whether a deletion is done, or the next agent would go on with it. */
    boolean isSettled(AttachmentId id, Future<?> deletion) {
        return removals.isSettled(id, deletion);
    }

    /**
     * See {@link io.ovsdpdk.api.Request.Check}.
     *
     * @throws CniException {@link ErrorCode#UNKNOWN_CONTAINER} when it was never added
     */
    Attached check(AttachmentRequest request, Deadline deadline) throws CniException, InterruptedException {
        try (var _ = hold(request.id(), deadline)) {
            Attachment attachment = made(request.id())
                    .orElseThrow(() ->
                            new CniException(ErrorCode.UNKNOWN_CONTAINER, describe(request.id()) + " is not attached"));
            refuseOtherNetwork(attachment, NetworkConfiguration.name(request.network()));
            ports.awaitReady(deadline);
            ports.check(attachment);
            Optional<String> problem = folders.problem(attachment);
            if (problem.isPresent()) {
                throw new CniException(
                        ErrorCode.CONFIGURATION, problem.get(), "delete the pod, so that it is made anew");
            }
            return attachment.attached();
        }
    }

    /** See {@link io.ovsdpdk.api.Request.Collect}. What is being made is left alone. */
    void collect(String network, Set<AttachmentId> valid, Deadline deadline) throws CniException, InterruptedException {
        ports.awaitReady(deadline);
        Map<AttachmentId, Attachment> candidates = new HashMap<>();
        // The ports first: whatever has one by now, and is being made, is known
        ports.ownThrough(folders.mounts()).stream()
                .flatMap(port -> plans.of(port).stream())
                .forEach(a -> candidates.put(a.id(), a));
        known.all().forEach(a -> candidates.put(a.id(), a));
        Map<AttachmentId, Future<?>> deletions = new HashMap<>();
        for (Attachment candidate : candidates.values()) {
            if (candidate.network().equals(network)
                    && candidate.state() != Attachment.State.MAKING
                    && !valid.contains(candidate.id())) {
                LOG.info("collecting: {}", candidate);
                deletions.put(candidate.id(), removals.begin(candidate.id()));
            }
        }
        Deadline enough = Deadline.after(COLLECTION_TIMEOUT);
        for (Map.Entry<AttachmentId, Future<?>> deletion : deletions.entrySet()) {
            removals.await(deletion.getKey(), deletion.getValue(), enough);
        }
    }

    /** What an equal ADD made before, put in order where it was damaged since. */
    private Attached repeat(Attachment existing, AttachmentPlans.Wish wish, Deadline deadline)
            throws CniException, InterruptedException {
        refuseOtherNetwork(existing, wish.network().name());
        if (!existing.digest().equals(wish.digest())) {
            throw new CniException(
                    ErrorCode.CONFIGURATION,
                    describe(existing.id()) + " is attached already, with another configuration",
                    "delete it before it is added with this one");
        }
        ports.awaitReady(deadline);
        remakeFolder(existing, deadline);
        if (!ports.isInOrder(existing)) {
            LOG.warn("making the port anew: {}", existing);
            ports.admit(existing, known.all());
            remakePort(existing, deadline);
        }
        return existing.attached();
    }

    /** Whether the switch has, by all that is known of it, not what was promised; looks at no folder. */
    boolean lacksPort(Attachment attachment) {
        return !ports.isAsPromised(attachment);
    }

    /**
     * Makes anew what is not as it was promised any more, whoever changed it. When that fails, what is right stays as it is,
     * and people are shown why until it succeeds.
     *
     * @return whether anything was made anew
     */
    boolean restore(AttachmentId id, Deadline deadline) throws CniException, InterruptedException {
        try (var _ = hold(id, deadline)) {
            Optional<Attachment> made = made(id).filter(_ -> !removals.isAwaited(id));
            boolean restored = made.isPresent() && restore(made.get(), deadline);
            conditions.remove(id);
            return restored;
        } catch (CniException e) {
            conditions.put(id, e.getMessage());
            // It may have gone while its lock was waited for
            if (made(id).isEmpty()) {
                conditions.remove(id);
            }
            throw e;
        }
    }

    private boolean restore(Attachment made, Deadline deadline) throws CniException, InterruptedException {
        ports.awaitReady(deadline);
        boolean folderRemade = remakeFolder(made, deadline);
        if (!lacksPort(made)) {
            return folderRemade;
        }
        ports.admit(made, known.all());
        LOG.warn("making the port anew: {}", made);
        ports.make(made, deadline);
        return true;
    }

    private boolean remakeFolder(Attachment made, Deadline deadline) throws CniException, InterruptedException {
        if (folders.problem(made).isEmpty()) {
            return false;
        }
        LOG.warn("making the socket folder anew: {}", made);
        folders.prepare(made, deadline);
        folders.keep(made);
        return true;
    }

    /**
     * When it fails, the attachment is what it was before. A port that is as promised and that ovs-vswitchd is slow to
     * give an {@code ofport}, while it starts for instance, stays: a guest may be waiting for it. Without one, or with one
     * that ovs-vswitchd refused, the attachment has none then; the DEL that follows takes it down.
     */
    private void remakePort(Attachment existing, Deadline deadline) throws CniException, InterruptedException {
        boolean promised = ports.isAsPromised(existing);
        try {
            ports.make(existing, deadline);
        } catch (CniException | RuntimeException e) {
            if (!(promised && e instanceof CniException failure && failure.is(ErrorCode.TRY_AGAIN))) {
                removals.rollBackPort(existing, e);
            }
            throw e;
        }
    }

    private static void refuseOtherNetwork(Attachment existing, String network) throws CniException {
        if (!existing.network().equals(network)) {
            throw new CniException(
                    ErrorCode.CONFIGURATION,
                    describe(existing.id()) + " belongs to network " + Quoted.of(existing.network()) + ", not to "
                            + Quoted.of(network),
                    "choose another interface name");
        }
    }

    /** Takes down what an earlier ADD or DEL left; then the attachment is not known any more. */
    private void finishRemoval(AttachmentId id, Deadline deadline) throws CniException {
        Optional<Attachment> leftover = known.find(id);
        if (leftover.isEmpty()) {
            return;
        }
        try {
            removals.finish(leftover.get(), deadline);
        } catch (OvsdbException | IOException e) {
            throw new CniException(
                    ErrorCode.TRY_AGAIN,
                    "what is left of " + describe(id) + " can't be removed yet: " + e.getMessage(),
                    "try again",
                    e);
        }
    }

    /**
     * Compares it with all others and takes its place among them, in one moment: when nothing of the pod's sandboxes before
     * is in its way any more.
     */
    private void admit(AttachmentPlans.Plan plan, Runnable takePlace, Deadline deadline)
            throws CniException, InterruptedException {
        while (!isAdmitted(plan, takePlace)) {
            earlierSandboxes.takeDown(plan, deadline);
        }
    }

    private boolean isAdmitted(AttachmentPlans.Plan plan, Runnable takePlace) throws CniException {
        admission.lock();
        try {
            if (earlierSandboxes.areInTheWayOf(plan)) {
                return false;
            }
            ports.admit(plan.attachment(), known.all());
            takePlace.run();
            return true;
        } finally {
            admission.unlock();
        }
    }

    /**
     * Makes port, folder and mount: the last two while ovs-vswitchd makes the first, and looks for the socket in vain; or
     * before that, where it would not be in vain. A failure is thrown when all of it is taken down again, or being so.
     */
    private void make(Attachment wanted, Deadline deadline) throws CniException, InterruptedException {
        try {
            boolean mounted = folders.isMounted(wanted);
            remember(wanted);
            if (mounted) {
                makePlace(wanted, deadline);
                ports.make(wanted, deadline);
            } else {
                ports.make(wanted, deadline, () -> makePlace(wanted, deadline));
            }
            if (removals.isAwaited(wanted.id())) {
                throw new CniException(ErrorCode.TRY_AGAIN, "it was deleted while it was being made");
            }
            remember(wanted.as(Attachment.State.MADE));
            folders.keep(wanted);
        } catch (CniException | InterruptedException | RuntimeException e) {
            removals.rollBack(wanted, e);
            throw e;
        }
    }

    private void makePlace(Attachment wanted, Deadline deadline) throws CniException, InterruptedException {
        folders.prepare(wanted, deadline);
        folders.clear(wanted);
    }

    private void remember(Attachment attachment) throws CniException {
        try {
            known.remember(attachment);
        } catch (IOException e) {
            throw new CniException(
                    ErrorCode.IO,
                    "can't write the checkpoint of " + describe(attachment.id()) + ": " + e.getMessage(),
                    "see whether the disk of the agent's --state-dir is full or read-only",
                    e);
        }
    }

    private Optional<Attachment> made(AttachmentId id) {
        return known.find(id).filter(attachment -> attachment.state() == Attachment.State.MADE);
    }

    private KeyedLocks.Held hold(AttachmentId id, Deadline deadline) throws CniException, InterruptedException {
        return locks.hold(id, deadline.remaining())
                .orElseThrow(() -> new CniException(
                        ErrorCode.TRY_AGAIN, "other work on " + describe(id) + " took too long", "try again"));
    }

    private static String describe(AttachmentId id) {
        return "interface " + id.ifname() + " of container " + id.containerId();
    }

    /**
     * Those of them whose pod is gone.
     *
     * @param mounts folder of the mounts: a port with its socket elsewhere is another agent's
     */
    Orphans orphans(Path mounts, GonePods pods, Duration grace, LongSupplier nanoTime) {
        return new Orphans(known, ports, folders, removals, mounts, pods, grace, nanoTime);
    }

    /** How many things are kept in memory: attachments, announcements, deletions that wait, conditions. */
    int footprint() {
        return count() + announcements.size() + removals.waiting() + conditions.size();
    }

    /** Whether more deletions are under way than can be: another one had better come later. */
    boolean hasTooManyDeletions() {
        return removals.areTooMany();
    }

    /** How many removals go on in the background. */
    int leftovers() {
        return removals.leftovers();
    }

    /** How many folders are remembered because an ADD that is not done yet made them. */
    int unfinishedFolders() {
        return folders.unfinished();
    }

    /** Stops what goes on in the background; the checkpoints tell the next agent where to go on. */
    @Override
    public void close() {
        sweeper.interrupt();
        removals.close();
    }
}
