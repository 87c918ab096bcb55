package io.ovsdpdk.agent;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.agent.host.Errno;
import io.ovsdpdk.agent.host.FolderLocation;
import io.ovsdpdk.agent.host.KeyedLocks;
import io.ovsdpdk.agent.host.LinuxException;
import io.ovsdpdk.agent.host.PreparedFolder;
import io.ovsdpdk.agent.host.SocketFolder;
import io.ovsdpdk.agent.host.SocketFolders;
import io.ovsdpdk.api.Attached;
import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.AttachmentRequest;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.MacAddress;
import io.ovsdpdk.api.NetworkConfiguration;
import io.ovsdpdk.api.Quoted;
import io.ovsdpdk.ovsdb.Deadline;
import io.ovsdpdk.ovsdb.OvsdbException;
import io.ovsdpdk.ovsdb.Port;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes, checks and removes attachments.
 *
 * <p>Locks, in the order in which they are taken: one for each attachment, held during everything that is done to it;
 * one for each container's folder, held while it is made or removed; {@code admission}, held for the moment in which
 * an attachment is compared with all others and takes its place among them.
 *
 * <p>An attachment enters the map and the checkpoints before anything is made for it and leaves them after everything
 * is gone, so what a killed agent began is known to the next one. What could not be taken down at once, because the
 * switch was away for instance, is taken down in the background.
 */
