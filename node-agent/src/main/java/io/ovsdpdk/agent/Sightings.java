package io.ovsdpdk.agent;

import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.LongSupplier;

/** Since when something has been seen again and again. Not synchronized. */
final class Sightings<T> {
    private final LongSupplier nanoTime;
    private final Map<T, Long> since = new HashMap<>();

    /** @param nanoTime a clock like {@link System#nanoTime} */
    Sightings(LongSupplier nanoTime) {
        this.nanoTime = nanoTime;
    }

    /** Notes that it is seen. @return for how long it has been by now, nanoseconds; 0 the first time */
    long see(T seen) {
        long now = nanoTime.getAsLong();
        return now - since.computeIfAbsent(seen, _ -> now);
    }

    void forget(T lost) {
        since.remove(lost);
    }

    /** Forgets all others. */
    void keep(Set<T> seen) {
        since.keySet().retainAll(seen);
    }

    int count() {
        return since.size();
    }
}
