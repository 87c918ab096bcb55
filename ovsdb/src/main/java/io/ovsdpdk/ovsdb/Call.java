package io.ovsdpdk.ovsdb;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * A request and the answer to come.
 *
 * <p>The reader thread settles it; whoever asked waits in its own thread, so nothing of the caller's runs on the reader.
 */
final class Call {

    private final long id;
    private final String method;
    private final Outgoing request;
    private final CompletableFuture<JsonNode> answer = new CompletableFuture<>();

    Call(long id, String method, Outgoing request) {
        this.id = id;
        this.method = method;
        this.request = request;
    }

    long id() {
        return id;
    }

    Outgoing request() {
        return request;
    }

    boolean settled() {
        return answer.isDone();
    }

    void succeed(JsonNode result) {
        answer.complete(result);
    }

    void fail(String error) {
        answer.completeExceptionally(new OvsdbProtocolException(method + ": the server answered: " + error));
    }

    /** The connection ended first. */
    void abandon(String reason) {
        answer.completeExceptionally(givenUp(reason));
    }

    /**
     * Waits for the answer.
     *
     * @throws OvsdbUnavailableException if it was given up unsent
     * @throws OvsdbOutcomeUnknownException if it was given up after it was sent, or while it was
     * @throws OvsdbProtocolException if the server answered with an error
     */
    JsonNode await(Deadline deadline) throws OvsdbException {
        try {
            return answer.get(deadline.remainingNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            throw givenUp("no answer by the deadline");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw givenUp("the calling thread was interrupted");
        } catch (ExecutionException e) {
            throw failure(e.getCause());
        }
    }

    private OvsdbException givenUp(String reason) {
        return request.withdraw()
                ? new OvsdbUnavailableException(method + " was not sent: " + reason)
                : new OvsdbOutcomeUnknownException(method + " was sent, its outcome is unknown: " + reason);
    }

    /** Made anew in the caller's thread, so that its stack trace is the caller's. */
    private static OvsdbException failure(Throwable cause) {
        return switch (cause) {
            case OvsdbUnavailableException e -> new OvsdbUnavailableException(e.getMessage());
            case OvsdbOutcomeUnknownException e -> new OvsdbOutcomeUnknownException(e.getMessage());
            case OvsdbProtocolException e -> new OvsdbProtocolException(e.getMessage());
            case Throwable e -> throw new IllegalStateException("a call can't fail with this", e);
        };
    }
}
