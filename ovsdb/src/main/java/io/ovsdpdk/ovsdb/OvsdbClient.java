package io.ovsdpdk.ovsdb;

import com.fasterxml.jackson.databind.JsonNode;
import com.google.common.util.concurrent.Futures;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.function.Supplier;
import org.opendaylight.ovsdb.lib.impl.FutureTransformUtils;
import org.opendaylight.ovsdb.lib.notation.UUID;
import org.opendaylight.ovsdb.lib.operations.Operation;
import org.opendaylight.ovsdb.lib.operations.OperationResult;
import org.opendaylight.ovsdb.lib.schema.DatabaseSchema;

/**
 * One kept connection to ovsdb-server over its unix socket (RFC 7047 and ovsdb-server(7)), with a live replica.
 *
 * <p>It connects, and connects again, by itself. All methods may be called from any number of threads at once; each
 * transaction is sent on its own without waiting for those before it, and its failure concerns nobody else. When a
 * transaction's answer is there, the replica shows what it did: the server sends the update first.
 *
 * <p>Calls block until their deadline at most; the callers are meant to be virtual threads.
 */
public final class OvsdbClient implements AutoCloseable {

    private final ReplicatedTables tables;
    private final ReplicaFeed feed = new ReplicaFeed();
    private final ConnectionKeeper keeper;

    /**
     * Starts connecting; returns at once.
     *
     * @param socket the server's unix socket, at most 107 bytes long; it need not be there yet
     * @param tables what the replica holds
     * @param options probing, back-off, limits
     */
    public OvsdbClient(Path socket, ReplicatedTables tables, OvsdbOptions options) {
        this.tables = tables;
        this.keeper = new ConnectionKeeper(socket, tables, options, feed);
        keeper.start();
    }

    /** Whether there is a connection and the replica follows it. */
    public boolean synchronised() {
        return feed.view().synchronised();
    }

    /**
     * Waits until {@link #synchronised()}.
     *
     * @throws OvsdbUnavailableException if it isn't by the deadline, or the client is closed
     */
    public void awaitSynchronised(Deadline deadline) throws OvsdbUnavailableException {
        awaitConnection(deadline);
    }

    private Connection awaitConnection(Deadline deadline) throws OvsdbUnavailableException {
        Optional<Connection> connection = feed.view().connection();
        return connection.isPresent()
                ? connection.get()
                : feed.await(Set.of(), () -> feed.view().connection(), deadline)
                        .orElseThrow(
                                () -> new OvsdbUnavailableException("ovsdb-server is not connected or not in sync"));
    }

    /** How often the client has synchronised; a higher number than before means that the replica was replaced whole. */
    public long generation() {
        return replica().generation();
    }

    /**
     * The replicated tables as last seen. Without a connection it is what was known when the last one ended, and empty
     * before the first.
     */
    public Replica replica() {
        return feed.view().replica();
    }

    /**
     * The server's schema, for building operations.
     *
     * @throws OvsdbUnavailableException if none was seen by the deadline
     */
    public DatabaseSchema schema(Deadline deadline) throws OvsdbUnavailableException {
        Optional<ReplicaSchema> known = keeper.schema();
        if (known.isEmpty()) {
            awaitSynchronised(deadline);
            known = keeper.schema();
        }
        return known.orElseThrow().database();
    }

    /**
     * Carries out one transaction, all of it or nothing (RFC 7047 section 4.1.3).
     *
     * @param operations what to do, in this order
     * @param deadline for everything: being in sync, sending, the answer
     * @return one result for each operation
     * @throws OvsdbUnavailableException nothing was sent
     * @throws OvsdbOutcomeUnknownException it was sent, and no answer came
     * @throws OvsdbTransactionException the server refused it
     * @throws OvsdbProtocolException the server didn't understand it, or we not its answer
     * @throws IllegalArgumentException if a value can't be stored in OVSDB: half a surrogate pair, a NUL character
     */
    public List<OperationResult> transact(List<? extends Operation<?>> operations, Deadline deadline)
            throws OvsdbException {
        List<Object> parameters = new ArrayList<>(operations.size() + 1);
        parameters.add(tables.database());
        parameters.addAll(operations);
        Connection connection = awaitConnection(deadline);
        if (deadline.expired()) {
            throw new OvsdbUnavailableException("the deadline passed before the transaction was sent");
        }
        Call call = connection.call("transact", parameters);
        JsonNode answer;
        try {
            answer = call.await(deadline);
        } finally {
            connection.forget(call);
        }
        try {
            return results(answer, operations);
        } catch (OvsdbProtocolException e) {
            connection.end(e.getMessage());
            throw e;
        }
    }

