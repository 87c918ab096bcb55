package io.ovsdpdk.agent.host;

import static io.ovsdpdk.agent.host.Errno.EISDIR;
import static io.ovsdpdk.agent.host.Errno.ELOOP;
import static io.ovsdpdk.agent.host.Errno.ENOENT;
import static io.ovsdpdk.agent.host.Errno.ENOTDIR;
import static io.ovsdpdk.agent.host.Errno.ENOTEMPTY;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The socket folders of this node: made, mounted for OVS, checked, removed. All state is in the file system and in the
 * kernel's mounts, so an agent that was killed goes on where it was.
 *
 * <p>For any number of threads. {@code locks} holds one lock for each mount point, hence for each container's folder by
 * its resolved path: it serialises everything that is done to that folder and its mount. Nothing is locked for the
 * folders above, which callers share: another's rollback may remove an empty one of them while we make ours in it,
 * which the kernel tells us as ENOENT, and then we begin again.
 */
public final class SocketFolders {

    /** Of a trusted root that is missing: others may walk through, but not see what there is. */
    private static final int ROOT_MODE = 0711;

    /**
     * Each attempt after the first means that somebody else removed a folder within the microseconds between our
     * opening it and making one in it; a hundred in a row mean something else.
     */
    private static final int ATTEMPTS = 100;

    private final LinuxCalls calls;
    private final Path mounts;
    private final MountRoot mountRoot;
    private final SocketAccess access;
    private final Duration removalLimit;
    private final KeyedLocks<Path> locks = new KeyedLocks<>();

    /**
     * @param mountRoot folder of the mounts, made when it is needed: root's, and the switch's to walk through
     * @param nosymfollow what to do on a kernel that can't refuse links
     * @param access what lets the switch into the folders; closed by whoever made it
     * @param removalLimit how long the removal of one folder may take
     */
    public SocketFolders(
            LinuxCalls calls, Path mountRoot, Nosymfollow nosymfollow, SocketAccess access, Duration removalLimit) {
        this.calls = calls;
        this.mounts = mountRoot;
        this.mountRoot = new MountRoot(calls, mountRoot, nosymfollow, access);
        this.access = access;
        this.removalLimit = removalLimit;
    }

    /** The folder of all mounts. */
    public Path mountRoot() {
        return mounts;
    }

    /**
     * Makes one mount and removes it. Besides the answer this warms the calls: the first of a process takes 7 to 14 ms.
     *
     * @throws IOException if /proc can't be read
     */
    public MountSupport probe() throws IOException {
        try (var _ = locks.hold(mountRoot.probePoint())) {
            return mountRoot.probe();
        }
    }

    /**
     * Where the folder and its mount are or would be. Touches nothing. A trusted root that does not exist is taken as
     * it is written.
     *
     * @throws IOException if /proc can't be read, or the trusted root can't be opened though it is there
     */
    public SocketFolder locate(FolderLocation location) throws IOException {
        try (Folder root = Folder.open(calls, location.trustedRoot())) {
            return folderOf(location, root.hostPath());
        } catch (LinuxException e) {
            if (e.is(ENOENT)) {
                return folderOf(location, location.trustedRoot());
            }
            throw e;
        }
    }

    private SocketFolder folderOf(FolderLocation location, Path resolvedRoot) {
        Path hostPath = resolvedRoot.resolve(location.relative());
        return new SocketFolder(location, hostPath, mountRoot.pointFor(hostPath));
    }

    /**
     * Makes the folder and mounts it. What is missing of the folders that are ours to make is made root's; what is there
     * is left as it is, but must be folders. A socket folder that is ours gets its owner and mode also if it was there; one
     * that is not ours gets them when we make it. A mount that shows this very folder with the right flags stays; another
     * one is replaced. If this fails, what it made is gone again, and another's folder has the rights that it had; a folder of
     * ours that was there keeps its new ones. A mount that is made inside the folder later does not show in ours.
     *
     * @throws LinuxException {@link Errno#ENOENT} if the volume is missing, {@link Errno#ELOOP} or {@link Errno#ENOTDIR}
     *     if a link or a file is in the way below the trusted root and it is not one of our own names in a pod's volume,
     *     {@link Errno#EXDEV} if the socket folder of a container is a mount point, {@link Errno#EINVAL} or
     *     {@link Errno#ENOSYS} if nosymfollow is required and missing, {@link Errno#EOPNOTSUPP} if the switch is not root
     *     and the file system has no access control lists, and any other error of the file system
     * @throws IOException if /proc can't be read, or the switch can't walk to the folder of the mounts
     */
    public PreparedFolder prepare(FolderLocation location) throws IOException {
        for (int attempt = 1; ; attempt++) {
            try {
                return prepareOnce(location);
            } catch (LinuxException e) {
                if (!e.is(ENOENT) || attempt == ATTEMPTS) {
                    throw e;
                }
            }
        }
    }

