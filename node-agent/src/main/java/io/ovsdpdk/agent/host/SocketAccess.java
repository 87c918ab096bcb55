package io.ovsdpdk.agent.host;

import static io.ovsdpdk.agent.host.AccessControlList.ACCESS;
import static io.ovsdpdk.agent.host.AccessControlList.DEFAULT;
import static io.ovsdpdk.agent.host.AccessControlList.EXECUTE;
import static io.ovsdpdk.agent.host.AccessControlList.WRITE;
import static io.ovsdpdk.agent.host.Errno.ENOENT;
import static io.ovsdpdk.agent.host.Errno.EOPNOTSUPP;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Lets an Open vSwitch that is not root connect to the sockets of guests, whatever their umask. Nothing of this is needed,
 * or done, for one that is root.
 *
 * <p>The switch's user gets what connect(2) needs and no more, by access control lists: to walk through a socket folder and
 * to write to the socket. A folder of ours hands the latter down to what is made in it, which is enough for sockets made
 * with a umask that leaves the group its write bit, as libvirt's QEMU has: they are connected to while no agent runs. Of
 * others the umask takes it away again; so each folder is watched, and a socket that appears is opened to the switch. A
 * folder that is not ours hands nothing down: with a default list the kernel ignores the umask of all that a pod makes.
 *
 * <p>What a pod does in its folder can't lead us elsewhere: a socket is looked up by its expected name through our mount,
 * held by a descriptor, and only that is looked at and changed. What else is there is never listed.
 *
 * <p>For any number of threads. The lock of this object protects {@code followed}, {@code watch} and {@code mountRoot} with
 * that folder's rights; other files are worked on without it, so that a slow file system holds up nobody else. Two threads that open one socket do the same twice.
 */
