package io.ovsdpdk.agent.host;

import static io.ovsdpdk.agent.host.Errno.EEXIST;
import static io.ovsdpdk.agent.host.Errno.EISDIR;
import static io.ovsdpdk.agent.host.Errno.ELOOP;
import static io.ovsdpdk.agent.host.Errno.ENOENT;
import static io.ovsdpdk.agent.host.Errno.ENOTDIR;
import static io.ovsdpdk.agent.host.Errno.ENOTEMPTY;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * One removal of one entry of a folder with all that is in it. No recursion: a folder that is found inside is emptied,
 * and those of its own folders that are not empty are moved up into the folder being removed, under numbers, to be
 * emptied in their turn. So two folders are open at a time, and the memory of what is still to do is a pair of numbers.
 *
 * <p>A pod can work against it at the same time. Everything goes by descriptor, so it can at most change what is
 * removed of its own. Every folder is made root's, 0700, before it is listed; only a process with CAP_DAC_OVERRIDE can
 * still add to it, which the repetition and the time limit take care of.
 */
final class TreeRemoval {

    private static final int SEALED = 0700;
    private static final int FAILURES_SHOWN = 8;

    private final Folder parent;
    private final FileName name;
    private final Duration limit;
    private final long start = System.nanoTime();

    private final List<String> failures = new ArrayList<>();
    private boolean progress;
    private boolean late;

    /** Numbers of folders moved up: those below {@code emptied} are done, those from {@code moved} not yet given. */
    private long emptied;

    private long moved;

    private enum Outcome {
        GONE,
        NOT_EMPTY,
        LEFT
    }

    TreeRemoval(Folder parent, FileName name, Duration limit) {
        this.parent = parent;
        this.name = name;
        this.limit = limit;
    }

    void run() throws IOException {
        do {
            progress = false;
            failures.clear();
            switch (remove(parent, new DirectoryEntry(name, false))) {
                case GONE -> {
                    return;
                }
                case NOT_EMPTY -> clear();
                case LEFT -> {}
            }
        } while (progress && !late());
        throw new TreeNotRemovedException(
                parent.descriptor().labelOf(name.bytes()),
                late ? "not finished within " + limit : "not everything in it could be removed",
                failures);
    }

    private void clear() throws LinuxException {
        try (Folder folder = parent.openChild(name, Folder.Mounts.REFUSED)) {
            seal(folder);
            folder.visit(entry -> {
                if (!late() && remove(folder, entry) == Outcome.NOT_EMPTY) {
                    flatten(folder, entry.name());
                }
            });
        } catch (LinuxException e) {
            passOver(parent, name, e);
        }
    }

    /** Empties a folder found in {@code folder}, then every folder that had to be moved up for it. */
    private void flatten(Folder folder, FileName found) throws LinuxException {
        emptyInto(folder, found);
        while (emptied < moved && !late()) {
            emptyInto(folder, number(emptied++));
        }
    }

    private void emptyInto(Folder folder, FileName found) throws LinuxException {
        try (Folder sub = folder.openChild(found, Folder.Mounts.REFUSED)) {
            seal(sub);
            sub.visit(entry -> {
                if (!late() && remove(sub, entry) == Outcome.NOT_EMPTY) {
                    moveUp(sub, entry.name(), folder);
                }
            });
        } catch (LinuxException e) {
            passOver(folder, found, e);
        }
        remove(folder, new DirectoryEntry(found, true));
    }

    /** A name that a pod has made up beforehand costs one more attempt, once, since numbers only grow. */
    private void moveUp(Folder sub, FileName found, Folder folder) {
        while (!late()) {
            try {
                sub.rename(found, folder, number(moved));
                moved++;
                progress = true;
                return;
            } catch (LinuxException e) {
                if (!e.is(EEXIST, ENOTEMPTY, ENOTDIR)) {
                    passOver(sub, found, e);
                    return;
                }
                moved++;
            }
        }
    }

    private Outcome remove(Folder in, DirectoryEntry entry) {
        try {
            if (entry.folder()) {
                in.removeFolder(entry.name());
            } else {
                in.unlink(entry.name());
            }
            progress = true;
            return Outcome.GONE;
        } catch (LinuxException e) {
            if (e.is(ENOTEMPTY, EEXIST)) {
                return Outcome.NOT_EMPTY;
            }
            // the listing did not know its kind, or a pod has replaced it
            if (!entry.folder() && e.is(EISDIR)) {
                return remove(in, new DirectoryEntry(entry.name(), true));
            }
            passOver(in, entry.name(), e);
            return e.is(ENOENT) ? Outcome.GONE : Outcome.LEFT;
        }
    }

    /** What vanished or was replaced under us is a matter for the next round, all else stays and is reported. */
    private void passOver(Folder in, FileName found, LinuxException failure) {
        if (failure.is(ENOENT, ENOTDIR, ELOOP)) {
            progress = true;
        } else if (failures.size() < FAILURES_SHOWN) {
            failures.add(in.descriptor().labelOf(found.bytes()) + ": " + failure.errno() + " ("
                    + failure.errno().explanation() + ")");
        }
    }

    private static void seal(Folder folder) throws LinuxException {
        folder.setOwnerAndMode(SEALED, 0, 0);
    }

    private static FileName number(long number) {
        return new FileName("ovs-dpdk-cni.removed." + number);
    }

    private boolean late() {
        late = late || System.nanoTime() - start > limit.toNanos();
        return late;
    }
}
