package io.ovsdpdk.agent.host;

import static io.ovsdpdk.agent.host.Errno.EINTR;
import static io.ovsdpdk.agent.host.Errno.EINVAL;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells when something appears in folders, or changes there. Java's own watch of folders has no limit to what it does:
 * here whoever makes files as fast as he can costs a reading every {@link #PAUSE}, and the kernel drops what its queue
 * does not hold, and says so.
 *
 * <p>One thread waits for events and hands them on. Everything else may be called by any thread.
 */
final class FolderWatch implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(FolderWatch.class);

    /** Little beside the second after which a switch tries again, much beside what a reading costs: some 0.1 ms. */
    private static final Duration PAUSE = Duration.ofMillis(20);

    /** A full queue of 16,384 events with usual names, in two readings. */
    private static final int BUFFER_BYTES = 256 * 1024;

    private final LinuxCalls calls;
    private final Consumer<Set<Integer>> listener;
    private final Runnable ended;
    private final Descriptor inotify;

    /** Its removal is an event, which ends the thread's waiting. */
    private final int bell;

    private final CountDownLatch closed = new CountDownLatch(1);

    private FolderWatch(
            LinuxCalls calls, Consumer<Set<Integer>> listener, Runnable ended, Descriptor inotify, int bell) {
        this.calls = calls;
        this.listener = listener;
        this.ended = ended;
        this.inotify = inotify;
        this.bell = bell;
    }

    /**
     * Starts the thread.
     *
     * @param listener gets the numbers of the watches that saw something, and {@link LinuxCalls#EVENTS_LOST} when others
     *     may have too
     * @param ended runs in the thread when it is about to end though nobody has closed the watch; nothing more is told, and
     *     nothing may be called any more when it returns
     */
    static FolderWatch start(LinuxCalls calls, Consumer<Set<Integer>> listener, Runnable ended) throws LinuxException {
        Descriptor inotify = calls.newInotify();
        try {
            int bell = calls.addWatch(inotify, "/", LinuxCalls.IN_DELETE_SELF);
            FolderWatch watch = new FolderWatch(calls, listener, ended, inotify, bell);
            Thread.ofPlatform().daemon().name("folder-watch").start(watch::run);
            return watch;
        } catch (LinuxException | RuntimeException | Error e) {
            // An Error too: threads may be short
            calls.close(inotify);
            throw e;
        }
    }

    /**
     * Watches the folder that is at this path now.
     *
     * @return the watch's number; the same for each path of one folder
     */
    int add(Path folder) throws LinuxException {
        return calls.addWatch(inotify, FileName.kernelBytes(folder), LinuxCalls.IN_APPEARED_OR_CHANGED);
    }

    /** Ends a watch; one whose folder is gone has ended by itself. */
    void remove(int watch) throws LinuxException {
        try {
            calls.removeWatch(inotify, watch);
        } catch (LinuxException e) {
            if (!e.is(EINVAL)) {
                throw e;
            }
        }
    }

    private void run() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(BUFFER_BYTES, 8);
            boolean rung;
            do {
                Set<Integer> watches = awaitEvents(buffer);
                rung = watches.contains(bell);
                listener.accept(watches);
            } while (!rung && !closed.await(PAUSE.toNanos(), TimeUnit.NANOSECONDS));
        } catch (InterruptedException | LinuxException | RuntimeException | Error e) {
            // An Error too, such as memory that is short for a moment: guests would not be connected to for ever
            LOG.error("socket folders are not watched for a moment: {}", e.toString());
        } finally {
            if (closed.getCount() > 0) {
                ended.run();
            }
            closeQueue();
        }
    }

    private Set<Integer> awaitEvents(MemorySegment buffer) throws LinuxException {
        try {
            return calls.awaitEvents(inotify, buffer);
        } catch (LinuxException e) {
            if (e.is(EINTR)) {
                return Set.of();
            }
            throw e;
        }
    }

    private void closeQueue() {
        try {
            calls.close(inotify);
        } catch (LinuxException e) {
            LOG.warn("{}", e.getMessage());
        }
    }

    /**
     * Ends the thread, soon. To be called once, and nothing after it. The bell is rung first: the thread must not close the
     * queue before. Should the queue be full and lose that event, the thread is not waiting, and looks at {@code closed}.
     */
    @Override
    public void close() throws LinuxException {
        remove(bell);
        closed.countDown();
    }
}
