package io.ovsdpdk.api;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/**
 * Requests and replies as bytes: one JSON object in one line, UTF-8, ended by a line feed.
 *
 * <p>A plugin and an agent of different versions meet at each upgrade, and either may be the newer one. So the protocol
 * grows by new keys, which an older side ignores, and by new operations and replies, which it refuses; what is there keeps
 * its meaning. Each line tells its sender's number, so that a refusal can say which side is behind.
 */
public final class Wire {
    /** Goes into every line, and grows with each addition. A line without one is of protocol 1. */
    public static final int PROTOCOL = 1;

    private static final String VERSION = "protocol";

    private static final String TIMEOUT = "timeoutMillis";

    private Wire() {}

    public static byte[] encode(Request request) {
        ObjectNode node = Json.object().put(VERSION, PROTOCOL);
        switch (request) {
            case Request.Announce announce ->
                putAttachment(node.put("op", "announce"), announce.attachment())
                        .put(TIMEOUT, announce.timeout().toMillis());
            case Request.Add add ->
                putAttachment(node.put("op", "add"), add.attachment())
                        .put(TIMEOUT, add.timeout().toMillis())
                        .set("ipam", add.ipam());
            case Request.Delete delete -> putId(node.put("op", "delete"), delete.id());
            case Request.Check check -> putAttachment(node.put("op", "check"), check.attachment());
            case Request.Collect collect -> {
                ArrayNode valid = node.put("op", "collect")
                        .put("network", collect.network())
                        .putArray("valid");
                collect.valid().forEach(id -> putId(valid.addObject(), id));
            }
            case Request.CollectOrphans orphans ->
                node.put("op", "collect-orphans").put("removal", text(orphans.removal()));
            case Request.Status ignored -> node.put("op", "status");
            case Request.Ready ignored -> node.put("op", "ready");
            case Request.List ignored -> node.put("op", "list");
            case Request.Inspect ignored -> node.put("op", "inspect");
        }
        return line(node);
    }

    /** @throws CniException {@link ErrorCode#DECODING} or, for a value that can't be, {@link ErrorCode#ENVIRONMENT} */
    public static Request decodeRequest(byte[] line) throws CniException {
        ObjectNode node = Json.readObject("request", line);
        String op = text(node, "op");
        return switch (op) {
            case "announce" -> new Request.Announce(attachment(node), timeout(node));
            case "add" -> new Request.Add(attachment(node), object(node, "ipam"), timeout(node));
            case "delete" -> new Request.Delete(id(node));
            case "check" -> new Request.Check(attachment(node));
            case "collect" -> new Request.Collect(text(node, "network"), ids(node.path("valid")));
            case "collect-orphans" ->
                new Request.CollectOrphans(choice(node, "removal", Request.CollectOrphans.Removal.class));
            case "status" -> new Request.Status();
            case "ready" -> new Request.Ready();
            case "list" -> new Request.List();
            case "inspect" -> new Request.Inspect();
            default ->
                throw new CniException(
                        ErrorCode.DECODING,
                        "the agent (protocol " + PROTOCOL + ") does not know the operation " + Quoted.of(op)
                                + " of the plugin (protocol " + version(node) + ")",
                        "agent and plugin are of different versions: upgrade the agent");
        };
    }

    public static byte[] encode(Reply reply) {
        ObjectNode node = Json.object().put(VERSION, PROTOCOL);
        switch (reply) {
            case Reply.Announced announced -> {
                node.put("reply", "announced");
                announced.existing().ifPresent(existing -> node.set("attached", toJson(existing)));
            }
            case Reply.Added added -> node.put("reply", "added").set("attached", toJson(added.attached()));
            case Reply.Done ignored -> node.put("reply", "done");
            case Reply.Listed listed -> {
                ArrayNode attachments = node.put("reply", "listed").putArray("attachments");
                listed.attachments().forEach(view -> attachments.add(view.toJson()));
            }
            case Reply.Orphans orphans ->
                node.put("reply", "orphans").set("report", orphans.report().toJson());
            case Reply.Inspected inspected ->
                node.put("reply", "inspected").set("node", inspected.node().toJson());
            case Reply.Failed failed ->
                node.put("reply", "failed")
                        .put("code", failed.error().code())
                        .put("msg", failed.error().getMessage())
                        .put("details", failed.error().details());
        }
        return line(node);
    }

