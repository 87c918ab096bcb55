/**
 * The daemon {@code ovs-dpdk-agent}. {@link io.ovsdpdk.agent.AgentServer} takes requests from the plugin,
 * {@link io.ovsdpdk.agent.Attachments} fulfils them: a folder that both the workload and the switch reach, a port, and
 * a checkpoint of what was promised.
 */
package io.ovsdpdk.agent;
