package io.ovsdpdk.agent.host;

import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantLock;

/** One lock for each key, which exists while somebody holds it or waits for it. */
final class KeyedLocks<K> {

    private final ConcurrentHashMap<K, Entry> entries = new ConcurrentHashMap<>();

    /** {@code users} is written only inside {@code compute} of the entry's key. */
    private static final class Entry {
        private final ReentrantLock lock = new ReentrantLock();
        private int users;
    }

    /** Held until it is closed, by the thread that got it. */
    interface Held extends AutoCloseable {
        @Override
        void close();
    }

    /** Waits until nobody else holds this key. */
    Held hold(K key) {
        Entry entry = entries.compute(key, (k, present) -> {
            Entry used = present == null ? new Entry() : present;
            used.users++;
            return used;
        });
        entry.lock.lock();
        return () -> {
            entry.lock.unlock();
            entries.computeIfPresent(key, (k, present) -> --present.users == 0 ? null : present);
        };
    }

    /** How many keys are held or waited for. */
    int size() {
        return entries.size();
    }
}
