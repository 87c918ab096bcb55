package io.ovsdpdk.cni;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.api.Attached;
import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.AttachmentRequest;
import io.ovsdpdk.api.AttachmentView;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.NodeView;
import io.ovsdpdk.api.OrphanReport;
import io.ovsdpdk.api.Reply;
import io.ovsdpdk.api.Request;
import io.ovsdpdk.api.Wire;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * The node's agent, as the plugin sees it.
 *
 * <p>An agent that is away (no socket, nobody behind it, or it ends without an answer) may be restarting: a request is
 * repeated until the time to wait is up. That is safe after a lost answer too, since every request can be repeated. An
 * agent that is there and silent is not asked again.
 */
final class AgentClient {
    private static final Duration FIRST_PAUSE = Duration.ofMillis(5);
    private static final Duration LONGEST_PAUSE = Duration.ofMillis(200);

    private final Path socket;
    private final Duration wait;
    private final Duration addTimeout;
    private final Patience patience;
    private final Log log;

    AgentClient(NodeConfiguration node, Patience patience, Log log) {
        this.socket = node.agentSocket();
        this.wait = node.agentWait();
        this.addTimeout = node.addTimeout();
        this.patience = patience;
        this.log = log;
    }

    /**
     * Announces an ADD.
     *
     * @return what an equal ADD made before
     */
    Optional<Attached> announce(AttachmentRequest attachment) throws CniException {
        try {
            Reply reply = ask(new Request.Announce(attachment, addTimeout), wait, work());
            if (reply instanceof Reply.Announced announced) {
                return announced.existing();
            }
            throw unexpected(reply);
        } catch (NoAnswerException e) {
            // Should it have arrived, the agent forgets it by itself
            throw e.error();
        }
    }

    /** @param addresses of the IPAM plugin, in the form of {@link Attached#ipam()} */
    Attached add(AttachmentRequest attachment, ObjectNode addresses) throws CniException, NoAnswerException {
        return attached(ask(new Request.Add(attachment, addresses, addTimeout), wait, work()));
    }

    /** Removes an attachment; waits but shortly for an agent that is away. */
    void delete(AttachmentId id) throws CniException, NoAnswerException {
        done(ask(new Request.Delete(id), shorter(wait, patience.deletion()), patience.removal()));
    }

    /** Whether there is an agent now, or will be as soon as it has started. */
    boolean listens() {
        return AgentConnection.possible(socket);
    }

    List<AttachmentView> list() throws CniException, NoAnswerException {
        Reply reply = ask(new Request.List(), Duration.ZERO, patience.answer());
        if (reply instanceof Reply.Listed listed) {
            return listed.attachments();
        }
        throw unexpected(reply);
    }

    NodeView inspect() throws CniException, NoAnswerException {
        Reply reply = ask(new Request.Inspect(), Duration.ZERO, patience.answer());
        if (reply instanceof Reply.Inspected inspected) {
            return inspected.node();
        }
        throw unexpected(reply);
    }

    /** @param removal which of the orphans go */
    OrphanReport collectOrphans(Request.CollectOrphans.Removal removal) throws CniException, NoAnswerException {
        Reply reply = ask(new Request.CollectOrphans(removal), Duration.ZERO, patience.orphans());
        if (reply instanceof Reply.Orphans orphans) {
            return orphans.report();
        }
        throw unexpected(reply);
    }

    /** Takes back what a failed ADD may have left; an agent that is away has nothing of it, or gets the runtime's DEL. */
    void undo(AttachmentId id) throws CniException, NoAnswerException {
        done(ask(new Request.Delete(id), Duration.ZERO, patience.cleanup()));
    }

    /** @return what was promised */
    Attached check(AttachmentRequest attachment) throws CniException {
        try {
            return attached(ask(new Request.Check(attachment), wait, work()));
        } catch (NoAnswerException e) {
            throw e.error();
        }
    }

    void collect(String network, Set<AttachmentId> valid) throws CniException {
        try {
            done(ask(new Request.Collect(network, valid), wait, patience.collection()));
        } catch (NoAnswerException e) {
            throw e.error();
        }
    }