    /**
     * Refuses what {@link #prepare} would refuse for what stands in the way of the folder, and makes and changes nothing.
     *
     * @throws LinuxException {@link Errno#ELOOP}, {@link Errno#ENOTDIR} or {@link Errno#EXDEV}, as there
     */
    public void refuseWhatIsInTheWay(FolderLocation location) throws LinuxException {
        if (location.layout() == FolderLocation.Layout.HOOKS) {
            // What a pod has put there is removed
            return;
        }
        boolean inVolume = location.layout() == FolderLocation.Layout.VOLUME;
        try (Folder root = Folder.open(calls, location.trustedRoot());
                Folder parent =
                        root.openBelow(inVolume ? location.relative() : location.parent(), Folder.Mounts.CROSSED)) {
            if (!inVolume) {
                parent.openChild(location.fileName(), Folder.Mounts.REFUSED).close();
            }
        } catch (LinuxException e) {
            if (!e.is(ENOENT)) {
                throw e;
            }
        }
    }

    private PreparedFolder prepareOnce(FolderLocation location) throws IOException {
        List<Path> parents = new ArrayList<>();
        // Held open until the end: in a root that is removed meanwhile nothing can be made, so its path stays true
        try (Folder root = openRoot(location, parents)) {
            SocketFolder folder = folderOf(location, root.hostPath());
            try (var _ = locks.hold(folder.mountPoint());
                    Folder parent = makeParents(root, location, parents)) {
                return prepareIn(parent, folder, parents);
            }
        } catch (IOException e) {
            removeParents(new Steps(e), location, parents);
            throw e;
        }
    }

    /** Another's volume is never made. */
    private Folder openRoot(FolderLocation location, List<Path> created) throws LinuxException {
        return location.layout() == FolderLocation.Layout.SHARED_DIR
                ? Folder.openOrMake(calls, location.trustedRoot(), ROOT_MODE, created)
                : Folder.open(calls, location.trustedRoot());
    }

    private PreparedFolder prepareIn(Folder parent, SocketFolder folder, List<Path> parents) throws IOException {
        FolderLocation location = folder.location();
        Folder.Child child = makeSocketFolder(parent, location);
        try (Folder container = child.folder()) {
            boolean createdMount = openAndMount(container, folder);
            return new PreparedFolder(folder, parents, child.created(), createdMount);
        } catch (IOException e) {
            if (child.created()) {
                new Steps(e).take(() -> removeTree(location));
            }
            throw e;
        }
    }

    private static Folder.Child makeSocketFolder(Folder parent, FolderLocation location) throws LinuxException {
        Ownership owner = location.owner();
        return switch (location.layout()) {
            case VOLUME -> new Folder.Child(parent.openBelow(Path.of(""), Folder.Mounts.CROSSED), false);
            case SUB_FOLDER ->
                parent.makeChild(location.fileName(), owner.mode(), owner.uid(), owner.gid(), Folder.Mounts.REFUSED);
            case SHARED_DIR -> makeOwn(parent, location.fileName(), owner);
            case HOOKS -> makeInPlace(parent, location.fileName(), owner);
        };
    }

    /** With this owner and mode also if it was there. */
    private static Folder.Child makeOwn(Folder parent, FileName name, Ownership owner) throws LinuxException {
        Folder.Child child = parent.makeChild(name, owner.mode(), owner.uid(), owner.gid(), Folder.Mounts.REFUSED);
        if (!child.created()) {
            try {
                child.folder().setOwnerAndMode(owner.mode(), owner.uid(), owner.gid());
            } catch (LinuxException e) {
                child.folder().closeAfter(e);
                throw e;
            }
        }
        return child;
    }