    private static List<OperationResult> results(JsonNode answer, List<? extends Operation<?>> operations)
            throws OvsdbProtocolException, OvsdbTransactionException {
        if (!answer.isArray()) {
            throw new OvsdbProtocolException("the answer to a transaction is no array");
        }
        // Before the library sees it: it takes the error of a select for its rows
        for (int i = 0; i < answer.size(); i++) {
            if (answer.get(i).hasNonNull("error")) {
                throw new OvsdbTransactionException(
                        answer.get(i).get("error").asText(),
                        answer.get(i).path("details").asText(),
                        i,
                        operations.size());
            }
        }
        if (answer.size() != operations.size()) {
            throw new OvsdbProtocolException(
                    "the answer to " + operations.size() + " operations has " + answer.size() + " results");
        }
        for (int i = 0; i < answer.size(); i++) {
            if (!isResultOf(operations.get(i), answer.get(i))) {
                throw new OvsdbProtocolException("the result of operation " + i + ", "
                        + operations.get(i).getOp() + ", is none");
            }
        }
        return read(answer, operations);
    }

    /** RFC 7047 section 5.2. The library reads nothing out of nothing, and callers would find nulls. */
    private static boolean isResultOf(Operation<?> operation, JsonNode result) {
        return switch (operation.getOp()) {
            case "select" ->
                result.path("rows").isArray()
                        && result.path("rows").valueStream().allMatch(JsonNode::isObject);
            case "insert" ->
                result.path("uuid").path(1).isTextual() && result.path("uuid").size() == 2;
            case "update", "mutate", "delete" -> result.path("count").isInt();
            case String other -> result.isObject();
        };
    }

    @SuppressWarnings({"rawtypes", "unchecked"}) // the library's signature is raw
    private static List<OperationResult> read(JsonNode answer, List<? extends Operation<?>> operations)
            throws OvsdbProtocolException {
        List<JsonNode> results = new ArrayList<>(answer.size());
        answer.forEach(results::add);
        try {
            return Futures.getDone(FutureTransformUtils.transformTransactResponse(
                    Futures.immediateFuture(results), (List<Operation>) (List) operations));
        } catch (ExecutionException e) {
            throw new OvsdbProtocolException(
                    "the answer to a transaction can't be read: " + e.getCause(), e.getCause());
        }
    }

    /**
     * Waits until a condition on the replica gives something. It is looked at in the calling thread, at once and after
     * every change of the replica and of the connection.
     *
     * @return what the condition gave; empty if it gave nothing by the deadline
     * @throws OvsdbUnavailableException if the client is closed, or the thread interrupted (its flag is set again)
     */
    public <T> Optional<T> await(Supplier<Optional<T>> condition, Deadline deadline) throws OvsdbUnavailableException {
        return feed.await(condition, deadline);
    }

    /**
     * Likewise, looking again only after a change of one of these rows or of the connection: what many callers at once
     * should use.
     */
    public <T> Optional<T> await(Set<UUID> rows, Supplier<Optional<T>> condition, Deadline deadline)
            throws OvsdbUnavailableException {
        return feed.await(rows, condition, deadline);
    }

    /** Ends the connection and the threads. Whoever waits gets an {@link OvsdbUnavailableException} or an unknown outcome. */
    @Override
    public void close() {
        keeper.close();
    }
}
