package io.ovsdpdk.agent;

import io.ovsdpdk.api.AttachmentId;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongSupplier;

/**
 * The ADDs with IPAM whose first half came and whose second half is awaited (see
 * {@link io.ovsdpdk.api.Request.Announce}). One attachment's is opened and closed by the holder of its lock only.
 */
final class Announcements {
    /** As {@link io.ovsdpdk.api.Request.Announce} promises. */
    static final Duration LIFE = Duration.ofMinutes(2);

    private final LongSupplier nanoTime;

    /** When each was opened. */
    private final Map<AttachmentId, Long> open = new ConcurrentHashMap<>();

    /** When each was deleted whose second half may still come. */
    private final Map<AttachmentId, Long> withdrawn = new ConcurrentHashMap<>();

    /** @param nanoTime a clock like {@link System#nanoTime} */
    Announcements(LongSupplier nanoTime) {
        this.nanoTime = nanoTime;
    }

    /** Whether the attachment was announced, nothing has come of it yet, and its time is not up. */
    boolean isOpen(AttachmentId id) {
        Long since = open.get(id);
        return since != null && !isOver(since);
    }

    void open(AttachmentId id) {
        forgetOld();
        withdrawn.remove(id);
        open.put(id, nanoTime.getAsLong());
    }

    /**
     * An ADD came, with or without an announcement.
     *
     * @return false when it was announced and then deleted
     */
    boolean close(AttachmentId id) {
        open.remove(id);
        Long since = withdrawn.remove(id);
        return since == null || isOver(since);
    }

    /** A DEL came: the second half of an ADD that was announced comes too late. */
    void withdraw(AttachmentId id) {
        forgetOld();
        if (open.remove(id) != null) {
            withdrawn.put(id, nanoTime.getAsLong());
        }
    }

    private void forgetOld() {
        open.values().removeIf(this::isOver);
        withdrawn.values().removeIf(this::isOver);
    }

    private boolean isOver(long since) {
        return nanoTime.getAsLong() - since >= LIFE.toNanos();
    }

    /** How many are kept, over or not. */
    int size() {
        return open.size() + withdrawn.size();
    }
}
