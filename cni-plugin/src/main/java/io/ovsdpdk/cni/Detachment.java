package io.ovsdpdk.cni;

import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.DeletionQueue;
import io.ovsdpdk.api.ErrorCode;
import java.io.IOException;

/** The removal of an attachment by the agent, or, where none does it, by leaving the deletion for the next one. */
final class Detachment {
    /** How the agent is asked: how long one that is away, or silent, is waited for. */
    interface Asking {
        void ask(AttachmentId id) throws CniException, NoAnswerException;
    }

    private final AgentClient agent;
    private final Asking asking;
    private final NodeConfiguration node;
    private final Patience patience;
    private final Log log;

    Detachment(AgentClient agent, Asking asking, NodeConfiguration node, Patience patience, Log log) {
        this.agent = agent;
        this.asking = asking;
        this.node = node;
        this.patience = patience;
        this.log = log;
    }

    /** @throws CniException when it is neither done nor left for an agent */
    void run(AttachmentId id) throws CniException {
        DeletionQueue queue = DeletionQueue.of(node.agentSocket());
        Attempt first = attempt(id);
        if (first == Attempt.DONE) {
            return;
        }
        try (DeletionQueue.Held held = queue.lock(patience.queue())) {
            // An agent that starts listens before it reads the queue: see DeletionQueue. One that was asked and could
            // not do it is not asked again, for the runtime waits: it reads the queue
            if (first == Attempt.RECEIVED || !agent.listens()) {
                leave(queue, held, id);
                return;
            }
        } catch (IOException e) {
            throw notLeft(e);
        }
        if (attempt(id) == Attempt.DONE) {
            return;
        }
        try (DeletionQueue.Held held = queue.lock(patience.queue())) {
            // It listens and does not do it: it watches the queue, or the one after it reads it
            leave(queue, held, id);
        } catch (IOException e) {
            throw notLeft(e);
        }
    }

    private enum Attempt {
        DONE,
        /** No agent was there. */
        AWAY,
        /** The agent was asked, and refused or said nothing; it may yet do it. */
        RECEIVED
    }

    private Attempt attempt(AttachmentId id) {
        try {
            asking.ask(id);
            log.info("detached");
            return Attempt.DONE;
        } catch (NoAnswerException e) {
            log.warn(e.error().getMessage());
            return e.received() ? Attempt.RECEIVED : Attempt.AWAY;
        } catch (CniException e) {
            log.warn(e.getMessage() + (e.details().isEmpty() ? "" : ": " + e.details()));
            return Attempt.RECEIVED;
        }
    }

    private void leave(DeletionQueue queue, DeletionQueue.Held held, AttachmentId id) throws IOException {
        queue.leave(id, held);
        log.warn("the deletion is left for the agent, which carries it out as soon as it can");
    }

    private static CniException notLeft(IOException e) {
        return new CniException(
                ErrorCode.TRY_AGAIN,
                "no agent does it, and the deletion can't be left for one: " + e,
                "is this node's pod of the ovs-dpdk-cni DaemonSet running and ready?",
                e);
    }
}
