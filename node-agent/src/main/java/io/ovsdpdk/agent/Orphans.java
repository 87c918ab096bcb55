package io.ovsdpdk.agent;

import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.OrphanReport;
import io.ovsdpdk.api.OrphanView;
import io.ovsdpdk.api.PodIdentity;
import io.ovsdpdk.api.Request.CollectOrphans.Removal;
import io.ovsdpdk.ovsdb.Deadline;
import io.ovsdpdk.ovsdb.Port;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes down what no DEL will: attachments and ports of ours whose pod is gone, since a runtime does not repeat a DEL that
 * failed, and mounts of ours that belong to nothing.
 *
 * <p>An orphan is removed when a look finds it that a look before found too, a grace period ago; each asks the API server
 * and kubelet's folder anew. A look that could not find out whether one pod is gone removes no attachment at all, and
 * does not count. Ports without a pod's UID are none of our business, nor are others'.
 *
 * <p>One look at a time, under {@code lock}; it holds no other lock while it looks. What it removes it looks at once more
 * under the attachment's lock, or the folder's.
 */
final class Orphans implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Orphans.class);

    /** ovs-vswitchd takes 20 to 30 ms for each port that goes; ADDs and DELs shall not wait for long. */
    private static final int AT_ONCE = 100;

    /** For those that are removed at once; those that take longer go on. */
    private static final Duration REMOVAL_TIMEOUT = Duration.ofSeconds(15);

    /** Between two questions whether all is in sync, before the first look. */
    private static final Duration SYNC_PAUSE = Duration.ofSeconds(1);

    /**
     * An attachment of a pod that may be gone.
     *
     * @param known empty where only the switch tells of it
     */
    private record Candidate(AttachmentId id, PodIdentity pod, Optional<Attachment> known) {
        /** What stays the same from one look to the next. */
        Key key() {
            return new Key(id, pod);
        }

        @Override
        public String toString() {
            return "pod=" + pod + " uid=" + pod.uid() + " ifname=" + id.ifname() + " container=" + id.containerId()
                    + " port=" + PortName.of(id);
        }
    }

    private record Key(AttachmentId id, PodIdentity pod) {}

    private final KnownAttachments known;
    private final Ports ports;
    private final AttachmentFolders folders;
    private final Removals removals;
    private final Path mounts;
    private final GonePods pods;
    private final Duration grace;

    private final ReentrantLock lock = new ReentrantLock();
    private final Sightings<Key> attachmentsSeen;
    private final Sightings<Path> mountsSeen;
    private String obstacle = "";
    private volatile int count;

    private Thread watcher = Thread.ofVirtual().unstarted(() -> {});

    /**
     * @param mounts folder of the mounts: a port with its socket elsewhere is another agent's
     * @param grace for how long an orphan must have been one
     * @param nanoTime a clock like {@link System#nanoTime}
     */
    Orphans(
            KnownAttachments known,
            Ports ports,
            AttachmentFolders folders,
            Removals removals,
            Path mounts,
            GonePods pods,
            Duration grace,
            LongSupplier nanoTime) {
        this.known = known;
        this.ports = ports;
        this.folders = folders;
        this.removals = removals;
        this.mounts = mounts;
        this.pods = pods;
        this.grace = grace;
        this.attachmentsSeen = new Sightings<>(nanoTime);
        this.mountsSeen = new Sightings<>(nanoTime);
    }

    /**
     * From now on orphans are looked for, and removed when they are due: as soon as ports and pods are known, and again
     * and again. Called once.
     *
     * @param interval from the end of a look to the next
     */
    void follow(Duration interval) {
        watcher = Thread.ofVirtual().name("orphans").start(() -> {
            try {
                Deadline first = Deadline.after(interval);
                while (!(ports.areKnown() && pods.areKnown()) && !first.expired()) {
                    TimeUnit.NANOSECONDS.sleep(SYNC_PAUSE.toNanos());
                }
                while (true) {
                    collectOrTell();
                    TimeUnit.NANOSECONDS.sleep(interval.toNanos());
                }
            } catch (InterruptedException e) {
                LOG.debug("orphans are not looked for any longer");
            }
        });
    }

    /** A bug must not end the looks for good. */
    private void collectOrTell() throws InterruptedException {
        try {
            collect(Removal.DUE);
        } catch (RuntimeException e) {
            LOG.error("a bug in the look for orphans", e);
        }
    }

    /** How many there were when they were looked for last. */
    int count() {
        return count;
    }

    /**
     * Looks for orphans, for somebody who waits.
     *
     * @param removal which of those that are found go
     * @param patience with the look of another
     * @throws CniException {@link ErrorCode#TRY_AGAIN} when that took longer
     */
    OrphanReport collect(Removal removal, Duration patience) throws CniException, InterruptedException {
        if (!lock.tryLock(patience.toNanos(), TimeUnit.NANOSECONDS)) {
            throw new CniException(
                    ErrorCode.TRY_AGAIN,
                    "another look for orphans has been going on for more than " + patience.toMillis() + " ms",
                    "try again later: a look asks the API server for each pod that may be gone, five a second");
        }
        try {
            return collect(removal);
        } finally {
            lock.unlock();
        }
    }

    private OrphanReport collect(Removal removal) throws InterruptedException {
        lock.lockInterruptibly();
        try {
            List<OrphanView> found = new ArrayList<>();
            Optional<CniException> failure = Optional.empty();
            try {
                ports.requireKnown();
                collectAttachments(removal, found);
            } catch (CniException e) {
                failure = Optional.of(e);
            }
            if (ports.areKnown()) {
                collectMounts(removal, found);
            }
            say(failure.map(CniException::getMessage).orElse(""));
            count = (int) found.stream().filter(Orphans::isLeft).count();
            return new OrphanReport(found, (int) grace.toSeconds(), obstacle);
        } finally {
            lock.unlock();
        }
    }

    private static boolean isLeft(OrphanView orphan) {
        return switch (orphan.state()) {
            case WAITING, DUE, REMOVING -> true;
            case REMOVED, KEPT -> false;
        };
    }

    /** Once, and not for each look. */
    private void say(String words) {
        if (!words.equals(obstacle) && pods.areToldOf()) {
            if (words.isEmpty()) {
                LOG.info("attachments of pods that are gone are collected again");
            } else {
                LOG.warn("attachments of pods that are gone are not collected: {}", words);
            }
        }
        obstacle = words;
    }

    private void collectAttachments(Removal removal, List<OrphanView> found) throws CniException, InterruptedException {
        Map<Candidate, GonePods.Finding> judged = judge(candidates());
        Map<Candidate, Duration> due = new LinkedHashMap<>();
        judged.forEach((candidate, finding) -> {
            switch (finding) {
                case PRESENT -> {}
                case FOLDER_LEFT ->
                    found.add(view(
                            candidate, Duration.ZERO, OrphanView.State.KEPT, "kubelet has " + folderOf(candidate)));
                case GONE -> {
                    Duration seen = see(candidate);
                    if (isDue(seen, removal)) {
                        due.put(candidate, seen);
                    } else {
                        found.add(view(candidate, seen, stateOf(seen), ""));
                    }
                }
            }
        });
        attachmentsSeen.keep(keysOf(judged.keySet()));
        List<Candidate> all = List.copyOf(due.keySet());
        for (int first = 0; first < all.size(); first += AT_ONCE) {
            remove(all.subList(first, Math.min(first + AT_ONCE, all.size())), due, found);
        }
    }

    private Path folderOf(Candidate candidate) {
        return pods.folderOf(candidate.pod());
    }

    private static Set<Key> keysOf(Collection<Candidate> candidates) {
        return Set.copyOf(candidates.stream().map(Candidate::key).toList());
    }

    /** The ports first: whatever has one by now, and is being made, is known. */
    private List<Candidate> candidates() {
        Map<AttachmentId, Candidate> candidates = new LinkedHashMap<>();
        ports.ownThrough(mounts).forEach(port -> candidate(port).ifPresent(c -> candidates.put(c.id(), c)));
        for (Attachment attachment : known.all()) {
            candidates.remove(attachment.id());
            if (attachment.state() == Attachment.State.MADE) {
                candidates.put(
                        attachment.id(), new Candidate(attachment.id(), attachment.pod(), Optional.of(attachment)));
            }
        }
        return candidates.values().stream()
                .filter(candidate -> isNamed(candidate.pod()))
                .toList();
    }

    private static boolean isNamed(PodIdentity pod) {
        return !pod.uid().isEmpty() && !pod.namespace().isEmpty() && !pod.name().isEmpty();
    }

    /** Empty when somebody tampered with the port's identity. */
    private static Optional<Candidate> candidate(Port port) {
        try {
            AttachmentId id = PortIdentity.id(port.externalIds());
            return Optional.of(new Candidate(id, PortIdentity.pod(port.externalIds()), Optional.empty()))
                    .filter(_ -> PortName.of(id).equals(port.name()));
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    /** Each pod once. What turns out not to be an orphan has not been seen as one, also when the look fails after that. */
    private Map<Candidate, GonePods.Finding> judge(List<Candidate> candidates)
            throws CniException, InterruptedException {
        pods.requireKnown();
        Map<PodIdentity, GonePods.Finding> findings = new HashMap<>();
        Map<Candidate, GonePods.Finding> judged = new LinkedHashMap<>();
        for (Candidate candidate : candidates) {
            GonePods.Finding finding = findings.get(candidate.pod());
            if (finding == null) {
                finding = pods.look(candidate.pod());
                findings.put(candidate.pod(), finding);
            }
            if (finding != GonePods.Finding.GONE) {
                attachmentsSeen.forget(candidate.key());
            }
            judged.put(candidate, finding);
        }
        return judged;
    }

    private Duration see(Candidate candidate) {
        Duration seen = Duration.ofNanos(attachmentsSeen.see(candidate.key()));
        if (seen.isZero()) {
            LOG.info("the pod of an attachment is gone, it is removed if that is still so later: {}", candidate);
        }
        return seen;
    }

    private boolean isDue(Duration seen, Removal removal) {
        return switch (removal) {
            case NONE -> false;
            case DUE -> isOver(seen);
            case ALL -> true;
        };
    }

    private boolean isOver(Duration seen) {
        return seen.compareTo(grace) >= 0;
    }

    private OrphanView.State stateOf(Duration seen) {
        return isOver(seen) ? OrphanView.State.DUE : OrphanView.State.WAITING;
    }

    /** @param seen for how long each has been */
    private void remove(List<Candidate> leaving, Map<Candidate, Duration> seen, List<OrphanView> found)
            throws InterruptedException {
        Map<Candidate, Future<?>> begun = new LinkedHashMap<>();
        for (Candidate candidate : leaving) {
            LOG.info("collecting an attachment whose pod is gone: {}", candidate);
            begun.put(candidate, removals.beginIf(candidate.id(), () -> isStillOrphan(candidate)));
        }
        Deadline enough = Deadline.after(REMOVAL_TIMEOUT);
        for (Map.Entry<Candidate, Future<?>> removal : begun.entrySet()) {
            Candidate candidate = removal.getKey();
            removals.await(candidate.id(), removal.getValue(), enough);
            OrphanView.State state = stateAfterRemoval(candidate, removal.getValue());
            if (state != OrphanView.State.REMOVING) {
                attachmentsSeen.forget(candidate.key());
            }
            String note = state == OrphanView.State.KEPT ? "something was done with it meanwhile" : "";
            found.add(view(candidate, seen.get(candidate), state, note));
        }
    }

    /** Whoever began something with it put another object in its place. */
    private boolean isStillOrphan(Candidate candidate) {
        boolean still =
                known.find(candidate.id()).orElse(null) == candidate.known().orElse(null)
                        && pods.isStillGone(candidate.pod());
        if (!still) {
            LOG.info("spared an attachment that turned out to be none of a pod that is gone: {}", candidate);
        }
        return still;
    }

    private OrphanView.State stateAfterRemoval(Candidate candidate, Future<?> removal) {
        Optional<Attachment> left = known.find(candidate.id());
        if (!removal.isDone()
                || left.filter(attachment -> attachment.state() == Attachment.State.REMOVING)
                        .isPresent()) {
            return OrphanView.State.REMOVING;
        }
        return left.isPresent() || ports.has(PortName.of(candidate.id()))
                ? OrphanView.State.KEPT
                : OrphanView.State.REMOVED;
    }

    private void collectMounts(Removal removal, List<OrphanView> found) {
        try {
            Set<Path> leftovers = folders.leftovers(ports::anyReachesInto);
            mountsSeen.keep(leftovers);
            for (Path mount : leftovers) {
                Duration seen = Duration.ofNanos(mountsSeen.see(mount));
                found.add(isDue(seen, removal) ? removeMount(mount, seen) : view(mount, seen, stateOf(seen), ""));
            }
        } catch (IOException e) {
            LOG.warn("can't look for mounts that belong to nothing: reason={}", e.getMessage());
        }
    }

    private OrphanView removeMount(Path mount, Duration seen) {
        try {
            boolean removed = folders.removeLeftover(mount, ports::anyReachesInto);
            mountsSeen.forget(mount);
            return removed
                    ? view(mount, seen, OrphanView.State.REMOVED, "")
                    : view(mount, seen, OrphanView.State.KEPT, "it is in use again");
        } catch (IOException e) {
            LOG.warn("can't unmount: mount={} reason={}", mount, e.getMessage());
            return view(mount, seen, OrphanView.State.KEPT, "it can't be removed: " + e.getMessage());
        }
    }

    private OrphanView view(Candidate candidate, Duration seen, OrphanView.State state, String note) {
        return new OrphanView(
                PortName.of(candidate.id()),
                candidate.pod(),
                candidate.id().containerId(),
                candidate.id().ifname(),
                "",
                (int) seen.toSeconds(),
                remaining(seen, state),
                state,
                note);
    }

    private OrphanView view(Path mount, Duration seen, OrphanView.State state, String note) {
        return new OrphanView(
                "",
                PodIdentity.NONE,
                "",
                "",
                mount.toString(),
                (int) seen.toSeconds(),
                remaining(seen, state),
                state,
                note);
    }

    /** Rounded up. */
    private int remaining(Duration seen, OrphanView.State state) {
        return state == OrphanView.State.WAITING
                ? (int) grace.minus(seen).plusMillis(999).toSeconds()
                : 0;
    }

    /** Ends the looks; what was begun goes on. */
    @Override
    public void close() {
        watcher.interrupt();
    }
}
