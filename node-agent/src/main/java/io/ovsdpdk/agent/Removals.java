package io.ovsdpdk.agent;

import io.ovsdpdk.agent.host.KeyedLocks;
import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.ovsdb.Deadline;
import io.ovsdpdk.ovsdb.OvsdbException;
import io.ovsdpdk.ovsdb.Port;
import java.io.IOException;
import java.time.Duration;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes attachments down, if it can't be done now then later, again and again: a DEL that failed would not be repeated.
 *
 * <p>A deletion runs on a thread of its own and queues for the attachment's lock, which is fair. So it comes after the
 * ADDs that were there before it, however long they take and whether or not its caller still waits, and before those
 * that come later. What it could not finish it tries again until somebody else has begun something with the
 * attachment: an ADD, which takes down what is left before it makes anything, or another deletion.
 */
final class Removals implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Removals.class);

    /** The longest that an attempt waits for the switch. */
    private static final Duration DELETION_TIMEOUT = Duration.ofSeconds(10);

    /**
     * The longest that a DEL waits for its answer: for the switch, and then for the removal of files, which ends after 3 s.
     * The plugin waits 20 s.
     */
    private static final Duration ANSWER_TIMEOUT = Duration.ofSeconds(15);

    /** A roll-back changes the database alone, which takes milliseconds; a switch that is away is not waited for. */
    private static final Duration ROLLBACK_TIMEOUT = Duration.ofSeconds(1);

    /** For a database that is just coming back, where it must tell whether there is anything to delete at all. */
    private static final Duration LOOK_UP_TIMEOUT = Duration.ofMillis(500);

    /** Whoever holds an attachment's lock has a deadline of minutes at most, so this never passes. */
    private static final Duration UNTIL_OTHERS_ARE_DONE = Duration.ofDays(1);

    /** Some 200 bytes each; an ADD that comes after its DEL comes soon after it. */
    private static final int REMEMBERED = 4096;

    /** Four times what a switch can have ports. Each is a virtual thread, of 1 KiB or two. */
    static final int MOST_AT_ONCE = 4096;

    private static final Duration FIRST_PAUSE = Duration.ofMillis(200);
    private static final Duration LONGEST_PAUSE = Duration.ofSeconds(30);

    /** A way to delete a port. */
    private interface PortDeletion {
        void of(Attachment attachment, Deadline deadline) throws OvsdbException;
    }

    private final KnownAttachments known;
    private final KeyedLocks<AttachmentId> locks;
    private final AttachmentPlans plans;
    private final Ports ports;
    private final AttachmentFolders folders;
    private final Announcements announcements;
    private final Consumer<Attachment> removed;

    /** How many deletions queue for each attachment. */
    private final Map<AttachmentId, Integer> queued = new ConcurrentHashMap<>();

    /** What goes on in the background: the last one for each attachment, before which those of DELs before it end. */
    private final Map<AttachmentId, Leftover> leftovers = new ConcurrentHashMap<>();

    private final AtomicInteger begun = new AtomicInteger();
    private final AtomicInteger goingOn = new AtomicInteger();

    /**
     * The containers that something was deleted of last, and how many attachments had become known by then: whose ADD comes
     * late finds others of its pod that came after its end.
     */
    private final Map<String, Long> ended = Collections.synchronizedMap(new LinkedHashMap<>() {
        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Long> eldest) {
            return size() > REMEMBERED;
        }
    });

    private final ExecutorService background = Executors.newThreadPerTaskExecutor(
            Thread.ofVirtual().name("removal-", 1).factory());

    /**
     * @param locks of the attachments, shared with whoever else works on them
     * @param removed gets each attachment that is gone; must not wait for anything
     */
    Removals(
            KnownAttachments known,
            KeyedLocks<AttachmentId> locks,
            AttachmentPlans plans,
            Ports ports,
            AttachmentFolders folders,
            Announcements announcements,
            Consumer<Attachment> removed) {
        this.known = known;
        this.locks = locks;
        this.plans = plans;
        this.ports = ports;
        this.folders = folders;
        this.announcements = announcements;
        this.removed = removed;
    }

    /** Whether so many deletions are under way that no runtime can have asked for them all. */
    boolean areTooMany() {
        return begun.get() >= MOST_AT_ONCE;
    }

    /**
     * Removes whatever there is of an attachment; returns when it is done, or goes on in the background and would be gone on
     * with by the next agent.
     *
     * @throws CniException {@link ErrorCode#TRY_AGAIN} when it goes on in the memory of this agent alone: others work on the
     *     attachment, or it has no checkpoint and the switch's database is away
     */
    void delete(AttachmentId id) throws CniException, InterruptedException {
        Future<?> deletion = begin(id);
        await(id, deletion, Deadline.after(ANSWER_TIMEOUT));
        if (!isSettled(id, deletion)) {
            throw new CniException(
                    ErrorCode.TRY_AGAIN,
                    "interface " + id.ifname() + " of container " + id.containerId()
                            + " is not removed yet, and nothing is written down of that",
                    "ask again: this agent goes on with it, the next one would not");
        }
    }

    /** Whether a deletion that was begun is done, or its checkpoint tells the next agent to go on with it. */
    boolean isSettled(AttachmentId id, Future<?> deletion) {
        return known.isWrittenOff(id) || deletion.state() == Future.State.SUCCESS && !leftovers.containsKey(id);
    }

    /** An ADD has taken down what was left, and takes its place. The caller holds the attachment's lock. */
    void replaced(AttachmentId id) {
        leftovers.remove(id);
    }

    /** Begins to remove whatever there is of an attachment. */
    Future<?> begin(AttachmentId id) {
        queued.merge(id, 1, Integer::sum);
        begun.incrementAndGet();
        ended.put(id.containerId(), known.entered());
        try {
            return background.submit(() -> {
                try {
                    deleteOnce(id);
                    return null;
                } finally {
                    begun.decrementAndGet();
                }
            });
        } catch (RejectedExecutionException e) {
            begun.decrementAndGet();
            dequeue(id);
            throw e;
        }
    }

    /**
     * Begins to remove an attachment that nobody asked to remove, once those who were there before are done with it and if
     * that is still right then. Whoever makes it meanwhile goes on.
     *
     * @param stillRight is asked while the attachment's lock is held
     */
    Future<?> beginIf(AttachmentId id, BooleanSupplier stillRight) {
        return background.submit(() -> {
            try (var _ = locks.hold(id, UNTIL_OTHERS_ARE_DONE).orElseThrow()) {
                if (stillRight.getAsBoolean()) {
                    ended.put(id.containerId(), known.entered());
                    deleteHeld(id);
                }
            }
            return null;
        });
    }

    /** Waits for a deletion that was begun. One that takes longer goes on. */
    void await(AttachmentId id, Future<?> deletion, Deadline deadline) throws InterruptedException {
        try {
            deletion.get(deadline.remaining().toNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            LOG.warn(
                    "a deletion is not waited for any longer, and goes on: ifname={} container={}",
                    id.ifname(),
                    id.containerId());
        } catch (ExecutionException e) {
            if (e.getCause() instanceof InterruptedException) {
                throw new InterruptedException("the agent is stopping");
            }
            throw new IllegalStateException("a deletion failed", e.getCause());
        }
    }

    /** Whether something of this container was deleted before the other attachment became known. */
    boolean endedBefore(String containerId, AttachmentId other) {
        Long entered = ended.get(containerId);
        return entered != null && known.cameAfter(other, entered);
    }

    /** Whether a deletion waits for the lock: whoever holds it need not go on making the attachment. */
    boolean isAwaited(AttachmentId id) {
        return queued.containsKey(id);
    }

    private void deleteOnce(AttachmentId id) throws InterruptedException {
        KeyedLocks.Held lock;
        try {
            lock = locks.hold(id, UNTIL_OTHERS_ARE_DONE).orElseThrow();
        } finally {
            dequeue(id);
        }
        try (var _ = lock) {
            deleteHeld(id);
        }
    }

    private void deleteHeld(AttachmentId id) {
        announcements.withdraw(id);
        // Another object: whoever removes it in the background leaves it to us
        known.find(id).ifPresent(attachment -> known.enter(attachment.as(Attachment.State.REMOVING)));
        Optional<String> obstacle = takeDown(id, ports::deletePatiently, Deadline.after(DELETION_TIMEOUT));
        if (obstacle.isPresent()) {
            continueInBackground(id, obstacle.get());
        }
    }

    private void dequeue(AttachmentId id) {
        queued.computeIfPresent(id, (_, count) -> count == 1 ? null : count - 1);
    }

    /**
     * Takes away what a failed ADD made, now or in the background; never throws, since the ADD has its failure already.
     * The caller holds the attachment's lock.
     */
    void rollBack(Attachment failed, Exception why) {
        LOG.warn("rolling back: {} reason={}", failed, why.getMessage());
        known.enter(failed.as(Attachment.State.REMOVING));
        takeDown(failed.id(), ports::deleteWithoutWaiting, Deadline.after(ROLLBACK_TIMEOUT))
                .ifPresent(obstacle -> continueInBackground(failed.id(), obstacle));
    }

    /** Takes away the port alone, where an attachment stays that could not get a new one. */
    void rollBackPort(Attachment failed, Exception why) {
        LOG.warn("rolling back the port: {} reason={}", failed, why.getMessage());
        try {
            ports.deleteWithoutWaiting(failed, Deadline.after(ROLLBACK_TIMEOUT));
        } catch (OvsdbException e) {
            LOG.warn("the port is left to the deletion of its attachment: {} reason={}", failed, e.getMessage());
        }
    }

    /** Goes on with what an agent before this one left unfinished. */
    void resume(Attachment unfinished) {
        known.enter(unfinished.as(Attachment.State.REMOVING));
        continueInBackground(unfinished.id(), "an agent before this one left it unfinished");
    }

    /**
     * Takes down what is left, for an ADD that needs its place: ovs-vswitchd must have let go of the old port, or it
     * would take a new one of the same name for it. The caller holds the attachment's lock.
     */
    void finish(Attachment leftover, Deadline deadline) throws OvsdbException, IOException {
        ports.delete(leftover, deadline);
        folders.removeAndForget(leftover);
        // Whatever becomes of that ADD
        removed.accept(leftover);
    }

    /**
     * One attempt: port, socket, mount, folder, checkpoint, in this order, for the switch must not reach for what is
     * gone. The caller holds the attachment's lock.
     *
     * @return why something is left; empty when nothing is
     */
    private Optional<String> takeDown(AttachmentId id, PortDeletion deletion, Deadline deadline) {
        try {
            Optional<Attachment> leaving = leaving(id);
            if (leaving.isEmpty()) {
                LOG.info("nothing to delete: ifname={} container={}", id.ifname(), id.containerId());
                return Optional.empty();
            }
            deletion.of(leaving.get(), deadline);
            folders.removeAndForget(leaving.get());
            LOG.info("deleted: {}", leaving.get());
            removed.accept(leaving.get());
            return Optional.empty();
        } catch (OvsdbException | IOException e) {
            return Optional.of(String.valueOf(e.getMessage()));
        } catch (RuntimeException e) {
            LOG.error("a bug in a removal: ifname={} container={}", id.ifname(), id.containerId(), e);
            return Optional.of(e.toString());
        }
    }

    /** What is to be taken down, known from now on as leaving; empty when there is nothing. */
    private Optional<Attachment> leaving(AttachmentId id) throws OvsdbException, IOException {
        Optional<Attachment> present = known.find(id);
        if (present.isEmpty()) {
            present = recover(id);
        }
        Optional<Attachment> leaving = present.map(attachment -> attachment.state() == Attachment.State.REMOVING
                ? attachment
                : attachment.as(Attachment.State.REMOVING));
        leaving.ifPresent(this::note);
        return leaving;
    }

    /** The checkpoint tells the next agent. A disk that is full must not keep anything from going. */
    private void note(Attachment leaving) {
        known.enter(leaving);
        try {
            known.remember(leaving);
        } catch (IOException e) {
            LOG.warn("can't write the checkpoint of a removal: {} reason={}", leaving, e.getMessage());
        }
    }

    /** What the switch has of an attachment without a checkpoint. A port whose identity makes no sense goes alone. */
    private Optional<Attachment> recover(AttachmentId id) throws OvsdbException, IOException {
        Optional<Port> port = ports.findOwn(PortName.of(id), Deadline.after(LOOK_UP_TIMEOUT));
        if (port.isEmpty()) {
            return Optional.empty();
        }
        Optional<Attachment> recovered = plans.of(port.get());
        if (recovered.isPresent()) {
            folders.adopt(recovered.get());
        } else {
            ports.deleteOwn(port.get().name(), Deadline.after(LOOK_UP_TIMEOUT));
            LOG.warn(
                    "deleted a port alone, since its identity is damaged: ifname={} container={} port={}",
                    id.ifname(),
                    id.containerId(),
                    port.get().name());
        }
        return recovered;
    }

    /** Tries again, with growing pauses. The caller holds the attachment's lock, or nobody works on it yet. */
    private void continueInBackground(AttachmentId id, String obstacle) {
        Optional<Attachment> left = known.find(id);
        LOG.warn(
                "the removal goes on in the background: {} reason={}",
                left.map(Attachment::toString).orElse("ifname=" + id.ifname() + " container=" + id.containerId()),
                obstacle);
        Leftover leftover = new Leftover(id, left);
        leftovers.put(id, leftover);
        try {
            background.execute(leftover);
        } catch (RejectedExecutionException e) {
            LOG.warn("it is left to the next agent: ifname={} container={}", id.ifname(), id.containerId());
        }
    }

    /** What a removal could not finish. Belongs to the thread that runs it. */
    private final class Leftover implements Runnable {
        private final AttachmentId id;
        private Optional<Attachment> left;

        Leftover(AttachmentId id, Optional<Attachment> left) {
            this.id = id;
            this.left = left;
        }

        @Override
        public void run() {
            goingOn.incrementAndGet();
            try {
                for (Duration pause = FIRST_PAUSE; !isSettled(); pause = longer(pause)) {
                    TimeUnit.NANOSECONDS.sleep(pause.toNanos());
                }
                leftovers.remove(id, this);
            } catch (InterruptedException e) {
                // the agent stops: the checkpoint tells the next one. Without one it stays unsettled
                Thread.currentThread().interrupt();
            } finally {
                goingOn.decrementAndGet();
            }
        }

        private boolean isSettled() throws InterruptedException {
            try (var _ = locks.hold(id, UNTIL_OTHERS_ARE_DONE).orElseThrow()) {
                if (leftovers.get(id) != this || !isSame(known.find(id), left)) {
                    return true;
                }
                Optional<String> obstacle = takeDown(id, ports::deletePatiently, Deadline.after(DELETION_TIMEOUT));
                obstacle.ifPresent(reason -> LOG.debug(
                        "not deleted yet: ifname={} container={} reason={}", id.ifname(), id.containerId(), reason));
                left = known.find(id);
                return obstacle.isEmpty();
            }
        }
    }

    /** Whether nobody touched it since: whoever begins something with it puts another object in its place. */
    private static boolean isSame(Optional<Attachment> one, Optional<Attachment> other) {
        return one.orElse(null) == other.orElse(null);
    }

    private static Duration longer(Duration pause) {
        Duration doubled = pause.multipliedBy(2);
        return doubled.compareTo(LONGEST_PAUSE) > 0 ? LONGEST_PAUSE : doubled;
    }

    /** How many attachments have deletions that queue for their lock. */
    int waiting() {
        return queued.size();
    }

    /** How many removals go on in the background. */
    int leftovers() {
        return goingOn.get();
    }

    /** Stops what goes on in the background; the checkpoints tell the next agent where to go on. */
    @Override
    public void close() {
        background.shutdownNow();
    }
}
