package io.ovsdpdk.agent;

import io.ovsdpdk.api.DeletionQueue;
import java.io.IOException;
import java.nio.file.ClosedWatchServiceException;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Carries out the deletions that plugins left in the queue while no agent was there: before the agent serves, and as they
 * appear while it runs (a plugin may have found it too busy to answer).
 *
 * <p>Threads: one waits for new files; each deletion has a virtual thread of its own, so that a switch that is away holds
 * them up all together and not one after the other.
 */
final class LeftDeletions implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(LeftDeletions.class);

    private static final Duration LOCK_PATIENCE = Duration.ofSeconds(10);

    /** The kernel tells of new files; should it not, because somebody removed the folder for instance, we look. */
    private static final Duration LONGEST_WAIT = Duration.ofMinutes(1);

    private final DeletionQueue queue;
    private final Attachments attachments;
    private final WatchService watch;
    private final Thread watcher = Thread.ofVirtual().name("deletions").unstarted(this::followQueue);

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

    /**
     * Carries out what is in the queue now. A deletion that can't be finished goes on in the background like any other.
     *
     * @throws IOException when the queue can't be read
     */
    void carryOut() throws IOException, InterruptedException {
        List<DeletionQueue.Entry> entries = queue.entries();
        CountDownLatch done = new CountDownLatch(entries.size());
        List<DeletionQueue.Entry> carriedOut = new ArrayList<>();
        for (DeletionQueue.Entry entry : entries) {
            Thread.ofVirtual().name("deletion").start(() -> {
                try {
                    attachments.delete(entry.id());
                    synchronized (carriedOut) {
                        carriedOut.add(entry);
                    }
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                } finally {
                    done.countDown();
                }
            });
        }
        done.await();
        if (!entries.isEmpty()) {
            try (DeletionQueue.Held held = lock()) {
                for (DeletionQueue.Entry entry : carriedOut) {
                    queue.remove(entry, held);
                }
            }
            LOG.info("carried out what plugins left: deletions={}", carriedOut.size());
        }
    }

    /** From now on they are carried out as they appear. */
    void follow() {
        watcher.start();
    }

    private void followQueue() {
        try {
            while (true) {
                // Before each wait: one may have come before the watch was there
                carryOutOrTell();
                WatchKey key = watch.poll(LONGEST_WAIT.toNanos(), TimeUnit.NANOSECONDS);
                if (key != null) {
                    key.pollEvents();
                    key.reset();
                }
            }
        } catch (InterruptedException | ClosedWatchServiceException e) {
            LOG.debug("the queue of deletions is not followed any longer");
        }
    }

    private void carryOutOrTell() throws InterruptedException {
        try {
            carryOut();
        } catch (IOException e) {
            LOG.warn("the queue of deletions can't be worked off: {}", e.toString());
        }
    }

    @Override
    public void close() throws IOException {
        watch.close();
    }
}
