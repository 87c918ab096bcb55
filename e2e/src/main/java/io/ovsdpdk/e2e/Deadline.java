package io.ovsdpdk.e2e;

import java.time.Duration;

/**
 * The moment until which something is waited for.
 *
 * @param nanoTime in the terms of {@link System#nanoTime}
 */
record Deadline(long nanoTime) {
    static Deadline after(Duration wait) {
        return new Deadline(System.nanoTime() + wait.toNanos());
    }

    boolean passed() {
        return nanoTime - System.nanoTime() <= 0;
    }

    /** What is left, never negative. */
    Duration left() {
        return Duration.ofNanos(Math.max(0, nanoTime - System.nanoTime()));
    }

    /** What is left in milliseconds, rounded up so that waiting for it reaches the deadline. */
    int millisLeft() {
        return Math.toIntExact(left().plusNanos(999_999).toMillis());
    }
}
