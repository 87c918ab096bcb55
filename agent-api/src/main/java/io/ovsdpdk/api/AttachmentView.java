package io.ovsdpdk.api;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.OptionalInt;

/**
 * An attachment as people look at it: what was asked for, and what the switch says of it now.
 *
 * @param port name of the port
 * @param mtu in bytes; empty where the configuration asks for none
 * @param socketPath where the workload listens, as it sees the path itself
 * @param switchSocket the same as the switch reaches it
 * @param state {@code making}, {@code made} or {@code removing}
 * @param link {@code up} when a guest is connected and frames pass, {@code down}, or empty when the switch doesn't say
 * @param problem what is wrong, and why the agent can't put it right; empty when nothing is
 */
public record AttachmentView(
        AttachmentId id,
        PodIdentity pod,
        String network,
        String bridge,
        String port,
        MacAddress mac,
        OptionalInt mtu,
        String socketPath,
        String switchSocket,
        String state,
        String link,
        String problem) {

    public AttachmentView withProblem(String other) {
        return new AttachmentView(
                id, pod, network, bridge, port, mac, mtu, socketPath, switchSocket, state, link, other);
    }

    /** As it stands in replies, and as {@code ovs-dpdk list -o json} prints it. */
    public ObjectNode toJson() {
        ObjectNode node = Json.object().put("containerId", id.containerId()).put("ifname", id.ifname());
        node.putObject("pod")
                .put("namespace", pod.namespace())
                .put("name", pod.name())
                .put("uid", pod.uid());
        node.put("network", network).put("bridge", bridge).put("port", port).put("mac", mac.text());
        mtu.ifPresent(bytes -> node.put("mtu", bytes));
        return node.put("socketPath", socketPath)
                .put("switchSocket", switchSocket)
                .put("state", state)
                .put("link", link)
                .put("problem", problem);
    }
}
