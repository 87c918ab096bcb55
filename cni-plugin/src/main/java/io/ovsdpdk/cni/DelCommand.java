package io.ovsdpdk.cni;

import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.NetworkConfiguration;
import java.io.IOException;
import java.util.Optional;

/**
 * DEL: removes the attachment and releases its addresses. Needs nothing but container ID and interface name.
 *
 * <p>An agent that is away, too busy, or of another version is no failure: the deletion is left for it in the
 * {@link io.ovsdpdk.api.DeletionQueue}.
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
            new Detachment(agent, agent::delete, node, patience, log).run(id);
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
