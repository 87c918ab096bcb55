package io.ovsdpdk.ovsdb;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps one connection to ovsdb-server and the replica that comes over it.
 *
 * <p>The reader thread does all of it, one connection after the other: connect, ask for schema and monitor, apply updates,
 * hand answers to the calls that wait for them, back off. A second thread only looks at the clock and closes a connection
 * whose server is silent. Whatever goes wrong with one connection ends that connection, and the thread goes on.
 *
 * <p>Order at a connection's end: first the replica stops being in sync, then the calls fail. So a caller who learns that
 * its outcome is unknown and awaits synchronisation gets a replica that is younger than the end.
 */
final class ConnectionKeeper implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(ConnectionKeeper.class);

    private static final String MONITOR = "replica";
    /** No transaction is known: everything is asked for. A standalone ovsdb-server keeps no history anyway. */
    private static final String NO_TRANSACTION = "00000000-0000-0000-0000-000000000000";

    private static final Duration CLOSING = Duration.ofSeconds(2);

    private final Path socket;
    private final ReplicatedTables tables;
    private final OvsdbOptions options;
    private final ReplicaFeed feed;
    private final Thread reader;
    private final ScheduledExecutorService watch;
    private final CountDownLatch closed = new CountDownLatch(1);

    private volatile Optional<Connection> current = Optional.empty();
    private volatile Optional<ReplicaSchema> schema = Optional.empty();
    private long generation;
    private String lastComplaint = "";

    ConnectionKeeper(Path socket, ReplicatedTables tables, OvsdbOptions options, ReplicaFeed feed) {
        this.socket = socket;
        this.tables = tables;
        this.options = options;
        this.feed = feed;
        this.reader = Thread.ofPlatform().daemon().name("ovsdb-reader").unstarted(this::run);
        this.watch = Executors.newSingleThreadScheduledExecutor(
                Thread.ofPlatform().daemon().name("ovsdb-watch").factory());
    }

    void start() {
        reader.start();
        long interval = options.probeInterval().toNanos();
        watch.scheduleWithFixedDelay(
                () -> current.ifPresent(connection -> connection.probe(interval)),
                interval / 4,
                Math.max(1, interval / 4),
                TimeUnit.NANOSECONDS);
    }

    /** The schema of the newest connection that got so far. */
    Optional<ReplicaSchema> schema() {
        return schema;
    }

    private void run() {
        long backOff = options.firstBackOff().toNanos();
        while (!isClosed()) {
            long before = generation;
            String reason = serveOne();
            if (isClosed()) {
                LOG.info("closed the connection to ovsdb-server at {}", socket);
                return;
            }
            if (generation > before) {
                LOG.warn("lost ovsdb-server at {}: {}; reconnecting", socket, reason);
                backOff = options.firstBackOff().toNanos();
                lastComplaint = "";
            } else {
                complain(reason);
            }
            pause(backOff);
            backOff = Math.min(2 * backOff, options.longestBackOff().toNanos());
        }
    }

    /** One connection from beginning to end; returns why it ended. */
    private String serveOne() {
        try (Connection connection = new Connection(socket, options.longestMessage())) {
            current = Optional.of(connection);
            try {
                if (!isClosed()) {
                    serve(connection);
                }
            } catch (Throwable e) {
                // Whatever it is, the thread must live on, and no caller may wait for this connection's answers
                connection.end(Connection.reason(e));
            } finally {
                current = Optional.empty();
                feed.lost();
                connection.abandon();
            }
            return connection.endReason();
        } catch (IOException e) {
            return Connection.reason(e);
        }
    }

    /** Ends only by an exception. */
    private void serve(Connection connection) throws IOException, OvsdbException {
        connection.connect();
        LOG.debug("connected to ovsdb-server at {}", socket);
        Replica replica = synchronise(connection);
        feed.synchronised(replica, connection);
        LOG.info("synchronised with ovsdb-server at {}: {}", socket, replica);
        while (true) {
            handle(connection.receive(), connection);
        }
    }

    /**
     * Asks for the schema, then for those tables and columns that it has. Two exchanges of a tenth of a millisecond; to
     * ask for columns that an older server lacks would fail the whole monitor.
     */
    private Replica synchronise(Connection connection) throws IOException, OvsdbException {
        Call getSchema = connection.call("get_schema", List.of(tables.database()));
        // Without this the server drops the connection whenever a database is added or removed
        Call changeAware = connection.call("set_db_change_aware", List.of(true));
        ReplicaSchema read = ReplicaSchema.of(answer(getSchema, connection), tables);
        answer(changeAware, connection);
        JsonNode initial = answer(connection.call("monitor_cond_since", monitorParameters(read)), connection)
                .path(2);
        if (!initial.isObject()) {
            throw new OvsdbProtocolException("the server answered monitor_cond_since without tables");
        }
        Replica replica = Replica.empty(generation + 1).apply(initial, read).after();
        schema = Optional.of(read);
        generation++;
        return replica;
    }

    private List<?> monitorParameters(ReplicaSchema read) {
        Map<String, List<Map<String, ?>>> requests = new TreeMap<>();
        for (String table : read.tables()) {
            requests.put(table, List.of(Map.of("columns", read.columns(table).keySet())));
        }
        return List.of(tables.database(), MONITOR, requests, NO_TRANSACTION);
    }

    /** Only for the reader thread, which receives the answer itself. */
    private JsonNode answer(Call call, Connection connection) throws IOException, OvsdbException {
        while (!call.settled()) {
            handle(connection.receive(), connection);
        }
        return call.await(Deadline.after(Duration.ZERO));
    }

    private void handle(Message message, Connection connection) throws OvsdbProtocolException {
        switch (message) {
            case Message.Result result -> connection.settle(result);
            case Message.Failure failure -> connection.settle(failure);
            case Message.Echo echo -> connection.answer(echo);
            case Message.Update update -> apply(update);
            case Message.MonitorCanceled() ->
                throw new OvsdbProtocolException("the server canceled the monitor: its database changed");
            case Message.Other(String method) -> LOG.debug("ignored \"{}\" of ovsdb-server", method);
        }
    }

    private void apply(Message.Update update) throws OvsdbProtocolException {
        ReplicaFeed.View view = feed.view();
        if (!view.synchronised()) {
            throw new OvsdbProtocolException("the server sent an update before the monitor's first answer");
        }
        feed.changed(view.replica().apply(update.updates(), schema.orElseThrow()));
    }

    /** The same reason again, at every try, is told once. */
    private void complain(String reason) {
        if (!reason.equals(lastComplaint)) {
            LOG.warn("no ovsdb-server at {}: {}; trying on", socket, reason);
            lastComplaint = reason;
        }
    }

    private void pause(long nanos) {
        try {
            if (closed.await(nanos, TimeUnit.NANOSECONDS)) {
                LOG.debug("closed while not connected to ovsdb-server at {}", socket);
            }
        } catch (InterruptedException e) {
            // Nobody but us has this thread; if somebody interrupts it all the same, the next try comes sooner
            LOG.debug("the pause before reconnecting was interrupted", e);
        }
    }

    private boolean isClosed() {
        return closed.getCount() == 0;
    }

    /** Ends the connection and the threads, waits for them at most 2 s, and fails whoever still waits. */
    @Override
    public void close() {
        closed.countDown();
        watch.shutdownNow();
        current.ifPresent(connection -> connection.end("the client is closed"));
        try {
            if (!reader.join(CLOSING)) {
                LOG.warn("the reader of {} did not end within {}", socket, CLOSING);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        feed.close();
    }
}