    /** @throws CniException {@link ErrorCode#DECODING} when it is no reply of an agent */
    public static Reply decodeReply(byte[] line) throws CniException {
        ObjectNode node = Json.readObject("agent's reply", line);
        String reply = text(node, "reply");
        return switch (reply) {
            case "announced" ->
                new Reply.Announced(
                        node.has("attached") ? Optional.of(attached(object(node, "attached"))) : Optional.empty());
            case "added" -> new Reply.Added(attached(object(node, "attached")));
            case "done" -> new Reply.Done();
            case "listed" -> new Reply.Listed(views(node.path("attachments")));
            case "orphans" -> new Reply.Orphans(orphanReport(object(node, "report")));
            case "inspected" -> new Reply.Inspected(nodeView(object(node, "node")));
            case "failed" ->
                new Reply.Failed(new CniException(number(node, "code"), text(node, "msg"), text(node, "details")));
            default ->
                throw new CniException(
                        ErrorCode.DECODING,
                        "the plugin (protocol " + PROTOCOL + ") does not know the reply " + Quoted.of(reply)
                                + " of the agent (protocol " + version(node) + ")",
                        "agent and plugin are of different versions: upgrade the plugin");
        };
    }

    /** As it stands in replies and in the agent's checkpoints. */
    public static ObjectNode toJson(Attached attached) {
        ObjectNode node = Json.object()
                .put("ifname", attached.ifname())
                .put("sandbox", attached.sandbox())
                .put("mac", attached.mac().text());
        attached.mtu().ifPresent(mtu -> node.put("mtu", mtu));
        node.put("socketPath", attached.socketPath()).set("ipam", attached.ipam());
        return node;
    }

    /** @throws CniException {@link ErrorCode#DECODING} when a part is missing or has the wrong shape */
    public static Attached attached(ObjectNode node) throws CniException {
        return new Attached(
                text(node, "ifname"),
                text(node, "sandbox"),
                mac(text(node, "mac"), ErrorCode.DECODING),
                node.has("mtu") ? OptionalInt.of(number(node, "mtu")) : OptionalInt.empty(),
                text(node, "socketPath"),
                object(node, "ipam"));
    }

    private static List<AttachmentView> views(JsonNode nodes) throws CniException {
        if (!nodes.isArray()) {
            throw new CniException(ErrorCode.DECODING, "\"attachments\" must be a JSON array");
        }
        List<AttachmentView> views = new ArrayList<>();
        for (JsonNode node : nodes) {
            views.add(new AttachmentView(
                    id(node),
                    pod(node.path("pod")),
                    text(node, "network"),
                    text(node, "bridge"),
                    text(node, "port"),
                    mac(text(node, "mac"), ErrorCode.DECODING),
                    node.has("mtu") ? OptionalInt.of(number(node, "mtu")) : OptionalInt.empty(),
                    text(node, "socketPath"),
                    text(node, "switchSocket"),
                    text(node, "state"),
                    text(node, "link"),
                    text(node, "problem")));
        }
        return views;
    }

    private static OrphanReport orphanReport(ObjectNode node) throws CniException {
        List<OrphanView> orphans = new ArrayList<>();
        for (JsonNode orphan : node.path("orphans")) {
            orphans.add(new OrphanView(
                    text(orphan, "port"),
                    pod(orphan.path("pod")),
                    text(orphan, "containerId"),
                    text(orphan, "ifname"),
                    text(orphan, "mount"),
                    number(orphan, "seenSeconds"),
                    number(orphan, "remainingSeconds"),
                    choice(orphan, "state", OrphanView.State.class),
                    text(orphan, "note")));
        }
        return new OrphanReport(orphans, number(node, "graceSeconds"), text(node, "obstacle"));
    }

    private static NodeView nodeView(ObjectNode node) throws CniException {
        return new NodeView(
                text(node, "agentVersion"),
                text(node, "switchVersion"),
                text(node, "dpdkVersion"),
                node.path("connected").asBoolean(),
                number(node, "ports"),
                number(node, "portLimit"),
                number(node, "attachments"),
                // An agent that did not look for them left it out
                node.path("orphans").asInt(),
                text(node, "mounts"),
                node.has("cluster") ? Optional.of(cluster(object(node, "cluster"))) : Optional.empty(),
                number(node, "code"),
                text(node, "problem"),
                text(node, "remedy"));
    }

    private static NodeView.Cluster cluster(ObjectNode node) throws CniException {
        return new NodeView.Cluster(
                text(node, "node"),
                number(node, "pods"),
                node.path("synchronised").asBoolean(),
                node.path("following").asBoolean());
    }

