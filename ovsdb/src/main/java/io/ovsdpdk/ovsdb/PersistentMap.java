package io.ovsdpdk.ovsdb;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * An immutable map whose changed copy shares nearly everything with it.
 *
 * <p>A replica of a thousand ports changes several times for every port that is added, and each change makes a new
 * snapshot. Copying one of a fixed number of small maps is all that costs: some 5 entries at a thousand, 400 at a hundred
 * thousand.
 */
final class PersistentMap<K, V> {

    private static final int BUCKETS = 256;

    private final List<Map<K, V>> buckets;
    private final int size;

    private PersistentMap(List<Map<K, V>> buckets, int size) {
        this.buckets = buckets;
        this.size = size;
    }

    static <K, V> PersistentMap<K, V> empty() {
        return new PersistentMap<>(Collections.nCopies(BUCKETS, Map.of()), 0);
    }

    int size() {
        return size;
    }

    Optional<V> get(K key) {
        return Optional.ofNullable(buckets.get(bucket(key)).get(key));
    }

    PersistentMap<K, V> with(K key, V value) {
        Map<K, V> bucket = new HashMap<>(buckets.get(bucket(key)));
        bucket.put(key, value);
        return replacing(bucket(key), bucket);
    }

    PersistentMap<K, V> without(K key) {
        if (get(key).isEmpty()) {
            return this;
        }
        Map<K, V> bucket = new HashMap<>(buckets.get(bucket(key)));
        bucket.remove(key);
        return replacing(bucket(key), bucket);
    }

    private PersistentMap<K, V> replacing(int index, Map<K, V> bucket) {
        List<Map<K, V>> copy = new ArrayList<>(buckets);
        int before = copy.set(index, bucket).size();
        return new PersistentMap<>(copy, size - before + bucket.size());
    }

    /** All values, in no order. */
    List<V> values() {
        List<V> values = new ArrayList<>(size);
        buckets.forEach(bucket -> values.addAll(bucket.values()));
        return Collections.unmodifiableList(values);
    }

    private static int bucket(Object key) {
        int hash = key.hashCode();
        hash ^= hash >>> 16;
        return (hash ^ hash >>> 8) & BUCKETS - 1;
    }
}