    /**
     * Likewise, and what a pod has put into our place, and is no folder, is removed: a link and not what it leads to. A pod
     * that goes on doing so gets no socket.
     */
    private static Folder.Child makeInPlace(Folder parent, FileName name, Ownership owner) throws LinuxException {
        for (int attempt = 1; ; attempt++) {
            try {
                return makeOwn(parent, name, owner);
            } catch (LinuxException e) {
                if (!e.is(ELOOP, ENOTDIR) || attempt == ATTEMPTS) {
                    throw e;
                }
            }
            try {
                parent.unlink(name);
            } catch (LinuxException e) {
                // gone, or a folder by now
                if (!e.is(ENOENT, EISDIR)) {
                    throw e;
                }
            }
        }
    }

    /** @return whether there was no such mount before */
    private boolean openAndMount(Folder container, SocketFolder folder) throws IOException {
        boolean letIn = openToSwitch(container, folder.location().layout());
        try {
            requireWay(container, folder);
            return mountRoot.mount(container, mountRoot.nameOf(folder.mountPoint()));
        } catch (IOException e) {
            if (letIn) {
                new Steps(e).take(() -> access.close(container));
            }
            throw e;
        }
    }

    /** @return whether another's folder has other rights now */
    private boolean openToSwitch(Folder container, FolderLocation.Layout layout) throws LinuxException {
        if (layout.isOurs()) {
            access.openOwn(container);
            return false;
        }
        return access.open(container);
    }

    /** For the switch, to the folder through our mount. */
    private void requireWay(Folder container, SocketFolder folder) throws IOException {
        mountRoot.make();
        Optional<String> problem = access.problem(container, folder.mountPoint().getParent());
        if (problem.isPresent()) {
            throw new IOException(problem.get());
        }
    }

    /** Another's folder stays, and gets its rights back. */
    private void closeToSwitch(FolderLocation location) throws LinuxException {
        Optional<Folder> container =
                location.layout().isOurs() ? Optional.empty() : openIfThere(location, location.relative());
        if (container.isPresent()) {
            try (Folder opened = container.get()) {
                access.close(opened);
            }
        }
    }

    /**
     * From now on the switch can connect to a socket of a prepared folder, if it is there and whenever it appears, until it
     * or the folder is removed.
     *
     * @param fileName {@code <ifname>.sock}
     * @throws LinuxException {@link Errno#ENOENT} if there is no mount, {@link Errno#ENOSPC} if the kernel watches no more
     *     folders
     * @throws IllegalArgumentException if the mount point is not in this mount root, or the name can't be that of a file
     */
    public void follow(SocketFolder folder, String fileName) throws LinuxException {
        mountRoot.nameOf(folder.mountPoint());
        access.follow(folder.mountPoint(), FileName.of(fileName));
    }

    /**
     * The socket of this name is left to itself from now on.
     *
     * @param fileName {@code <ifname>.sock}
     * @throws IllegalArgumentException if the name can't be that of a file
     */
    public void leave(SocketFolder folder, String fileName) throws LinuxException {
        access.leave(folder.mountPoint(), FileName.of(fileName));
    }

    /**
     * Opens the folder that the container's folder is in, making what is missing and adding that to {@code created}.
     */
    private static Folder makeParents(Folder root, FolderLocation location, List<Path> created) throws LinuxException {
        Folder folder = root.openBelow(location.volume(), Folder.Mounts.CROSSED);
        Path path = location.trustedRoot().resolve(location.volume());
        for (Path component : location.belowComponents()) {
            path = path.resolve(component);
            FileName name = FileName.of(component.toString());
            try (Folder parent = folder) {
                Folder.Child child = makeParent(parent, name, location.layout());
                if (child.created()) {
                    created.add(path);
                }
                folder = child.folder();
            }
        }
        return folder;
    }

    private static Folder.Child makeParent(Folder parent, FileName name, FolderLocation.Layout layout)
            throws LinuxException {
        return layout == FolderLocation.Layout.HOOKS
                ? makeInPlace(parent, name, new Ownership(0, 0, layout.parentMode()))
                : parent.makeChild(name, layout.parentMode(), 0, 0, Folder.Mounts.CROSSED);
    }

