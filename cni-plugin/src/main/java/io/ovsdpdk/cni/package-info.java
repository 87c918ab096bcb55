/**
 * The CNI plugin {@code ovs-dpdk}: CNI in, the agent's protocol out.
 *
 * <p>{@link io.ovsdpdk.cni.Main} starts {@link io.ovsdpdk.cni.Plugin}, which reads the environment and standard input,
 * hands over to the class of the command, and prints what comes out of it. What has to be done on the node is the
 * agent's work ({@link io.ovsdpdk.cni.AgentClient}); addresses come from an {@link io.ovsdpdk.cni.IpamPlugin}.
 *
 * <p>Becomes a native image: no reflection, no class loading, sockets of {@code java.nio} only.
 */
package io.ovsdpdk.cni;
