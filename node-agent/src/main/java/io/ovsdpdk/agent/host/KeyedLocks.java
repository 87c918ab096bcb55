package io.ovsdpdk.agent.host;

import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;

/** One lock for each key, which exists while somebody holds it or waits for it. */
public final class KeyedLocks<K> {

    private final ConcurrentHashMap<K, Entry> entries = new ConcurrentHashMap<>();

    /** {@code users} is written only inside {@code compute} of the entry's key. */
    private static final class Entry {
        private final ReentrantLock lock = new ReentrantLock(true);
        private int users;
    }

    /** Held until it is closed, by the thread that got it. */
    public interface Held extends AutoCloseable {
        @Override
        void close();
    }

    /** Waits until nobody else holds this key. */
    public Held hold(K key) {
        Entry entry = enter(key);
        entry.lock.lock();
        return () -> release(key, entry);
    }

    /**
     * Waits until nobody else holds this key, or patience is at an end.
     *
     * @return empty if others held it all the time
     * @throws InterruptedException if the thread was interrupted while it waited
     */
    public Optional<Held> hold(K key, Duration patience) throws InterruptedException {
        Entry entry = enter(key);
        boolean held = false;
        try {
            held = entry.lock.tryLock(patience.toNanos(), TimeUnit.NANOSECONDS);
        } finally {
            if (!held) {
                leave(key);
            }
        }
        return held ? Optional.of(() -> release(key, entry)) : Optional.empty();
    }

    private Entry enter(K key) {
        return entries.compute(key, (k, present) -> {
            Entry used = present == null ? new Entry() : present;
            used.users++;
            return used;
        });
    }

    private void release(K key, Entry entry) {
        entry.lock.unlock();
        leave(key);
    }

    private void leave(K key) {
        entries.computeIfPresent(key, (k, present) -> --present.users == 0 ? null : present);
    }

    /** How many keys are held or waited for. */
    int size() {
        return entries.size();
    }
}
