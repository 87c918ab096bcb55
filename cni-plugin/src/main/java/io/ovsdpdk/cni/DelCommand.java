package io.ovsdpdk.cni;

import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.DeletionQueue;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.NetworkConfiguration;
import java.io.IOException;
import java.util.Optional;

/**
 * DEL: removes the attachment and releases its addresses. Needs nothing but container ID and interface name.
 *
 * <p>An agent that is away, too busy, or of another version is no failure: the deletion is left for it in the
 * {@link DeletionQueue}.
 *
 * <p>First the port, then the address, so that as a rule nobody else has it while the port still passes frames. Both are
 * tried whatever becomes of the other: Multus does not repeat a DEL, and the container is gone. An IPAM plugin that can't
 * be run, since its name is no name or it is no longer on the node, is reported and left out: an error would keep the pod
 * in Terminating for ever.
 */
final class DelCommand {
    private final Invocation invocation;
    private final NodeConfiguration node;
    private final AgentClient agent;
    private final Patience patience;
    private final Log log;

    DelCommand(Invocation invocation, NodeConfiguration node, AgentClient agent, Patience patience, Log log) {
        this.invocation = invocation;
        this.node = node;
        this.agent = agent;
        this.patience = patience;
        this.log = log;
    }

    void run() throws CniException {
        AttachmentId id = invocation.environment().id();
        Failures failures = new Failures();
        try {
            detach(id);
        } catch (CniException e) {
            failures.add(e);
        }
        Optional<IpamPlugin> ipam = ipam();
        if (ipam.isPresent()) {
            try {
                ipam.get().del();
            } catch (CniException e) {
                failures.add(e);
            }
        }
        forgetDeviceInfo(id);
        failures.throwFirst(log);
    }

    /** Nobody reads it any more, so whatever is wrong with it is no failure; Multus removes it too. */
    private void forgetDeviceInfo(AttachmentId id) {
        try {
            Optional<DeviceInfoFile> file =
                    DeviceInfoFile.of(invocation.network(), id.containerId(), node.deviceInfoFolder());
            if (file.isPresent()) {
                file.get().delete();
            }
        } catch (CniException | IOException e) {
            log.warn("the device information is left: " + e.getMessage());
        }
    }

    /** By the agent, or, where none answers, by leaving the deletion for the next one. */
    private void detach(AttachmentId id) throws CniException {
        DeletionQueue queue = DeletionQueue.of(node.agentSocket());
        Attempt first = delete(id);
        if (first == Attempt.DONE) {
            return;
        }
        try (DeletionQueue.Held held = queue.lock(patience.queue())) {
            // An agent that starts listens before it reads the queue: see DeletionQueue. One that was asked and could
            // not
            // do it, perhaps in all the time that there is, is not asked again: the runtime waits, and it reads the
            // queue
            if (first == Attempt.RECEIVED || !agent.listens()) {
                leave(queue, held, id);
                return;
            }
        } catch (IOException e) {
            throw notLeft(e);
        }
        if (delete(id) == Attempt.DONE) {
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

    private Attempt delete(AttachmentId id) {
        try {
            agent.delete(id);
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

    private Optional<IpamPlugin> ipam() {
        try {
            Optional<String> type = NetworkConfiguration.ipamType(invocation.network());
            return type.isEmpty()
                    ? Optional.empty()
                    : Optional.of(IpamPlugin.find(type.get(), invocation, node.addTimeout(), log));
        } catch (CniException e) {
            log.warn("no address is released: " + e.getMessage() + " " + e.details());
            return Optional.empty();
        }
    }
}
