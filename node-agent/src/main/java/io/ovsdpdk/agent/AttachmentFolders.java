package io.ovsdpdk.agent;

import io.ovsdpdk.agent.host.Errno;
import io.ovsdpdk.agent.host.FolderLocation;
import io.ovsdpdk.agent.host.KeyedLocks;
import io.ovsdpdk.agent.host.LinuxException;
import io.ovsdpdk.agent.host.PreparedFolder;
import io.ovsdpdk.agent.host.SocketFolder;
import io.ovsdpdk.agent.host.SocketFolders;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.ovsdb.Deadline;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The socket folders as attachments share them: the attachments of a container have one folder and one mount, made with
 * the first and removed with the last. Failures become CNI errors here.
 *
 * <p>One lock for each folder is held while it is made or removed, so that nobody decides to be the last in it while
 * another comes to use it. An attachment is known (see {@link KnownAttachments}) before its folder is prepared, and until
 * it is removed.
 *
 * <p>A failed ADD takes away what ADDs made and nothing else. Which one made it does not matter: of two that fail, the
 * first leaves to the second what both used.
 */
final class AttachmentFolders {
    private static final Logger LOG = LoggerFactory.getLogger(AttachmentFolders.class);

    private final SocketFolders folders;
    private final KnownAttachments known;
    private final KeyedLocks<Path> locks = new KeyedLocks<>();

    /** By mount point: the container folders that an ADD made, or that an attachment was made in. */
    private final Set<Path> own = ConcurrentHashMap.newKeySet();

    /** Folders above that were made by ADDs of which none has succeeded yet. */
    private final Set<Path> freshParents = ConcurrentHashMap.newKeySet();

    AttachmentFolders(SocketFolders folders, KnownAttachments known) {
        this.folders = folders;
        this.known = known;
    }

    /**
     * Takes over the folder of an attachment that an agent before this one made.
     *
     * @return false when its mount is not in our folder of mounts: that agent had another {@code --run-dir}
     */
    boolean adopt(Attachment attachment) throws IOException {
        try {
            folders.isMounted(attachment.folder().mountPoint());
        } catch (IllegalArgumentException e) {
            return false;
        }
        if (isOurs(attachment)) {
            own.add(attachment.folder().mountPoint());
        }
        followAgain(attachment);
        return true;
    }

    /** After a restart of the node there are no mounts; the container comes anew then, with another ADD. */
    private void followAgain(Attachment attachment) throws IOException {
        if (attachment.state() != Attachment.State.MADE
                || !folders.isMounted(attachment.folder().mountPoint())) {
            return;
        }
        try {
            folders.follow(attachment.folder(), attachment.socketName());
        } catch (LinuxException e) {
            LOG.warn("can't open a socket to the switch: {} reason={}", attachment, e.getMessage());
        }
    }

    /**
     * Makes folder and mount, or whatever of them is missing.
     *
     * @throws CniException why that failed; then what this call made is gone again
     */
    void prepare(Attachment wanted, Deadline deadline) throws CniException, InterruptedException {
        try (var _ = hold(wanted, deadline)) {
            PreparedFolder prepared = folders.prepare(wanted.folder().location());
            if (!prepared.folder().equals(wanted.folder())) {
                folders.rollback(prepared);
                throw new CniException(
                        ErrorCode.TRY_AGAIN,
                        "the path of " + wanted.folder().location() + " changed while the folder was made",
                        "try again");
            }
            freshParents.addAll(prepared.createdParents());
            if (prepared.createdFolder()) {
                own.add(wanted.folder().mountPoint());
            }
            folders.follow(wanted.folder(), wanted.socketName());
        } catch (IOException e) {
            throw cannotPrepare(wanted, e);
        }
    }

    /**
     * Whether there is a mount already: then the switch connects to what stands in the socket's place as soon as it has the
     * port.
     *
     * @throws CniException what the folder can't be made for
     */
    boolean isMounted(Attachment wanted) throws CniException {
        try {
            folders.refuseWhatIsInTheWay(wanted.folder().location());
            return folders.isMounted(wanted.folder().mountPoint());
        } catch (IOException e) {
            throw cannotPrepare(wanted, e);
        }
    }

    private static CniException cannotPrepare(Attachment wanted, IOException e) {
        boolean ofPod = wanted.folder().location().layout() != FolderLocation.Layout.SHARED_DIR;
        Errno errno = e instanceof LinuxException linux ? linux.errno() : Errno.OTHER;
        return switch (errno) {
            case ELOOP, ENOTDIR, EXDEV ->
                cannotPrepare(
                        wanted,
                        e,
                        ErrorCode.CONFIGURATION,
                        ofPod
                                ? "the pod has a link, a file or a mount there, where the socket's folder should be"
                                : "no part of sharedDir below the node's root may be a link or a file");
            case EOPNOTSUPP ->
                cannotPrepare(
                        wanted,
                        e,
                        ErrorCode.CONFIGURATION,
                        "the switch does not run as root, so it needs a folder on a file system with access control lists");
            case ENOENT ->
                ofPod
                        ? cannotPrepare(wanted, e, ErrorCode.TRY_AGAIN, "the pod's volume is gone")
                        : cannotPrepare(wanted, e, ErrorCode.IO, "");
            default -> cannotPrepare(wanted, e, ErrorCode.IO, "");
        };
    }

    private static CniException cannotPrepare(Attachment wanted, IOException e, ErrorCode code, String details) {
        return new CniException(
                code, "can't make the socket folder " + wanted.folder().location() + ": " + e.getMessage(), details, e);
    }

    private static boolean isOurs(Attachment attachment) {
        return attachment.folder().location().layout().isOurs();
    }

