package io.ovsdpdk.agent;

import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.PodIdentity;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongSupplier;

/**
 * The ADDs with IPAM whose first half came and whose second half is awaited (see
 * {@link io.ovsdpdk.api.Request.Announce}). One attachment's is opened and closed by the holder of its lock only.
 */
final class Announcements {
    /** As {@link io.ovsdpdk.api.Request.Announce} promises: the least. */
    static final Duration LIFE = Duration.ofMinutes(2);

    /** Between the halves an IPAM plugin runs three times at most, each for as long as the request's time-out. */
    private static final int RUNS = 4;

    private final LongSupplier nanoTime;

    /** @param end when it is over */
    private record Announcement(PodIdentity pod, long end) {}

    private final Map<AttachmentId, Announcement> open = new ConcurrentHashMap<>();

    /** Those that were deleted and whose second half may still come, and when that is over. */
    private final Map<AttachmentId, Long> withdrawn = new ConcurrentHashMap<>();

    /** @param nanoTime a clock like {@link System#nanoTime} */
    Announcements(LongSupplier nanoTime) {
        this.nanoTime = nanoTime;
    }

    /** Whether the attachment was announced, nothing has come of it yet, and its time is not up. */
    boolean isOpen(AttachmentId id) {
        Announcement announcement = open.get(id);
        return announcement != null && !isOver(announcement.end());
    }

    /** All of a pod that were announced and of which nothing has come yet. */
    List<AttachmentId> of(PodIdentity pod) {
        return open.entrySet().stream()
                .filter(entry -> entry.getValue().pod().equals(pod))
                .map(Map.Entry::getKey)
                .toList();
    }

    /** @param timeout that the request came with */
    void open(AttachmentId id, PodIdentity pod, Duration timeout) {
        forgetOld();
        withdrawn.remove(id);
        Duration life = timeout.multipliedBy(RUNS).compareTo(LIFE) > 0 ? timeout.multipliedBy(RUNS) : LIFE;
        open.put(id, new Announcement(pod, nanoTime.getAsLong() + life.toNanos()));
    }

    /**
     * An ADD came, with or without an announcement.
     *
     * @return false when it was announced and then deleted
     */
    boolean close(AttachmentId id) {
        open.remove(id);
        Long end = withdrawn.remove(id);
        return end == null || isOver(end);
    }

    /** A DEL came: the second half of an ADD that was announced comes too late. */
    void withdraw(AttachmentId id) {
        forgetOld();
        Announcement announcement = open.remove(id);
        if (announcement != null) {
            withdrawn.put(id, announcement.end());
        }
    }

    private void forgetOld() {
        open.values().removeIf(announcement -> isOver(announcement.end()));
        withdrawn.values().removeIf(this::isOver);
    }

    private boolean isOver(long end) {
        return nanoTime.getAsLong() - end >= 0;
    }

    /** How many are kept, over or not. */
    int size() {
        return open.size() + withdrawn.size();
    }
}