final class Attachments implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Attachments.class);

    /** The longest that a removal waits for others and for the switch before it goes on in the background. */
    private static final Duration REMOVAL_TIMEOUT = Duration.ofSeconds(10);

    /** As {@link io.ovsdpdk.api.Request.Announce} promises. */
    private static final Duration ANNOUNCEMENT_LIFE = Duration.ofMinutes(2);

    /** A roll-back changes the database alone, which takes milliseconds; a switch that is away is not waited for. */
    private static final Duration ROLLBACK_TIMEOUT = Duration.ofSeconds(2);

    private static final Duration FIRST_PAUSE = Duration.ofMillis(200);
    private static final Duration LONGEST_PAUSE = Duration.ofSeconds(30);

    /** What {@code sun_path} holds besides its terminating zero (unix(7)). Open vSwitch truncates silently. */
    private static final int MAX_SOCKET_PATH = 107;

    private final Ports ports;
    private final SocketFolders folders;
    private final SharedRoots roots;
    private final Checkpoints checkpoints;

    private final KeyedLocks<AttachmentId> attachmentLocks = new KeyedLocks<>();
    private final KeyedLocks<Path> folderLocks = new KeyedLocks<>();
    private final ReentrantLock admission = new ReentrantLock();

    /** Changed by the holder of the attachment's lock only. */
    private final Map<AttachmentId, Attachment> attachments = new ConcurrentHashMap<>();

    private final Map<AttachmentId, Deadline> announced = new ConcurrentHashMap<>();

    /** Those that a DEL came for while an ADD was making them: the ADD takes them down at its end. */
    private final Set<AttachmentId> doomed = ConcurrentHashMap.newKeySet();

    /** Those that a background removal is at work for. */
    private final Set<AttachmentId> lingering = ConcurrentHashMap.newKeySet();

    private final ExecutorService background = Executors.newThreadPerTaskExecutor(
            Thread.ofVirtual().name("removal-", 1).factory());

    Attachments(Ports ports, SocketFolders folders, SharedRoots roots, Checkpoints checkpoints) {
        this.ports = ports;
        this.folders = folders;
        this.roots = roots;
        this.checkpoints = checkpoints;
    }

    /**
     * Takes over what the agent before this one left: remembers what was made, and takes down what was not finished.
     * Called once, before anything else.
     *
     * @throws IOException when the checkpoints can't be read
     */
    void resume() throws IOException {
        for (Attachment attachment : checkpoints.readAll()) {
            attachments.put(attachment.id(), attachment);
            if (attachment.state() != Attachment.State.MADE) {
                LOG.info("taking down what was left unfinished: {}", attachment);
                removeInBackground(attachment.id());
            }
        }
        for (Path mount : folders.mounts()) {
            if (attachments.values().stream()
                    .noneMatch(a -> a.folder().mountPoint().equals(mount))) {
                LOG.info("unmounting what belongs to no attachment: mount={}", mount);
                folders.unmount(mount);
            }
        }
    }

    /** How many there are, in whatever state. */
    int count() {
        return attachments.size();
    }

    /** See {@link io.ovsdpdk.api.Request.Announce}. */
    Optional<Attached> announce(AttachmentRequest request, Deadline deadline)
            throws CniException, InterruptedException {
        Attachment wanted = plan(request, Json.object());
        try (var _ = hold(wanted.id(), deadline)) {
            Attachment existing = attachments.get(wanted.id());
            if (existing != null && existing.state() == Attachment.State.MADE) {
                return Optional.of(repeat(existing, wanted, deadline));
            }
            Deadline other = announced.get(wanted.id());
            if (other != null && !other.expired()) {
                throw new CniException(
                        ErrorCode.TRY_AGAIN,
                        "another ADD of interface " + wanted.id().ifname() + " of container "
                                + wanted.id().containerId() + " is under way",
                        "try again");
            }
            ports.awaitReady(deadline);
            ports.admit(wanted, attachments.values());
            announced.values().removeIf(Deadline::expired);
            announced.put(wanted.id(), Deadline.after(ANNOUNCEMENT_LIFE));
            return Optional.empty();
        }
    }

    /** See {@link io.ovsdpdk.api.Request.Add}. */
    Attached add(AttachmentRequest request, ObjectNode ipam, Deadline deadline)
            throws CniException, InterruptedException {
        Attachment wanted = plan(request, ipam);
        try (var _ = hold(wanted.id(), deadline)) {
            announced.remove(wanted.id());
            doomed.remove(wanted.id());
            Attachment existing = attachments.get(wanted.id());
            if (existing != null && existing.state() == Attachment.State.MADE) {
                return repeat(existing, wanted, deadline);
            }
            ports.awaitReady(deadline);
            if (existing != null) {
                removeOrComplain(existing, deadline);
            }
            admit(wanted);
            make(wanted, deadline);
            LOG.info("added: {} bridge={}", wanted, wanted.bridge());
            return wanted.attached();
        }
    }

    /**
     * Removes whatever there is of an attachment. What can't be removed now, because the switch is away for instance, is
     * removed later: a DEL that failed would not be repeated.
     */
    void delete(AttachmentId id) throws InterruptedException {
        Deadline deadline = Deadline.after(REMOVAL_TIMEOUT);
        announced.remove(id);
        doomed.add(id);
        Optional<KeyedLocks.Held> lock = attachmentLocks.hold(id, deadline.remaining());
        if (lock.isEmpty()) {
            LOG.warn("deletion waits for work under way: ifname={} container={}", id.ifname(), id.containerId());
            removeInBackground(id);
            return;
        }
        try (var _ = lock.get()) {
            doomed.remove(id);
            Optional<Attachment> found = Optional.ofNullable(attachments.get(id))
                    .or(() -> ports.find(PortName.of(id)).flatMap(this::attachmentOf));
            if (found.isEmpty()) {
                LOG.info("nothing to delete: ifname={} container={}", id.ifname(), id.containerId());
                return;
            }
            Attachment leaving = found.get().as(Attachment.State.REMOVING);
            attachments.put(id, leaving);
            try {
                checkpoints.write(leaving);
                remove(leaving, deadline);
                LOG.info("deleted: {}", leaving);
            } catch (OvsdbException | IOException e) {
                LOG.warn("deletion goes on in the background: {} reason={}", leaving, e.getMessage());
                removeInBackground(id);
            }
        }
    }

    /**
     * See {@link io.ovsdpdk.api.Request.Check}.
     *
     * @throws CniException {@link ErrorCode#UNKNOWN_CONTAINER} when it was never added
     */
    Attached check(AttachmentRequest request, Deadline deadline) throws CniException, InterruptedException {
        try (var _ = hold(request.id(), deadline)) {
            Attachment attachment = attachments.get(request.id());
            if (attachment == null || attachment.state() != Attachment.State.MADE) {
                throw new CniException(
                        ErrorCode.UNKNOWN_CONTAINER,
                        "interface " + request.id().ifname() + " of container "
                                + request.id().containerId() + " is not attached");
            }
            refuseOtherNetwork(attachment, NetworkConfiguration.name(request.network()));
            ports.awaitReady(deadline);
            ports.check(attachment);
            checkFolder(attachment);
            return attachment.attached();
        }
    }

    /** See {@link io.ovsdpdk.api.Request.Collect}. What is being made is left alone. */
    void collect(String network, Set<AttachmentId> valid, Deadline deadline) throws CniException, InterruptedException {
        ports.awaitReady(deadline);
        Map<AttachmentId, Attachment> candidates = new HashMap<>();
        ports.all().stream()
                .flatMap(port -> attachmentOf(port).stream())
                .forEach(attachment -> candidates.put(attachment.id(), attachment));
        candidates.putAll(attachments);
        List<Future<?>> deletions = new ArrayList<>();
        for (Attachment candidate : candidates.values()) {
            if (candidate.network().equals(network)
                    && candidate.state() != Attachment.State.MAKING
                    && !valid.contains(candidate.id())) {
                LOG.info("collecting: {}", candidate);
                deletions.add(background.submit(() -> {
                    delete(candidate.id());
                    return null;
                }));
            }
        }
        for (Future<?> deletion : deletions) {
            try {
                deletion.get();
            } catch (java.util.concurrent.ExecutionException e) {
                throw new IllegalStateException("a deletion failed", e.getCause());
            }
        }
    }

    /** All that an ADD would make, checked as far as that goes without looking at the switch. Makes nothing. */
    private Attachment plan(AttachmentRequest request, ObjectNode ipam) throws CniException {
        AttachmentId id = request.id();
        NetworkConfiguration network = NetworkConfiguration.of(request.network());
        FolderLocation location = roots.place(network.sharedDir(), id);
        SocketFolder folder;
        try {
            folder = folders.locate(location);
        } catch (IOException e) {
            throw new CniException(ErrorCode.IO, "can't look at " + location + ": " + e.getMessage(), "", e);
        }
        Path workloadSocket = Path.of(location.toString(), Attachment.socketName(id));
        Path switchSocket = folder.mountPoint().resolve(Attachment.socketName(id));
        refuseLong(workloadSocket, "choose a shorter sharedDir");
        refuseLong(switchSocket, "choose a shorter --run-dir of the agent");
        MacAddress mac = network.macFor(id, request.mac());
        List<String> circumstances = new ArrayList<>(List.of(request.sandbox()));
        request.mac().map(MacAddress::text).ifPresent(circumstances::add);
        return new Attachment(
                id,
                request.pod(),
                network.name(),
                network.bridge(),
                folder,
                switchSocket,
                new Attached(id.ifname(), request.sandbox(), mac, network.mtu(), workloadSocket.toString(), ipam),
                network.digest(circumstances),
                Attachment.State.MAKING);
    }

    private static void refuseLong(Path socket, String remedy) throws CniException {
        int length = socket.toString().getBytes(StandardCharsets.UTF_8).length;
        if (length > MAX_SOCKET_PATH) {
            throw new CniException(
                    ErrorCode.CONFIGURATION,
                    "the socket path " + socket + " has " + length + " bytes; a unix socket's can have "
                            + MAX_SOCKET_PATH,
                    remedy);
        }
    }

    /** What an equal ADD made before, put in order where it was damaged since. */
    private Attached repeat(Attachment existing, Attachment wanted, Deadline deadline)
            throws CniException, InterruptedException {
        refuseOtherNetwork(existing, wanted.network());
        if (!existing.digest().equals(wanted.digest())) {
            throw new CniException(
                    ErrorCode.CONFIGURATION,
                    "interface " + existing.id().ifname() + " of container "
                            + existing.id().containerId() + " is attached already, with another configuration",
                    "delete it before it is added with this one");
        }
        ports.awaitReady(deadline);
        if (!ports.exists(existing)) {
            LOG.warn("making anew what vanished from the switch: {}", existing);
            make(existing, deadline);
        }
        return existing.attached();
    }

    private static void refuseOtherNetwork(Attachment existing, String network) throws CniException {
        if (!existing.network().equals(network)) {
            throw new CniException(
                    ErrorCode.CONFIGURATION,
                    "interface " + existing.id().ifname() + " of container "
                            + existing.id().containerId() + " belongs to network " + Quoted.of(existing.network())
                            + ", not to " + Quoted.of(network),
                    "choose another interface name");
        }
    }

    /** Compares it with all others and takes its place among them, in one moment. */
    private void admit(Attachment wanted) throws CniException {
        admission.lock();
        try {
            ports.admit(wanted, attachments.values());
            attachments.put(wanted.id(), wanted);
        } finally {
            admission.unlock();
        }
    }

    /** Makes folder, mount and port; on failure takes down all of it before the failure is thrown. */
    private void make(Attachment wanted, Deadline deadline) throws CniException {
        Optional<PreparedFolder> prepared = Optional.empty();
        try {
            remember(wanted.as(Attachment.State.MAKING));
            try (var _ = holdFolder(wanted)) {
                prepared = Optional.of(folders.prepare(wanted.folder().location()));
            }
            ports.make(wanted, deadline);
            if (doomed.remove(wanted.id())) {
                throw new CniException(ErrorCode.TRY_AGAIN, "it was deleted while it was being made");
            }
            remember(wanted.as(Attachment.State.MADE));
        } catch (CniException e) {
            undo(wanted, prepared, e);
            throw e;
        } catch (IOException e) {
            CniException failure = cannotPrepare(wanted, e);
            undo(wanted, prepared, failure);
            throw failure;
        } catch (RuntimeException e) {
            undo(wanted, prepared, e);
            throw e;
        }
    }

    private static CniException cannotPrepare(Attachment wanted, IOException e) {
        boolean inTheWay = e instanceof LinuxException linux && linux.is(Errno.ELOOP, Errno.ENOTDIR);
        return new CniException(
                inTheWay ? ErrorCode.CONFIGURATION : ErrorCode.IO,
                "can't make the socket folder " + wanted.folder().location() + ": " + e.getMessage(),
                inTheWay ? "no part of sharedDir below the node's root may be a link or a file" : "",
                e);
    }

    private void undo(Attachment failed, Optional<PreparedFolder> prepared, Exception why) {
        LOG.warn("rolling back: {} reason={}", failed, why.getMessage());
        Attachment leaving = failed.as(Attachment.State.REMOVING);
        attachments.put(failed.id(), leaving);
        try {
            ports.deleteWithoutWaiting(leaving, Deadline.after(ROLLBACK_TIMEOUT));
            try (var _ = holdFolder(leaving)) {
                if (prepared.isPresent() && isLastInFolder(leaving)) {
                    folders.rollback(prepared.get());
                }
                removeFolder(leaving);
                forget(leaving);
            }
        } catch (OvsdbException | IOException e) {
            LOG.warn("the roll-back goes on in the background: {} reason={}", leaving, e.getMessage());
            removeInBackground(failed.id());
        }
    }

    /** Takes down port, socket, mount and folder, in this order: the switch must not reach for what is gone. */
    private void remove(Attachment leaving, Deadline deadline)
            throws OvsdbException, IOException, InterruptedException {
        ports.delete(leaving, deadline);
        try (var _ = holdFolder(leaving)) {
            removeFolder(leaving);
            forget(leaving);
        }
    }

    private void removeOrComplain(Attachment leftover, Deadline deadline) throws CniException, InterruptedException {
        try {
            remove(leftover, deadline);
        } catch (OvsdbException | IOException e) {
            throw new CniException(
                    ErrorCode.TRY_AGAIN,
                    "what an earlier ADD left of interface " + leftover.id().ifname() + " can't be removed yet: "
                            + e.getMessage(),
                    "try again",
                    e);
        }
    }

    /**
     * The caller holds the folder's lock until the attachment is forgotten: of two that go at once each would take the
     * other one for a user of the folder, and neither would remove it.
     */
    private void removeFolder(Attachment leaving) throws IOException {
        if (isLastInFolder(leaving)) {
            folders.remove(leaving.folder());
        } else {
            folders.removeSocket(leaving.folder(), leaving.socketName());
        }
    }

    private boolean isLastInFolder(Attachment leaving) {
        return attachments.values().stream()
                .noneMatch(other -> !other.id().equals(leaving.id()) && other.sharesFolderWith(leaving));
    }

    private void remember(Attachment attachment) throws IOException {
        checkpoints.write(attachment);
        attachments.put(attachment.id(), attachment);
    }

    private void forget(Attachment attachment) throws IOException {
        checkpoints.delete(attachment);
        attachments.remove(attachment.id());
    }

    private void removeInBackground(AttachmentId id) {
        if (!lingering.add(id)) {
            return;
        }
        background.execute(() -> {
            try {
                Duration pause = FIRST_PAUSE;
                while (!tryRemove(id)) {
                    TimeUnit.NANOSECONDS.sleep(pause.toNanos());
                    pause = pause.multipliedBy(2).compareTo(LONGEST_PAUSE) > 0 ? LONGEST_PAUSE : pause.multipliedBy(2);
                }
            } catch (InterruptedException e) {
                // the agent stops: the checkpoint tells the next one
                Thread.currentThread().interrupt();
            } finally {
                lingering.remove(id);
            }
        });
    }

    /** @return false when it must be tried again */
    private boolean tryRemove(AttachmentId id) throws InterruptedException {
        Deadline deadline = Deadline.after(REMOVAL_TIMEOUT);
        Optional<KeyedLocks.Held> lock = attachmentLocks.hold(id, deadline.remaining());
        if (lock.isEmpty()) {
            return false;
        }
        try (var _ = lock.get()) {
            Attachment attachment = attachments.get(id);
            boolean wasDoomed = doomed.remove(id);
            if (attachment == null || attachment.state() == Attachment.State.MADE && !wasDoomed) {
                return true;
            }
            Attachment leaving = attachment.as(Attachment.State.REMOVING);
            attachments.put(id, leaving);
            remove(leaving, deadline);
            LOG.info("deleted: {}", leaving);
            return true;
        } catch (OvsdbException | IOException e) {
            LOG.debug(
                    "not deleted yet: ifname={} container={} reason={}", id.ifname(), id.containerId(), e.getMessage());
            return false;
        }
    }

    /** What a port without a checkpoint belongs to. */
    private Optional<Attachment> attachmentOf(Port port) {
        return PortIdentity.attachment(port.externalIds(), port.bridge().orElse(""), roots, folders)
                .filter(attachment -> attachment.portName().equals(port.name()));
    }

    private KeyedLocks.Held hold(AttachmentId id, Deadline deadline) throws CniException, InterruptedException {
        return attachmentLocks
                .hold(id, deadline.remaining())
                .orElseThrow(() -> new CniException(
                        ErrorCode.TRY_AGAIN,
                        "other work on interface " + id.ifname() + " of container " + id.containerId()
                                + " took too long",
                        "try again"));
    }

    private void checkFolder(Attachment attachment) throws CniException {
        Optional<String> wrong;
        try {
            wrong = folders.verify(attachment.folder());
        } catch (IOException e) {
            throw new CniException(
                    ErrorCode.IO, "can't look at " + attachment.folder().location() + ": " + e.getMessage(), "", e);
        }
        if (wrong.isPresent()) {
            throw new CniException(ErrorCode.CONFIGURATION, wrong.get(), "delete the pod, so that it is made anew");
        }
    }

    /** Whoever holds it makes or removes files and mounts, which ends by itself: no deadline. */
    private KeyedLocks.Held holdFolder(Attachment attachment) {
        return folderLocks.hold(attachment.folder().mountPoint());
    }

    /** Stops what goes on in the background; the checkpoints tell the next agent where to go on. */
    @Override
    public void close() {
        background.shutdownNow();
    }
}