    /**
     * Takes away what {@link #prepare} made, and nothing that was there before: the mount, the switch's rights to another's
     * folder, the container's folder with all that is in it, and of the folders above those that are empty. Whoever calls this sees to it that no other
     * attachment has come to use the folder since.
     *
     * @throws IOException as {@link #remove}
     */
    public void rollback(PreparedFolder made) throws IOException {
        SocketFolder folder = made.folder();
        FileName mountPoint = mountRoot.nameOf(folder.mountPoint());
        try (var _ = locks.hold(folder.mountPoint())) {
            Steps steps = new Steps();
            if (made.createdMount()) {
                unmount(steps, folder.mountPoint(), mountPoint);
                steps.take(() -> closeToSwitch(folder.location()));
            }
            if (made.createdFolder()) {
                steps.take(() -> removeTree(folder.location()));
            }
            removeParents(steps, folder.location(), made.createdParents());
            steps.finish();
        }
    }

    private void unmount(Steps steps, Path mountPoint, FileName name) {
        steps.take(() -> access.leave(mountPoint));
        steps.take(() -> mountRoot.unmount(name));
    }

    private void removeParents(Steps steps, FolderLocation location, List<Path> created) {
        for (Path parent : created.reversed()) {
            steps.take(() -> removeIfEmpty(location, parent));
        }
    }

    private void removeIfEmpty(FolderLocation location, Path path) throws LinuxException {
        FileName name = FileName.of(path.getFileName().toString());
        try (Folder parent = openParent(location, path)) {
            parent.removeFolder(name);
        } catch (LinuxException e) {
            // in use by another, gone, or something else by now: none of them is ours to remove
            if (!e.is(ENOTEMPTY, ENOENT, ENOTDIR, ELOOP)) {
                throw e;
            }
        }
    }

    /** The folder above {@code path}: by descriptor below the trusted root, else by its trusted path. */
    private Folder openParent(FolderLocation location, Path path) throws LinuxException {
        Path root = location.trustedRoot();
        if (path.equals(root) || !path.startsWith(root)) {
            return Folder.open(calls, path.getParent());
        }
        try (Folder trusted = Folder.open(calls, root)) {
            return trusted.openBelow(root.relativize(path.getParent()), Folder.Mounts.CROSSED);
        }
    }

    /**
     * Unmounts whatever is at the folder's mount point, and removes the mount point and the socket folder with all that is
     * in it, but no volume; the folders above stay, save for one of ours in a pod's volume that is empty then. If a link or
     * a file stands where the folder was, that is removed and nothing else. Nothing there is success, also in part. Each
     * step is taken even if one before it fails.
     *
     * @throws TreeNotRemovedException if something stays: a mount in the folder, or the time was not enough
     * @throws IOException any other error of the file system
     * @throws IllegalArgumentException if the mount point is not in this mount root
     */
    public void remove(SocketFolder folder) throws IOException {
        FileName mountPoint = mountRoot.nameOf(folder.mountPoint());
        try (var _ = locks.hold(folder.mountPoint())) {
            Steps steps = new Steps();
            unmount(steps, folder.mountPoint(), mountPoint);
            steps.take(() -> removeTree(folder.location()));
            if (folder.location().layout() == FolderLocation.Layout.HOOKS) {
                removeParents(
                        steps,
                        folder.location(),
                        List.of(folder.location().path().getParent()));
            }
            steps.finish();
        }
    }

    /** A volume is not ours to remove. */
    private void removeTree(FolderLocation location) throws IOException {
        Optional<Folder> parent = location.layout() == FolderLocation.Layout.VOLUME
                ? Optional.empty()
                : openIfThere(location, location.parent());
        if (parent.isPresent()) {
            try (Folder folder = parent.get()) {
                folder.removeTree(location.fileName(), removalLimit);
            }
        }
    }

    /**
     * Unmounts whatever is mounted there, and removes the mount point: for one of {@link #mountPoints} that belongs to
     * no attachment. Nothing there is success.
     *
     * @throws IllegalArgumentException if the mount point is not in this mount root
     */
    public void unmount(Path mountPoint) throws IOException {
        FileName name = mountRoot.nameOf(mountPoint);
        try (var _ = locks.hold(mountPoint)) {
            Steps steps = new Steps();
            unmount(steps, mountPoint, name);
            steps.finish();
        }
    }