    private static ObjectNode putAttachment(ObjectNode node, AttachmentRequest attachment) {
        putId(node, attachment.id()).put("sandbox", attachment.sandbox());
        node.putObject("pod")
                .put("namespace", attachment.pod().namespace())
                .put("name", attachment.pod().name())
                .put("uid", attachment.pod().uid());
        attachment.mac().ifPresent(mac -> node.put("mac", mac.text()));
        node.set("network", attachment.network());
        return node;
    }

    private static PodIdentity pod(JsonNode pod) throws CniException {
        try {
            return new PodIdentity(text(pod, "namespace"), text(pod, "name"), text(pod, "uid"));
        } catch (IllegalArgumentException e) {
            throw new CniException(ErrorCode.ENVIRONMENT, e.getMessage(), "", e);
        }
    }

    private static AttachmentRequest attachment(ObjectNode node) throws CniException {
        AttachmentId id = id(node);
        Optional<MacAddress> mac =
                node.has("mac") ? Optional.of(mac(text(node, "mac"), ErrorCode.ENVIRONMENT)) : Optional.empty();
        try {
            return new AttachmentRequest(
                    id, text(node, "sandbox"), pod(object(node, "pod")), mac, object(node, "network"));
        } catch (IllegalArgumentException e) {
            throw new CniException(ErrorCode.ENVIRONMENT, e.getMessage(), "", e);
        }
    }

    private static ObjectNode putId(ObjectNode node, AttachmentId id) {
        return node.put("containerId", id.containerId()).put("ifname", id.ifname());
    }

    private static AttachmentId id(JsonNode node) throws CniException {
        try {
            return new AttachmentId(text(node, "containerId"), text(node, "ifname"));
        } catch (IllegalArgumentException e) {
            throw new CniException(ErrorCode.ENVIRONMENT, e.getMessage(), "", e);
        }
    }

    private static Set<AttachmentId> ids(JsonNode node) throws CniException {
        if (!node.isArray()) {
            throw new CniException(ErrorCode.DECODING, "\"valid\" must be a JSON array of attachments");
        }
        Set<AttachmentId> ids = new HashSet<>();
        for (JsonNode element : node) {
            ids.add(id(element));
        }
        return ids;
    }

    private static MacAddress mac(String text, ErrorCode otherwise) throws CniException {
        try {
            return new MacAddress(text);
        } catch (IllegalArgumentException e) {
            throw new CniException(otherwise, e.getMessage(), "", e);
        }
    }

    private static String text(JsonNode node, String key) throws CniException {
        if (!node.path(key).isTextual()) {
            throw new CniException(ErrorCode.DECODING, Quoted.of(key) + " is missing or is no text");
        }
        return node.get(key).textValue();
    }

    /** As {@link #text(Enum)} writes it. */
    private static <E extends Enum<E>> E choice(JsonNode node, String key, Class<E> type) throws CniException {
        String text = text(node, key);
        for (E constant : type.getEnumConstants()) {
            if (text(constant).equals(text)) {
                return constant;
            }
        }
        throw new CniException(
                ErrorCode.DECODING,
                Quoted.of(key) + " is " + Quoted.of(text) + ", which is not known here",
                "agent and plugin are of different versions");
    }

    private static String text(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT);
    }

    private static int number(JsonNode node, String key) throws CniException {
        if (!node.path(key).isIntegralNumber() || !node.get(key).canConvertToInt()) {
            throw new CniException(ErrorCode.DECODING, Quoted.of(key) + " is missing or is no number");
        }
        return node.get(key).intValue();
    }

    /** For messages alone: whatever a stranger says there harms nothing. */
    private static int version(ObjectNode node) {
        return node.path(VERSION).asInt(1);
    }

    private static Duration timeout(ObjectNode node) throws CniException {
        int millis = number(node, TIMEOUT);
        if (millis < 1 || millis > Request.MAX_TIMEOUT.toMillis()) {
            throw new CniException(
                    ErrorCode.DECODING, TIMEOUT + " " + millis + " must be 1 to " + Request.MAX_TIMEOUT.toMillis());
        }
        return Duration.ofMillis(millis);
    }

    private static ObjectNode object(ObjectNode node, String key) throws CniException {
        if (node.path(key) instanceof ObjectNode object) {
            return object;
        }
        throw new CniException(ErrorCode.DECODING, Quoted.of(key) + " is missing or is no JSON object");
    }

    private static byte[] line(JsonNode node) {
        byte[] json = Json.write(node);
        byte[] line = Arrays.copyOf(json, json.length + 1);
        line[json.length] = '\n';
        return line;
    }
}
