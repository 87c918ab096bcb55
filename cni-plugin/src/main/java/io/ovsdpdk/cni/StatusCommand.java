package io.ovsdpdk.cni;

import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.NetworkConfiguration;
import java.util.Optional;

/** STATUS: could an ADD be served now, by the agent and by the IPAM plugin? */
final class StatusCommand {
    private final Invocation invocation;
    private final NodeConfiguration node;
    private final AgentClient agent;
    private final Log log;

    StatusCommand(Invocation invocation, NodeConfiguration node, AgentClient agent, Log log) {
        this.invocation = invocation;
        this.node = node;
        this.agent = agent;
        this.log = log;
    }

    void run() throws CniException {
        NetworkConfiguration network = NetworkConfiguration.of(invocation.network());
        agent.status();
        Optional<String> type = network.ipamType();
        if (type.isPresent()) {
            find(type.get()).status();
        }
    }

    private IpamPlugin find(String type) throws CniException {
        try {
            return IpamPlugin.find(type, invocation, node.addTimeout(), log);
        } catch (CniException e) {
            throw new CniException(ErrorCode.NOT_AVAILABLE, e.getMessage(), e.details(), e);
        }
    }
}
