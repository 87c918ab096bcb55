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
import java.util.HashSet;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * CHECK: is the attachment what its ADD said? The agent compares what it promised with what is there; here what it
 * promised is compared with {@code prevResult}, which holds what the runtime believes.
 *
 * <p>A difference is {@link ErrorCode#CONFIGURATION}: {@code prevResult} is a part of the network configuration, and
 * this one can't be fulfilled. What {@code prevResult} leaves out is not compared: one that was converted from an older
 * version has no {@code mtu} and no {@code socketPath}.
 */
final class CheckCommand {
    private final Invocation invocation;
    private final NodeConfiguration node;
    private final AgentClient agent;
    private final Log log;

    CheckCommand(Invocation invocation, NodeConfiguration node, AgentClient agent, Log log) {
        this.invocation = invocation;
        this.node = node;
        this.agent = agent;
        this.log = log;
    }

    void run() throws CniException {
        NetworkConfiguration network = NetworkConfiguration.of(invocation.network());
        AttachmentRequest attachment = invocation.attachment();
        CniResult previous = CniResult.previous(invocation.network())
                .orElseThrow(() -> new CniException(
                        ErrorCode.CONFIGURATION,
                        "the network configuration has no prevResult, which CHECK needs",
                        "it is the result of the ADD"));
        Optional<IpamPlugin> ipam = network.ipamType().isPresent()
                ? Optional.of(IpamPlugin.find(network.ipamType().get(), invocation, node.addTimeout(), log))
                : Optional.empty();
        compare(agent.check(attachment), attachment.sandbox(), previous);
        if (ipam.isPresent()) {
            ipam.get().check();
        }
    }

    private static void compare(Attached promised, String sandbox, CniResult previous) throws CniException {
        int index = find(promised.ifname(), sandbox, previous);
        JsonNode entry = previous.interfaces().get(index);
        ObjectNode expected =
                (ObjectNode) CniResult.of(promised, Json.object()).interfaces().get(0);
        equal("sandbox", entry.path("sandbox").asText(), promised.sandbox());
        equal(
                "mac",
                entry.path("mac").asText().toLowerCase(Locale.ROOT),
                promised.mac().text());
        equal("mtu", entry.path("mtu").asText(), expected.path("mtu").asText());
        equal("socketPath", entry.path("socketPath").asText(), promised.socketPath());
        Set<Cidr> known = addresses(previous, index);
        Set<Cidr> given = addresses(CniResult.of(promised, Json.object()), 0);
        if (!known.equals(given)) {
            throw different("addresses", names(known), names(given));
        }
    }

    /** Other interfaces may have our name, in other sandboxes or on the host: ours is the one in the sandbox. */
    private static int find(String ifname, String sandbox, CniResult previous) throws CniException {
        int named = -1;
        for (int i = 0; i < previous.interfaces().size(); i++) {
            JsonNode entry = previous.interfaces().get(i);
            if (entry.path("name").asText().equals(ifname)) {
                if (entry.path("sandbox").asText().equals(sandbox)) {
                    return i;
                }
                named = i;
            }
        }
        if (named < 0) {
            throw new CniException(
                    ErrorCode.CONFIGURATION,
                    "prevResult has no interface " + Quoted.of(ifname) + ", which was made",
                    "it must be the result of the ADD");
        }
        throw different(
                "sandbox", previous.interfaces().get(named).path("sandbox").asText(), sandbox);
    }

    private static Set<Cidr> addresses(CniResult result, int index) {
        Set<Cidr> addresses = new HashSet<>();
        for (JsonNode ip : result.ips()) {
            if (ip.path("interface").isInt() && ip.get("interface").intValue() == index) {
                addresses.add(Cidr.of(ip.get("address").textValue()));
            }
        }
        return addresses;
    }

    private static String names(Set<Cidr> addresses) {
        Set<String> names = new TreeSet<>();
        addresses.forEach(cidr -> names.add(cidr.address().getHostAddress() + "/" + cidr.prefix()));
        return String.join(", ", names);
    }

    private static void equal(String what, String known, String promised) throws CniException {
        if (!known.isEmpty() && !known.equals(promised)) {
            throw different(what, known, promised);
        }
    }

    private static CniException different(String what, String known, String promised) {
        return new CniException(
                ErrorCode.CONFIGURATION,
                what + " is " + Quoted.of(promised) + ", and " + Quoted.of(known) + " in prevResult",
                "prevResult is not of this attachment, or the attachment was made anew: recreate the pod");
    }
}
