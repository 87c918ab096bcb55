package io.ovsdpdk.api;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Optional;

/**
 * The node as people look at it.
 *
 * @param agentVersion of the agent
 * @param switchVersion of Open vSwitch; empty where its start scripts didn't note it
 * @param dpdkVersion empty without DPDK
 * @param connected whether the agent follows the switch's database
 * @param ports vhost-user ports of the switch, others' too
 * @param portLimit how many it can have
 * @param attachments how many the agent knows
 * @param orphans how many of them, and of ports and mounts that no attachment tells of, were left behind when it was looked
 *     for that last
 * @param mounts what the kernel lets the agent mount, and what that means
 * @param cluster the cluster that it belongs to; empty without Kubernetes
 * @param code of CNI for why no ADD can be served now; 0 when one can
 * @param problem the same in words; empty when there is none
 * @param remedy what to do about it
 */
public record NodeView(
        String agentVersion,
        String switchVersion,
        String dpdkVersion,
        boolean connected,
        int ports,
        int portLimit,
        int attachments,
        int orphans,
        String mounts,
        Optional<Cluster> cluster,
        int code,
        String problem,
        String remedy) {

    /**
     * The node as a member of a cluster.
     *
     * @param node its name there
     * @param pods how many of its pods the agent knows
     * @param synchronised whether it has seen all of them since it started
     * @param following whether the API server tells it of changes now
     */
    public record Cluster(String node, int pods, boolean synchronised, boolean following) {}

    /** As it stands in replies, and as {@code ovs-dpdk status -o json} prints it. */
    public ObjectNode toJson() {
        ObjectNode json = Json.object()
                .put("agentVersion", agentVersion)
                .put("switchVersion", switchVersion)
                .put("dpdkVersion", dpdkVersion)
                .put("connected", connected)
                .put("ports", ports)
                .put("portLimit", portLimit)
                .put("attachments", attachments)
                .put("orphans", orphans)
                .put("mounts", mounts)
                .put("code", code)
                .put("problem", problem)
                .put("remedy", remedy);
        cluster.ifPresent(known -> json.putObject("cluster")
                .put("node", known.node())
                .put("pods", known.pods())
                .put("synchronised", known.synchronised())
                .put("following", known.following()));
        return json;
    }
}
