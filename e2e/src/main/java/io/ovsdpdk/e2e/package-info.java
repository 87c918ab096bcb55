/**
 * The whole system on a real OVS-DPDK. {@link io.ovsdpdk.e2e.VhostUserGuest} stands for a virtual machine on a port,
 * {@link io.ovsdpdk.e2e.PingPong} shows that frames pass between two of them.
 */
package io.ovsdpdk.e2e;