    /** Doesn't wait: an agent that is away can't serve an ADD now. */
    void status() throws CniException {
        try {
            done(ask(new Request.Status(), Duration.ZERO, patience.answer()));
        } catch (NoAnswerException e) {
            throw new CniException(
                    ErrorCode.NOT_AVAILABLE, e.error().getMessage(), e.error().details(), e);
        }
    }

    /** Whether it is ready to serve an ADD. */
    void ready() throws CniException, NoAnswerException {
        done(ask(new Request.Ready(), Duration.ZERO, patience.answer()));
    }

    private Duration work() {
        return addTimeout.plus(patience.answer());
    }

    private Reply ask(Request request, Duration waiting, Duration answerWithin) throws CniException, NoAnswerException {
        byte[] line = Wire.encode(request);
        if (line.length > Json.MAX_BYTES) {
            throw new CniException(
                    ErrorCode.DECODING,
                    "the request is too long for the agent: it has " + line.length + " bytes, the limit is "
                            + Json.MAX_BYTES);
        }
        long end = System.nanoTime() + waiting.toNanos();
        Duration pause = FIRST_PAUSE;
        boolean received = false;
        while (true) {
            long start = System.nanoTime();
            String reason;
            switch (AgentConnection.exchange(socket, line, answerWithin)) {
                case AgentConnection.Outcome.Answered answered -> {
                    log.debug("the agent answered after " + (System.nanoTime() - start) / 1000 + " µs");
                    return understand(answered.line());
                }
                case AgentConnection.Outcome.TooLong ignored ->
                    throw new NoAnswerException(
                            new CniException(
                                    ErrorCode.DECODING,
                                    "the agent's answer has more than " + Json.MAX_BYTES
                                            + " bytes, which is the limit"),
                            true);
                case AgentConnection.Outcome.Silent silent ->
                    throw new NoAnswerException(
                            new CniException(
                                    ErrorCode.TRY_AGAIN,
                                    "the agent at " + socket + " did not answer within " + answerWithin.toMillis()
                                            + " ms",
                                    "the log of ovs-dpdk-agent on this node says what it waits for"),
                            received || silent.sent());
                case AgentConnection.Outcome.Lost lost -> {
                    received |= lost.sent();
                    reason = lost.reason();
                }
                case AgentConnection.Outcome.Absent absent -> reason = absent.reason();
            }
            long left = end - System.nanoTime();
            if (left <= 0) {
                throw new NoAnswerException(away(reason, waiting), received);
            }
            pause(shorter(pause, Duration.ofNanos(left)));
            pause = shorter(pause.multipliedBy(2), LONGEST_PAUSE);
        }
    }

    private static Reply understand(byte[] line) throws CniException, NoAnswerException {
        Reply reply;
        try {
            reply = Wire.decodeReply(line);
        } catch (CniException e) {
            throw new NoAnswerException(e, true);
        }
        if (reply instanceof Reply.Failed failed) {
            throw failed.error();
        }
        return reply;
    }

    private CniException away(String reason, Duration waited) {
        return new CniException(
                ErrorCode.TRY_AGAIN,
                "no agent answers at " + socket + ": " + reason
                        + (waited.isZero() ? "" : ", tried for " + waited.toMillis() + " ms"),
                "is ovs-dpdk-agent running on this node, and is the path the agent's own?");
    }

    private void pause(Duration pause) throws NoAnswerException {
        try {
            Thread.sleep(pause);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new NoAnswerException(
                    new CniException(ErrorCode.TRY_AGAIN, "interrupted while waiting for the agent at " + socket),
                    true);
        }
    }

    private static Attached attached(Reply reply) throws NoAnswerException {
        if (reply instanceof Reply.Added added) {
            return added.attached();
        }
        throw new NoAnswerException(unexpected(reply), true);
    }

    private static void done(Reply reply) throws NoAnswerException {
        if (!(reply instanceof Reply.Done)) {
            throw new NoAnswerException(unexpected(reply), true);
        }
    }

    private static CniException unexpected(Reply reply) {
        return new CniException(
                ErrorCode.DECODING,
                "the agent's reply \"" + reply.getClass().getSimpleName() + "\" is none to this request",
                "agent and plugin may be of different versions");
    }

    private static Duration shorter(Duration one, Duration other) {
        return one.compareTo(other) < 0 ? one : other;
    }
}