public final class SocketAccess implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(SocketAccess.class);
    private static final int NOT_WATCHED = -1;

    private final LinuxCalls calls;
    private final SwitchUser user;
    private final Map<Path, Followed> followed = new HashMap<>();
    private Optional<FolderWatch> watch = Optional.empty();
    private Optional<Path> mountRoot = Optional.empty();

    /** Between two attempts to watch again, when that has failed. */
    private static final Duration PAUSE = Duration.ofSeconds(1);

    private final CountDownLatch closed = new CountDownLatch(1);

    /** A mount of ours, and the sockets that are expected in it. */
    private static final class Followed {
        private final Path mountPoint;
        private final Set<FileName> sockets = new HashSet<>();
        private int watch = NOT_WATCHED;

        /** A pod can cause failures as often as it likes: only the first is told. */
        private boolean failed;

        private Followed(Path mountPoint) {
            this.mountPoint = mountPoint;
        }
    }

    /** What there is to look at, without a lock. */
    private record Look(Path mountPoint, List<FileName> sockets) {
        private Look(Followed folder) {
            this(folder.mountPoint, List.copyOf(folder.sockets));
        }
    }

    public SocketAccess(LinuxCalls calls, SwitchUser user) {
        this.calls = calls;
        this.user = user;
        tellUser();
    }

    private void tellUser() {
        LOG.info("the switch runs as user {}{}", user.uid(), user.isRoot() ? " or is not there yet" : "");
    }

    /**
     * Closes the folder of the mounts to all but root and the switch, which may walk through it, now and whenever that is
     * another user: a pod's folder may be anybody's to write to, and only the folders above keep others out. As long as
     * nobody knows the switch's user, whom an agent before this one let in stays.
     *
     * @throws LinuxException {@link Errno#EOPNOTSUPP} if the switch is not root and the file system has no access control
     *     lists
     */
    synchronized void enclose(Path path, Folder folder) throws LinuxException {
        mountRoot = Optional.of(path);
        AccessControlList ofRoot = AccessControlList.ofMode(0700);
        AccessControlList wanted = user.isRoot() ? ofRoot : ofRoot.granting(user.uid(), EXECUTE);
        Descriptor file = folder.descriptor();
        boolean heldOpen = !user.isKnown() && attribute(file).isPresent();
        if (heldOpen || list(file).equals(wanted)) {
            return;
        }
        if (user.isRoot() && attribute(file).isEmpty()) {
            // Also where there are no lists
            calls.fchmod(file, 0700);
        } else {
            set(file, ACCESS, wanted);
        }
    }

    /**
     * Lets the switch into a folder that was made for sockets, and to what will be made in it: that is its maker's and the
     * switch's, and nobody else's.
     *
     * @throws LinuxException {@link Errno#EOPNOTSUPP} on a file system without access control lists
     */
    void openOwn(Folder folder) throws LinuxException {
        lookIfUnknown();
        if (!user.isRoot()) {
            int mode = folder.status().permissions();
            set(folder.descriptor(), ACCESS, AccessControlList.ofMode(mode).granting(user.uid(), EXECUTE));
            set(folder.descriptor(), DEFAULT, AccessControlList.ofMode(0700).granting(user.uid(), WRITE));
        }
    }

    /**
     * Lets the switch into a folder that belongs to somebody else, whose rights stay as they are.
     *
     * @return whether it was not let in before
     * @throws LinuxException {@link Errno#EOPNOTSUPP} on a file system without access control lists
     */
    boolean open(Folder folder) throws LinuxException {
        lookIfUnknown();
        return !user.isRoot() && grant(folder.descriptor(), EXECUTE);
    }

    /** Takes back what {@link #open} gave: all rights are as if the switch had never been named. */
    void close(Folder folder) throws LinuxException {
        if (user.isRoot()) {
            return;
        }
        Optional<byte[]> present = attribute(folder.descriptor());
        if (present.isPresent()) {
            AccessControlList list = AccessControlList.decode(present.get());
            AccessControlList without = list.without(user.uid());
            if (!without.equals(list)) {
                set(folder.descriptor(), ACCESS, without);
            }
        }
    }

    /** Whoever makes a folder has seen the database, and so can see whose it is; others are told of that a moment later. */
    private void lookIfUnknown() {
        if (!user.isKnown()) {
            lookAgain();
        }
    }

    /**
     * What keeps the switch from walking to a folder's mount and into it; empty if nothing.
     *
     * @param root the folder of the mounts
     */
    Optional<String> problem(Folder folder, Path root) throws IOException {
        if (user.isRoot()) {
            return Optional.empty();
        }
        for (Path above = root.toRealPath(); above != null; above = above.getParent()) {
            if (isClosed(above)) {
                return Optional.of("the switch, which runs as user " + user.uid() + ", can't walk through " + above);
            }
        }
        return list(folder.descriptor()).grants(user.uid(), EXECUTE)
                ? Optional.empty()
                : Optional.of("the switch, which runs as user " + user.uid() + ", can't walk into " + folder);
    }

    private boolean isClosed(Path path) throws IOException {
        try (Folder folder = Folder.open(calls, path)) {
            return !list(folder.descriptor()).mayGrant(user.uid(), EXECUTE)
                    && (int) Files.getAttribute(path, "unix:uid") != user.uid();
        }
    }

    /**
     * From now on the socket of this name is opened to the switch: if it is there, when it appears, and when its
     * permissions change.
     *
     * @throws LinuxException {@link Errno#ENOSPC} when the kernel allows no more watches, {@link Errno#ENOENT} when there
     *     is no mount
     */
    void follow(Path mountPoint, FileName socket) throws LinuxException {
        Look look;
        synchronized (this) {
            Followed folder = followed.computeIfAbsent(mountPoint, Followed::new);
            folder.sockets.add(socket);
            look = new Look(folder);
            if (!user.isRoot()) {
                watch(folder);
            }
        }
        // Watched before: what appears while we look is seen then
        open(look);
    }

    /** Under the lock. A folder that was replaced since gets another watch. */
    private void watch(Followed folder) throws LinuxException {
        if (watch.isEmpty()) {
            watch = Optional.of(FolderWatch.start(calls, this::changed, this::watchAnew));
        }
        int number = watch.get().add(folder.mountPoint);
        if (number != folder.watch) {
            unwatch(folder);
            folder.watch = number;
        }
    }

    /** Under the lock. Two mounts may show one folder, which has one watch. */
    private void unwatch(Followed folder) throws LinuxException {
        int number = folder.watch;
        folder.watch = NOT_WATCHED;
        if (number != NOT_WATCHED
                && watch.isPresent()
                && followed.values().stream().noneMatch(other -> other.watch == number)) {
            watch.get().remove(number);
        }
    }

    /** The socket of this name is left alone from now on. Fine for one that was not followed. */
    synchronized void leave(Path mountPoint, FileName socket) throws LinuxException {
        Followed folder = followed.get(mountPoint);
        if (folder != null && folder.sockets.remove(socket) && folder.sockets.isEmpty()) {
            leave(mountPoint);
        }
    }

    /** Likewise for all sockets of a mount. */
    synchronized void leave(Path mountPoint) throws LinuxException {
        Followed folder = followed.remove(mountPoint);
        if (folder != null) {
            unwatch(folder);
        }
    }

    /** In the watch's thread. */
    private void changed(Set<Integer> watches) {
        List<Look> looks;
        synchronized (this) {
            looks = followed.values().stream()
                    .filter(folder -> watches.contains(folder.watch) || watches.contains(LinuxCalls.EVENTS_LOST))
                    .map(Look::new)
                    .toList();
        }
        looks.forEach(this::openOrTell);
    }

    /** In the thread of a watch that ended. */
    private void watchAnew() {
        try {
            boolean watched = isWatchedAnew();
            while (!watched && !closed.await(PAUSE.toNanos(), TimeUnit.NANOSECONDS)) {
                watched = isWatchedAnew();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** What ended the watch, memory that is short for instance, may go on for a while, and take more than one shape. */
    private boolean isWatchedAnew() {
        try {
            forgetWatch();
            watchAll();
            return !isUnwatched();
        } catch (LinuxException | RuntimeException | Error e) {
            LOG.error("socket folders are not watched yet, trying again: {}", e.toString());
            return false;
        }
    }

    /** One that this thread began, and has not looked at all folders since, ends. Fine for one that has ended. */
    private synchronized void forgetWatch() throws LinuxException {
        Optional<FolderWatch> before = watch;
        watch = Optional.empty();
        if (before.isPresent()) {
            before.get().close();
        }
        followed.values().forEach(folder -> folder.watch = NOT_WATCHED);
    }

    private synchronized boolean isUnwatched() {
        return watch.isEmpty() && !user.isRoot() && !followed.isEmpty();
    }

    /** What appeared meanwhile is opened. */
    private void watchAll() {
        List<Look> looks;
        synchronized (this) {
            if (closed.getCount() == 0) {
                return;
            }
            followed.values().forEach(this::watchOrNot);
            looks = followed.values().stream().map(Look::new).toList();
        }
        looks.forEach(this::openOrTell);
    }

    /** Whatever goes wrong with one folder, the others must be looked at. */
    private void openOrTell(Look look) {
        try {
            open(look);
        } catch (LinuxException | RuntimeException e) {
            tell(look.mountPoint(), e);
        }
    }

    private synchronized void tell(Path mountPoint, Exception e) {
        Followed folder = followed.get(mountPoint);
        if (folder != null && !folder.failed) {
            folder.failed = true;
            LOG.warn("can't open a socket to the switch: mount={} reason={}", mountPoint, e.toString());
        }
    }

    private void open(Look look) throws LinuxException {
        if (user.isRoot()) {
            return;
        }
        try (Folder folder = Folder.open(calls, look.mountPoint())) {
            // Again: its owner may have changed its mode, and with it the mask
            open(folder);
            for (FileName socket : look.sockets()) {
                open(folder, socket);
            }
        }
    }

    private void open(Folder folder, FileName name) throws LinuxException {
        Descriptor entry;
        try {
            entry = calls.openEntry(folder.descriptor(), name);
        } catch (LinuxException e) {
            if (e.is(ENOENT)) {
                return;
            }
            throw e;
        }
        try {
            if (calls.status(entry).isSocket()) {
                grant(entry, WRITE);
            }
        } finally {
            calls.close(entry);
        }
    }

    /** Changes nothing, and so causes no event, where the switch has the permission: then the answer is no. */
    private boolean grant(Descriptor file, int permission) throws LinuxException {
        AccessControlList list = list(file);
        if (list.grants(user.uid(), permission)) {
            return false;
        }
        set(file, ACCESS, list.granting(user.uid(), permission));
        LOG.debug("opened to the switch: {}", file.label());
        return true;
    }

    private AccessControlList list(Descriptor file) throws LinuxException {
        Optional<byte[]> value = attribute(file);
        return value.isPresent()
                ? AccessControlList.decode(value.get())
                : AccessControlList.ofMode(calls.status(file).mode());
    }

    /** A file system without lists has none of this file. */
    private Optional<byte[]> attribute(Descriptor file) throws LinuxException {
        try {
            return calls.attribute(file, ACCESS);
        } catch (LinuxException e) {
            if (e.is(EOPNOTSUPP)) {
                return Optional.empty();
            }
            throw e;
        }
    }

    private void set(Descriptor file, String attribute, AccessControlList list) throws LinuxException {
        calls.setAttribute(file, attribute, list.encode());
    }

    /** Looks whom the switch runs as now; another user gets access to all that is followed. */
    public void lookAgain() {
        if (!user.lookAgain()) {
            return;
        }
        tellUser();
        synchronized (this) {
            mountRoot.ifPresent(this::encloseOrTell);
        }
        watchAll();
    }

    /** One that is gone is enclosed when it is made again. */
    private void encloseOrTell(Path path) {
        try (Folder folder = Folder.open(calls, path)) {
            enclose(path, folder);
        } catch (LinuxException e) {
            LOG.warn("can't open the folder of the mounts to the switch: folder={} reason={}", path, e.getMessage());
        }
    }

    private void watchOrNot(Followed folder) {
        try {
            if (user.isRoot()) {
                unwatch(folder);
            } else {
                watch(folder);
            }
        } catch (LinuxException e) {
            tell(folder.mountPoint, e);
        }
    }

    /** Ends the watch. */
    @Override
    public synchronized void close() throws LinuxException {
        closed.countDown();
        if (watch.isPresent()) {
            watch.get().close();
            watch = Optional.empty();
        }
    }
}
