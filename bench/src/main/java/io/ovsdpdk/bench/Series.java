package io.ovsdpdk.bench;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** What was measured of one thing: times, and the peak memory of its processes. */
final class Series {
    private final String name;
    private final List<Long> nanos = new ArrayList<>();
    private long peakKib;

    Series(String name) {
        this.name = name;
    }

    void add(Duration took) {
        nanos.add(took.toNanos());
    }

    /** @param kib resident set size at its highest, KiB */
    void addPeak(long kib) {
        peakKib = Math.max(peakKib, kib);
    }

    String name() {
        return name;
    }

    /** In milliseconds: what it takes when nothing else happens on the machine. */
    double quickest() {
        return at(0);
    }

    /** In milliseconds. */
    double median() {
        return at(0.5);
    }

    /** In milliseconds. */
    double p95() {
        return at(0.95);
    }

    /** In MiB; 0 where it was not measured. */
    double peak() {
        return peakKib / 1024.0;
    }

    int size() {
        return nanos.size();
    }

    private double at(double quantile) {
        List<Long> sorted = new ArrayList<>(nanos);
        Collections.sort(sorted);
        return sorted.get((int) Math.min(sorted.size() - 1L, Math.round(quantile * sorted.size()))) / 1e6;
    }
}
