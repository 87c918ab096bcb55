package io.ovsdpdk.e2e;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/**
 * Round trips between two guests: a frame to the other one, and one back.
 *
 * @param rounds round trips that were tried
 * @param completed round trips of which both frames arrived
 * @param attempts frames that were sent until the first came back, because a switch loses what it gets before it
 *     polls the queues
 * @param firstRoundTrip from the first of these attempts to the first frame that came back
 * @param medianRoundTrip of the completed ones; zero if there is none
 */
public record PingPong(int rounds, int completed, int attempts, Duration firstRoundTrip, Duration medianRoundTrip) {
    private static final Duration PATIENCE = Duration.ofSeconds(1);
    private static final Duration PATIENCE_AT_FIRST = Duration.ofMillis(50);
    private static final Duration FIRST_WITHIN = Duration.ofSeconds(10);

    /**
     * Waits until frames pass and then plays {@code rounds} rounds. A frame that does not arrive within 1 s counts as
     * lost.
     *
     * @throws IOException if no frame has come back within 10 s, or a guest loses its switch
     */
    public static PingPong play(VhostUserGuest server, VhostUserGuest returner, int rounds) throws IOException {
        long start = System.nanoTime();
        int attempts = awaitPassage(server, returner);
        Duration first = Duration.ofNanos(System.nanoTime() - start);
        List<Duration> roundTrips = new ArrayList<>();
        for (int sequence = 1; sequence <= rounds; sequence++) {
            long served = System.nanoTime();
            if (pass(server, returner, sequence, PATIENCE) && pass(returner, server, sequence, PATIENCE)) {
                roundTrips.add(Duration.ofNanos(System.nanoTime() - served));
            }
        }
        return new PingPong(rounds, roundTrips.size(), attempts, first, median(roundTrips));
    }

    /** Attempts have negative numbers, so that a late one is not taken for a frame of a round. */
    private static int awaitPassage(VhostUserGuest server, VhostUserGuest returner) throws IOException {
        Deadline deadline = Deadline.after(FIRST_WITHIN);
        for (int attempts = 1; !deadline.passed(); attempts++) {
            if (pass(server, returner, -attempts, PATIENCE_AT_FIRST)
                    && pass(returner, server, -attempts, PATIENCE_AT_FIRST)) {
                return attempts;
            }
        }
        throw new IOException("no frame has gone from %s to %s and back within %s"
                .formatted(server.path(), returner.path(), FIRST_WITHIN));
    }

    /** Whether a frame arrives in time. One that the full queue did not take is a lost one. */
    private static boolean pass(VhostUserGuest from, VhostUserGuest to, int sequence, Duration patience)
            throws IOException {
        Deadline deadline = Deadline.after(patience);
        byte[] frame = TestFrame.between(from, to, sequence).bytes();
        from.send(frame);
        while (!deadline.passed()) {
            for (byte[] received : to.receive(deadline.left())) {
                if (Arrays.equals(received, frame)) {
                    return true;
                }
            }
        }
        return false;
    }

    private static Duration median(List<Duration> durations) {
        if (durations.isEmpty()) {
            return Duration.ZERO;
        }
        Collections.sort(durations);
        return durations.get(durations.size() / 2);
    }
}