    /**
     * Takes away what stands in the place of a socket that is to come, left by an earlier sandbox of the pod, or put there
     * by it: a server can't bind where there is something, and the switch must not connect to it.
     */
    void clear(Attachment wanted) throws CniException {
        try {
            folders.removeSocket(wanted.folder(), wanted.socketName());
        } catch (IOException e) {
            throw new CniException(
                    ErrorCode.IO,
                    "can't remove what stands at " + wanted.folder().location() + "/" + wanted.socketName() + ": "
                            + e.getMessage(),
                    "empty that volume, or delete the pod",
                    e);
        }
    }

    /** An attachment was made in it: a folder of ours goes with its last attachment only, one of others stays. */
    void keep(Attachment made) {
        if (isOurs(made)) {
            own.add(made.folder().mountPoint());
        } else {
            own.remove(made.folder().mountPoint());
        }
        freshParents.removeIf(parent -> location(made).startsWith(parent));
    }

    /**
     * Removes the attachment's socket, and with the last one the mount and the folder; a folder that was there before the
     * first ADD stays if no ADD succeeded in it. Forgets the attachment in the same moment: of two that go at once, the
     * second must see that it is the last.
     */
    void removeAndForget(Attachment leaving) throws IOException {
        try (var _ = hold(leaving)) {
            if (known.isAloneInFolder(leaving)) {
                if (!isOurs(leaving)) {
                    folders.removeSocket(leaving.folder(), leaving.socketName());
                }
                removeFolder(leaving.folder());
                removeFreshParents(leaving);
            } else {
                folders.leave(leaving.folder(), leaving.socketName());
                folders.removeSocket(leaving.folder(), leaving.socketName());
            }
            known.forget(leaving);
        }
    }

    private void removeFolder(SocketFolder folder) throws IOException {
        if (own.contains(folder.mountPoint())) {
            folders.remove(folder);
            own.remove(folder.mountPoint());
        } else {
            // The mount is always ours
            folders.rollback(new PreparedFolder(folder, List.of(), false, true));
        }
    }

    private void removeFreshParents(Attachment attachment) throws IOException {
        List<Path> fresh = freshParents.stream()
                .filter(parent -> location(attachment).startsWith(parent))
                .sorted()
                .toList();
        folders.rollback(new PreparedFolder(attachment.folder(), fresh, false, false));
        // One that another ADD uses is left to that one; one in which a pod has put something is the pod's
        fresh.stream().filter(parent -> !isUsedByOthers(parent, attachment)).forEach(freshParents::remove);
    }

    private boolean isUsedByOthers(Path parent, Attachment attachment) {
        return known.all().stream()
                .anyMatch(other ->
                        !other.id().equals(attachment.id()) && location(other).startsWith(parent));
    }

    /** How many folders are remembered because an ADD that is not done yet made them. */
    int unfinished() {
        return freshParents.size();
    }

    private static Path location(Attachment attachment) {
        return Path.of(attachment.folder().location().toString());
    }

    /**
     * What is wrong with folder or mount; empty when all is well.
     *
     * @throws CniException when that can't be found out
     */
    Optional<String> problem(Attachment attachment) throws CniException {
        try {
            return folders.verify(attachment.folder());
        } catch (IOException e) {
            throw new CniException(
                    ErrorCode.IO, "can't look at " + attachment.folder().location() + ": " + e.getMessage(), "", e);
        }
    }

    /** Removes the mounts and mount points that belong to nothing. What can't be removed harms nobody. */
    void removeLeftovers(Predicate<Path> inUse) throws IOException {
        for (Path mountPoint : folders.mountPoints()) {
            try {
                if (!removeLeftover(mountPoint, inUse) && !isKnown(mountPoint)) {
                    LOG.warn(
                            "left a mount that belongs to no attachment, because a port uses it: mount={}", mountPoint);
                }
            } catch (IOException e) {
                LOG.warn("can't unmount: mount={} reason={}", mountPoint, e.getMessage());
            }
        }
    }

    /**
     * The mount points that belong to no attachment and to no port, with a mount or without.
     *
     * @param inUse whether a port reaches its socket through the mount
     */
    Set<Path> leftovers(Predicate<Path> inUse) throws IOException {
        return folders.mountPoints().stream()
                .filter(mountPoint -> isLeftover(mountPoint, inUse))
                .collect(Collectors.toCollection(TreeSet::new));
    }

    /** @return false if it has come to belong to something */
    boolean removeLeftover(Path mountPoint, Predicate<Path> inUse) throws IOException {
        try (var _ = locks.hold(mountPoint)) {
            if (!isLeftover(mountPoint, inUse)) {
                return false;
            }
            LOG.info("unmounting what belongs to no attachment: mount={}", mountPoint);
            folders.unmount(mountPoint);
            return true;
        }
    }

    private boolean isLeftover(Path mountPoint, Predicate<Path> inUse) {
        return !isKnown(mountPoint) && !inUse.test(mountPoint);
    }

    private boolean isKnown(Path mountPoint) {
        return known.all().stream()
                .anyMatch(attachment -> attachment.folder().mountPoint().equals(mountPoint));
    }

    /** The folder of all mounts: what the switch reaches elsewhere is another agent's. */
    Path mounts() {
        return folders.mountRoot();
    }

    private KeyedLocks.Held hold(Attachment attachment, Deadline deadline) throws CniException, InterruptedException {
        return locks.hold(attachment.folder().mountPoint(), deadline.remaining())
                .orElseThrow(() -> new CniException(
                        ErrorCode.TRY_AGAIN,
                        "other work on " + attachment.folder().location() + " took too long",
                        "try again"));
    }

    /** Whoever holds it makes or removes files and mounts, which ends by itself: no deadline. */
    private KeyedLocks.Held hold(Attachment attachment) {
        return locks.hold(attachment.folder().mountPoint());
    }
}
