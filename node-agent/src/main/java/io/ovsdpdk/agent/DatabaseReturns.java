package io.ovsdpdk.agent;

import io.ovsdpdk.ovsdb.Deadline;
import io.ovsdpdk.ovsdb.OvsdbClient;
import io.ovsdpdk.ovsdb.OvsdbUnavailableException;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells of each time that the switch's database has come back: it may be another one then, or have another socket. One
 * virtual thread waits for that.
 */
final class DatabaseReturns implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(DatabaseReturns.class);

    /** Waits end when the client is closed; this is only how long one of them lasts. */
    private static final Duration WAIT = Duration.ofDays(1);

    private final OvsdbClient client;
    private final Runnable listener;
    private final Thread thread = Thread.ofVirtual().name("database-returns").unstarted(this::run);

    DatabaseReturns(OvsdbClient client, Runnable listener) {
        this.client = client;
        this.listener = listener;
    }

    /** From now on the listener is told, the first time as soon as the database is there. */
    void follow() {
        thread.start();
    }

    private void run() {
        long seen = 0;
        try {
            while (true) {
                seen = awaitGenerationAfter(seen);
                listener.run();
            }
        } catch (OvsdbUnavailableException e) {
            LOG.debug("the database is not waited for any longer: {}", e.getMessage());
        }
    }

    private long awaitGenerationAfter(long seen) throws OvsdbUnavailableException {
        Optional<Long> next = Optional.empty();
        while (next.isEmpty()) {
            next = client.await(
                    Set.of(),
                    () -> Optional.of(client.generation()).filter(generation -> generation > seen),
                    Deadline.after(WAIT));
        }
        return next.get();
    }

    @Override
    public void close() {
        thread.interrupt();
    }
}
