package io.ovsdpdk.api;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.OptionalInt;

/**
 * What an ADD made, from which the plugin builds the CNI result in the version that was asked for.
 *
 * @param ifname name of the interface inside the container
 * @param sandbox path of the network namespace
 * @param mtu in bytes; empty where the configuration asks for none
 * @param socketPath where the workload listens, as it sees the path itself
 * @param ipam what the IPAM plugin answered, in the form of CNI 1.1.0 ({@code ips}, {@code routes}, {@code dns}); an
 *     empty object without IPAM
 */
public record Attached(
        String ifname, String sandbox, MacAddress mac, OptionalInt mtu, String socketPath, ObjectNode ipam) {}