    /**
     * Removes one socket from a folder that stays for others. Whatever a pod has put in its place is removed instead: a
     * link and not what it leads to, a folder with all that is in it. Nothing there is success.
     *
     * @param fileName {@code <ifname>.sock}
     * @throws IOException as {@link #remove}
     * @throws IllegalArgumentException if the name can't be that of a file
     */
    public void removeSocket(SocketFolder folder, String fileName) throws IOException {
        FileName name = FileName.of(fileName);
        FolderLocation location = folder.location();
        try (var _ = locks.hold(folder.mountPoint())) {
            Optional<Folder> container = openIfThere(location, location.relative());
            if (container.isPresent()) {
                try (Folder opened = container.get()) {
                    opened.removeTree(name, removalLimit);
                }
            }
        }
    }

    /** The mount points of socket folders, with something mounted on them or not, sorted; what a stranger made is left out. */
    public List<Path> mountPoints() throws IOException {
        return mountRoot.points();
    }

    /**
     * Whether anything is mounted there.
     *
     * @throws IllegalArgumentException if the mount point is not in this mount root
     */
    public boolean isMounted(Path mountPoint) throws LinuxException {
        return mountRoot.isMounted(mountRoot.nameOf(mountPoint));
    }

    /**
     * What is wrong with a folder that was prepared: missing or replaced, not mounted, something else mounted, flags
     * missing, closed to the switch. Empty if all is well.
     *
     * @throws IOException if that can't be found out
     */
    public Optional<String> verify(SocketFolder folder) throws IOException {
        FolderLocation location = folder.location();
        FileName mountPoint = mountRoot.nameOf(folder.mountPoint());
        try (var _ = locks.hold(folder.mountPoint());
                Folder root = Folder.open(calls, location.trustedRoot());
                Folder container = root.openBelow(location.relative(), Folder.Mounts.CROSSED)) {
            Optional<String> problem = mountRoot.problem(container, mountPoint);
            if (problem.isEmpty()) {
                problem = access.problem(container, folder.mountPoint().getParent());
            }
            return problem.isPresent() ? problem : ownershipProblem(container, location);
        } catch (LinuxException e) {
            if (isMissing(e)) {
                return Optional.of("the socket folder is gone or was replaced: " + e.getMessage());
            }
            throw e;
        }
    }

    /** Only of a folder that is ours through and through; a pod may do with its volume what it likes. */
    private static Optional<String> ownershipProblem(Folder container, FolderLocation location) throws LinuxException {
        Ownership owner = location.owner();
        FileStatus status = container.status();
        boolean ours = location.layout() == FolderLocation.Layout.SHARED_DIR
                || location.layout() == FolderLocation.Layout.HOOKS;
        // The mask of a list of rights stands in the group's place
        boolean right = status.uid() == owner.uid()
                && status.gid() == owner.gid()
                && (status.permissions() & 0707) == (owner.mode() & 0707);
        return ours && !right
                ? Optional.of("the socket folder has owner %d:%d and mode %o instead of %d:%d and %o"
                        .formatted(
                                status.uid(),
                                status.gid(),
                                status.permissions(),
                                owner.uid(),
                                owner.gid(),
                                owner.mode()))
                : Optional.empty();
    }

    /** Empty where there is no folder of that path, or a link or a file on the way to it. */
    private Optional<Folder> openIfThere(FolderLocation location, Path below) throws LinuxException {
        try (Folder root = Folder.open(calls, location.trustedRoot())) {
            return Optional.of(root.openBelow(below, Folder.Mounts.CROSSED));
        } catch (LinuxException e) {
            if (isMissing(e)) {
                return Optional.empty();
            }
            throw e;
        }
    }

    private static boolean isMissing(LinuxException e) {
        return e.is(ENOENT, ENOTDIR, ELOOP);
    }

    /** Steps that are taken even if one before them fails; the first failure is thrown in the end, with the others. */
    private static final class Steps {

        private IOException failure;

        Steps() {}

        /** For steps taken because of a failure, to which theirs are added. */
        Steps(IOException failure) {
            this.failure = failure;
        }

        private interface Step {
            void take() throws IOException;
        }

        void take(Step step) {
            try {
                step.take();
            } catch (IOException e) {
                if (failure == null) {
                    failure = e;
                } else {
                    failure.addSuppressed(e);
                }
            }
        }

        void finish() throws IOException {
            if (failure != null) {
                throw failure;
            }
        }
    }
}
