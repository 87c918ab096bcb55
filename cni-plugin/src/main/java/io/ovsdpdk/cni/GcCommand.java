package io.ovsdpdk.cni;

import com.fasterxml.jackson.databind.JsonNode;
import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.NetworkConfiguration;
import io.ovsdpdk.api.Quoted;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;

/**
 * GC: removes what there is of a network's attachments that the runtime doesn't know any more, ports and addresses.
 * Both are tried whatever becomes of the other. A list that can't be understood in every part removes nothing.
 */
final class GcCommand {
    private static final String VALID = "cni.dev/valid-attachments";

    private final Invocation invocation;
    private final NodeConfiguration node;
    private final AgentClient agent;
    private final Log log;

    GcCommand(Invocation invocation, NodeConfiguration node, AgentClient agent, Log log) {
        this.invocation = invocation;
        this.node = node;
        this.agent = agent;
        this.log = log;
    }

    void run() throws CniException {
        String network = NetworkConfiguration.name(invocation.network());
        Set<AttachmentId> valid = valid();
        Failures failures = new Failures();
        try {
            agent.collect(network, valid);
        } catch (CniException e) {
            failures.add(e);
        }
        try {
            Optional<String> type = NetworkConfiguration.ipamType(invocation.network());
            if (type.isPresent()) {
                IpamPlugin.find(type.get(), invocation, node.addTimeout(), log).collect();
            }
        } catch (CniException e) {
            failures.add(e);
        }
        failures.throwFirst(log);
    }

    private Set<AttachmentId> valid() throws CniException {
        JsonNode list = invocation.network().path(VALID);
        Set<AttachmentId> valid = new HashSet<>();
        if (list.isNull()) {
            // How Go writes an empty list
            return valid;
        }
        if (!list.isArray()) {
            throw malformed(list.isMissingNode() ? "it is missing" : "it is " + Quoted.of(list.toString()));
        }
        for (JsonNode entry : list) {
            try {
                valid.add(new AttachmentId(text(entry, "containerID"), text(entry, "ifname")));
            } catch (IllegalArgumentException e) {
                throw malformed(e.getMessage());
            }
        }
        return valid;
    }

    /** A number in a text's place is a list of somebody who means something else. */
    private static String text(JsonNode entry, String key) {
        JsonNode value = entry.path(key);
        if (!value.isTextual()) {
            throw new IllegalArgumentException(
                    key + " is " + (value.isMissingNode() ? "missing" : Quoted.of(value.toString())));
        }
        return value.textValue();
    }

    private static CniException malformed(String problem) {
        return new CniException(
                ErrorCode.CONFIGURATION,
                "GC needs " + Quoted.of(VALID) + " as an array of objects with containerID and ifname: " + problem);
    }
}
