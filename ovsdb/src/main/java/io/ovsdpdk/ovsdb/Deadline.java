package io.ovsdpdk.ovsdb;

import java.time.Duration;

/**
 * A point in monotonic time until which a caller is willing to wait.
 *
 * <p>Made once where a request comes in and handed down, so that several steps share one allowance.
 *
 * @param nanoTime the point on the clock of {@link System#nanoTime()}, nanoseconds
 */
public record Deadline(long nanoTime) {

    /** Far enough to mean "for ever", near enough that differences of {@link System#nanoTime()} don't overflow. */
    private static final Duration LONGEST = Duration.ofDays(36_500);

    /**
     * The point that lies this long from now. A negative duration gives a deadline that has expired; durations over a
     * hundred years count as a hundred years.
     */
    public static Deadline after(Duration duration) {
        Duration bounded = duration.compareTo(LONGEST) > 0 ? LONGEST : duration.isNegative() ? Duration.ZERO : duration;
        return new Deadline(System.nanoTime() + bounded.toNanos());
    }

    /** What is left until then; zero once it has expired, never negative. */
    public Duration remaining() {
        return Duration.ofNanos(remainingNanos());
    }

    /** {@link #remaining()} in nanoseconds. */
    long remainingNanos() {
        return Math.max(0, nanoTime - System.nanoTime());
    }

    /** Whether nothing is left. */
    public boolean expired() {
        return nanoTime - System.nanoTime() <= 0;
    }

    /** The one of the two that comes first. */
    public static Deadline earlier(Deadline one, Deadline other) {
        return one.nanoTime - other.nanoTime <= 0 ? one : other;
    }
}
