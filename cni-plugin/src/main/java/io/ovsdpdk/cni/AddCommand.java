package io.ovsdpdk.cni;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.api.Attached;
import io.ovsdpdk.api.AttachmentRequest;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.NetworkConfiguration;
import io.ovsdpdk.api.Quoted;
import java.io.IOException;
import java.util.Optional;

/**
 * ADD: makes the attachment and says what it is.
 *
 * <p>With IPAM it is announced to the agent first: for one that is there already the agent has the stored result, and
 * the IPAM plugin, which would refuse or give a second address, is not run. For one that is new, whatever fails, the rest
 * is undone. Without IPAM there is nothing to undo but a port, which the agent rolls back itself, and which may be that
 * of an equal ADD before: it stays.
 *
 * <p>When we are killed in the middle, nothing is undone here: a hook could run while the IPAM plugin still works, and
 * SIGKILL would get past it. The DEL that follows every failed ADD does it, and the agent forgets an announcement by
 * itself.
 */
final class AddCommand {
    private final Invocation invocation;
    private final NodeConfiguration node;
    private final AgentClient agent;
    private final Patience patience;
    private final Log log;

    AddCommand(Invocation invocation, NodeConfiguration node, AgentClient agent, Patience patience, Log log) {
        this.invocation = invocation;
        this.node = node;
        this.agent = agent;
        this.patience = patience;
        this.log = log;
    }

    /** @return the result, in the version that was asked for */
    ObjectNode run() throws CniException {
        NetworkConfiguration network = NetworkConfiguration.of(invocation.network());
        AttachmentRequest attachment = invocation.attachment();
        Optional<DeviceInfoFile> deviceInfo =
                DeviceInfoFile.of(invocation.network(), attachment.id().containerId(), node.deviceInfoFolder());
        Optional<CniResult> previous = CniResult.previous(invocation.network());
        if (previous.isPresent()) {
            refuseTakenName(previous.get(), attachment);
        }
        Attached attached = network.ipamType().isPresent()
                ? addWithIpam(attachment, IpamPlugin.find(network.ipamType().get(), invocation, node.addTimeout(), log))
                : addWithoutIpam(attachment);
        deviceInfo.ifPresent(file -> write(file, attached));
        log.info("attached with " + attached.mac() + ", the workload listens at " + attached.socketPath());
        CniResult ours = CniResult.of(attached, dns());
        return previous.map(before -> before.followedBy(ours)).orElse(ours).write(invocation.version());
    }

    private Attached addWithIpam(AttachmentRequest attachment, IpamPlugin ipam) throws CniException {
        Optional<Attached> existing = agent.announce(attachment);
        if (existing.isPresent()) {
            log.info("it is attached already: the stored result is given again");
            return existing.get();
        }
        ObjectNode addresses = null;
        try {
            addresses = ipam.add();
        } finally {
            if (addresses == null) {
                undo(attachment);
            }
        }
        boolean addressed = false;
        try {
            Attached attached = agent.add(attachment, addresses);
            addressed = true;
            return attached;
        } catch (NoAnswerException e) {
            addressed = e.received() && !isDetached(attachment);
            throw e.error();
        } finally {
            if (!addressed) {
                ipam.release();
            }
        }
    }

    /**
     * An agent that got the request and gave no answer may have made the port: that must be sure to go before its address
     * goes to somebody else, and before a repeated ADD is told that all is there.
     */
    private boolean isDetached(AttachmentRequest attachment) {
        try {
            new Detachment(agent, agent::undo, node, patience, log).run(attachment.id());
            return true;
        } catch (CniException e) {
            log.warn("the address stays, since the port may: " + e.getMessage());
            return false;
        }
    }

    /** Where it can't be written, the agent still tells the pod, by its annotation. */
    private void write(DeviceInfoFile file, Attached attached) {
        try {
            file.write(attached.socketPath(), log);
        } catch (IOException e) {
            log.warn("the device information can't be written: " + e);
        }
    }

    private Attached addWithoutIpam(AttachmentRequest attachment) throws CniException {
        try {
            return agent.add(attachment, Json.object());
        } catch (NoAnswerException e) {
            throw e.error();
        }
    }

    private void undo(AttachmentRequest attachment) {
        try {
            agent.undo(attachment.id());
        } catch (CniException e) {
            log.warn("the agent could not undo the ADD: " + e.getMessage() + " " + e.details());
        } catch (NoAnswerException e) {
            log.warn("the agent was not told to undo the ADD: " + e.getMessage());
        }
    }

    /** An interface of that name in that sandbox is an error (CNI 1.1.0, section "ADD"). */
    private static void refuseTakenName(CniResult previous, AttachmentRequest attachment) throws CniException {
        for (JsonNode entry : previous.interfaces()) {
            if (entry.path("name").asText().equals(attachment.id().ifname())
                    && entry.path("sandbox").asText().equals(attachment.sandbox())) {
                throw new CniException(
                        ErrorCode.CONFIGURATION,
                        "interface name " + Quoted.of(attachment.id().ifname()) + " is taken: an earlier plugin of the"
                                + " chain made one in " + Quoted.of(attachment.sandbox()),
                        "two plugins that make an interface can't be in one chain");
            }
        }
    }

    private ObjectNode dns() {
        return invocation.network().path("dns") instanceof ObjectNode dns ? dns : Json.object();
    }
}
