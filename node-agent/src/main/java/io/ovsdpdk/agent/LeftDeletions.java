package io.ovsdpdk.agent;

import io.ovsdpdk.api.DeletionQueue;
import io.ovsdpdk.ovsdb.Deadline;
import java.io.IOException;
import java.nio.file.ClosedWatchServiceException;
import java.nio.file.Path;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Carries out the deletions that plugins left in the queue while no agent was there: before the agent serves, and as they
 * appear while it runs (a plugin may have found it too busy to answer). A deletion stays in the queue until it is done, or
 * until its checkpoint tells the next agent to go on with it.
 *
 * <p>Threads: one looks at the queue, at first the one that starts the agent, later the watcher. Each deletion has a virtual
 * thread of its own, so that a switch that is away holds them up all together and not one after the other.
 */
final class LeftDeletions implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(LeftDeletions.class);

    private static final Duration LOCK_PATIENCE = Duration.ofSeconds(10);

    /** For deletions before the agent serves: for the switch, and then for the removal of files. */
    private static final Duration START_PATIENCE = Duration.ofSeconds(15);

    /** The kernel tells of new files; should it not, because somebody removed the folder for instance, we look. */
    private static final Duration LONGEST_WAIT = Duration.ofMinutes(1);

    /** Between two looks at deletions that were begun, which cost microseconds. */
    private static final Duration SETTLING = Duration.ofMillis(250);

    private final DeletionQueue queue;
    private final Attachments attachments;
    private final WatchService watch;
    private final Thread watcher = Thread.ofVirtual().name("deletions").unstarted(this::followQueue);

    /** What was begun and is in the queue still; no more than that has room for. Belongs to the one thread that looks. */
    private final Map<DeletionQueue.Entry, Future<?>> begun = new HashMap<>();

    /** What could not be read at the last look. Likewise. */
    private Map<Path, String> unread = Map.of();

    /** @throws IOException when the queue's folder can't be made or watched */
    LeftDeletions(DeletionQueue queue, Attachments attachments) throws IOException {
        this.queue = queue;
        this.attachments = attachments;
        this.watch = queue.folder().getFileSystem().newWatchService();
        queue.folder().register(watch, StandardWatchEventKinds.ENTRY_CREATE);
    }

    /** Held while the agent begins to listen: {@link DeletionQueue} says why. */
    DeletionQueue.Held lock() throws IOException {
        return queue.lock(LOCK_PATIENCE);
    }

    /** Carries out what is in the queue now. A deletion that can't be finished goes on in the background like any other. */
    void carryOut() throws InterruptedException {
        dare(this::begin);
        Deadline enough = Deadline.after(START_PATIENCE);
        for (Future<?> deletion : begun.values()) {
            awaitAttempt(deletion, enough);
        }
        dare(this::takeOff);
    }

    private static void awaitAttempt(Future<?> deletion, Deadline deadline) throws InterruptedException {
        try {
            deletion.get(deadline.remaining().toNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException | ExecutionException e) {
            LOG.debug("a deletion that was left is not done yet: {}", e.toString());
        }
    }

    /** Those that are new in the queue. What is not there any more, or was left anew, is not waited for. */
    private void begin() throws IOException {
        DeletionQueue.Contents contents = queue.read();
        List<DeletionQueue.Entry> entries = contents.entries();
        begun.keySet().retainAll(Set.copyOf(entries));
        for (DeletionQueue.Entry entry : entries) {
            begun.computeIfAbsent(entry, _ -> attachments.beginDeletion(entry.id()));
        }
        tell(contents.unreadable());
        if (queue.hasHalfWritten()) {
            try (DeletionQueue.Held held = lock()) {
                queue.removeHalfWritten(held);
            }
        }
    }

    /** Once, and not at each look. */
    private void tell(Map<Path, String> unreadable) {
        if (!unreadable.equals(unread)) {
            unreadable.forEach((file, reason) ->
                    LOG.warn("no deletion that a plugin left, or one that can't be read: file={} {}", file, reason));
            unread = unreadable;
        }
    }

    /** Those of which nothing can be lost. One that failed by a bug is begun anew at the next look. */
    private void takeOff() throws IOException {
        begun.values().removeIf(deletion -> deletion.state() == Future.State.FAILED);
        List<DeletionQueue.Entry> settled = begun.entrySet().stream()
                .filter(entry -> attachments.isSettled(entry.getKey().id(), entry.getValue()))
                .map(Map.Entry::getKey)
                .toList();
        if (settled.isEmpty()) {
            return;
        }
        try (DeletionQueue.Held held = lock()) {
            for (DeletionQueue.Entry entry : settled) {
                queue.remove(entry, held);
                begun.remove(entry);
            }
        }
        LOG.info("carried out what plugins left: deletions={} unsettled={}", settled.size(), begun.size());
    }

    /** From now on they are carried out as they appear. */
    void follow() {
        watcher.start();
    }

    private void followQueue() {
        try {
            Deadline next = Deadline.after(LONGEST_WAIT);
            // Before the first wait: one may have come before the watch was there
            workOff(true);
            while (true) {
                Duration wait = begun.isEmpty() ? next.remaining() : SETTLING;
                WatchKey key = watch.poll(wait.toNanos(), TimeUnit.NANOSECONDS);
                boolean look = key != null || next.expired();
                if (key != null) {
                    key.pollEvents();
                    key.reset();
                }
                if (look) {
                    next = Deadline.after(LONGEST_WAIT);
                }
                workOff(look);
            }
        } catch (InterruptedException | ClosedWatchServiceException e) {
            LOG.debug("the queue of deletions is not followed any longer");
        }
    }

    /** @param look at what is new, too */
    private void workOff(boolean look) {
        if (look) {
            dare(this::begin);
        }
        dare(this::takeOff);
    }

    private interface Step {
        void take() throws IOException;
    }

    /** Whatever is wrong with the queue must not end the agent, nor the watch for good. */
    private static void dare(Step step) {
        try {
            step.take();
        } catch (IOException e) {
            LOG.warn("the queue of deletions can't be worked off: {}", e.toString());
        } catch (RejectedExecutionException e) {
            LOG.debug("the agent stops: what is in the queue is left to the next one");
        } catch (RuntimeException e) {
            LOG.error("a bug in the queue of deletions", e);
        }
    }

    @Override
    public void close() throws IOException {
        watch.close();
    }
}
