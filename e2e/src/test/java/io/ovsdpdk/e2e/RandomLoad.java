package io.ovsdpdk.e2e;

import static io.ovsdpdk.agent.kubernetes.testbed.Pods.withVolume;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fabric8.kubernetes.api.model.Pod;
import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.AttachmentRequest;
import io.ovsdpdk.api.DeletionQueue;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.MacAddress;
import io.ovsdpdk.api.PodIdentity;
import io.ovsdpdk.api.Reply;
import io.ovsdpdk.api.Request;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;

/**
 * Clients that add, repeat, check and delete attachments at random, and what must be on the node because of what they were
 * told: all that was added and not deleted works, and nothing else is there.
 *
 * <p>Each attachment belongs to one client, which asks one thing after the other, as a runtime does; the two attachments of
 * a container, which share a folder, belong to two. Those of the last container are asked for by the plugin's process, with
 * an address of host-local, when the plugin is native: as a jar it would take most of the time.
 */
final class RandomLoad {
    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final Duration ADD_TIMEOUT = Duration.ofSeconds(5);
    private static final int CLIENTS = 6;
    private static final int CONTAINERS = 10;
    private static final String NOT_ATTACHED = "code " + ErrorCode.UNKNOWN_CONTAINER.code() + " ";
    private static final String NETWORK = "dpdk-net";

    /** What a client knows of an attachment. */
    private enum Known {
        ABSENT,
        PRESENT,
        /** Something was asked for, and there was no answer, or one that says to ask again. */
        OPEN
    }

    /** An attachment. Belongs to its client while that runs. */
    private static final class Slot {
        final String container;
        final String ifname;
        final boolean byPlugin;
        final Optional<Pod> pod;
        Known known = Known.ABSENT;
        Optional<MacAddress> mac = Optional.empty();

        Slot(String container, String ifname, boolean byPlugin, Optional<Pod> pod) {
            this.container = container;
            this.ifname = ifname;
            this.byPlugin = byPlugin;
            this.pod = pod;
        }

        AttachmentId id() {
            return new AttachmentId(container, ifname);
        }

        void is(Known now) {
            known = now;
            if (now != Known.PRESENT) {
                mac = Optional.empty();
            }
        }

        @Override
        public String toString() {
            return container.substring(0, 12) + "/" + ifname;
        }
    }

    /** What came of a call. */
    private sealed interface Answer {
        record Yes(Optional<MacAddress> mac) implements Answer {}

        /** An error that says to ask again. */
        record Later(String words) implements Answer {}

        record No(String words) implements Answer {}

        /** There is no agent, or it died before it answered. */
        record None() implements Answer {}
    }

    private final Node node;
    private final Random random;

    /** Whether something besides the agent fails, so that an agent which is there may be unable to do what is asked. */
    private final boolean faults;

    private final List<List<Slot>> clients = new ArrayList<>();

    private final Optional<KubernetesNode> cluster;

    /** Containers without pods, whose folders are below the shared root. */
    RandomLoad(Node node, long seed, boolean faults) throws IOException {
        this(node, Optional.empty(), seed, faults);
    }

    /** Containers of pods, which have a volume for their sockets. */
    RandomLoad(KubernetesNode cluster, long seed, boolean faults) throws IOException {
        this(cluster.node, Optional.of(cluster), seed, faults);
    }

    private RandomLoad(Node node, Optional<KubernetesNode> cluster, long seed, boolean faults) throws IOException {
        this.node = node;
        this.cluster = cluster;
        this.random = new Random(seed);
        this.faults = faults;
        node.configure(Json.object().put("agentWaitSeconds", 0));
        for (int i = 0; i < CLIENTS; i++) {
            clients.add(new ArrayList<>());
        }
        for (int i = 0; i < CONTAINERS; i++) {
            boolean byPlugin = cluster.isEmpty() && i == CONTAINERS - 1;
            if (byPlugin && !Jars.isPluginNative()) {
                continue;
            }
            String container = node.newContainer();
            Optional<Pod> pod = cluster.isPresent() ? Optional.of(pod(cluster.get(), "pod-" + i)) : Optional.empty();
            clients.get(2 * i % CLIENTS).add(new Slot(container, "net1", byPlugin, pod));
            clients.get((2 * i + 1) % CLIENTS).add(new Slot(container, "net2", byPlugin, pod));
        }
    }

    private static Pod pod(KubernetesNode cluster, String name) throws IOException {
        return cluster.schedule(withVolume(name, KubernetesNode.NAME, "shared-dir", "\"emptyDir\": {}"));
    }

    /** Where the socket of an attachment is, on the host. */
    private Path folder(Slot slot) {
        return slot.pod
                .map(pod -> cluster.orElseThrow().volume(pod, "shared-dir"))
                .orElseGet(
                        () -> node.workloadSocket(slot.container, slot.ifname).getParent());
    }

    private Stream<Slot> slots() {
        return clients.stream().flatMap(List::stream);
    }

    /**
     * All clients ask for one thing after the other until it is enough, or there is no agent to answer.
     *
     * @return false when somebody got no answer
     */
    boolean run(AtomicBoolean enough) throws Exception {
        try (Crowd crowd = new Crowd()) {
            List<Future<Boolean>> running = new ArrayList<>();
            for (List<Slot> own : clients) {
                Random choice = new Random(random.nextLong());
                running.add(crowd.begin(() -> {
                    boolean answered = true;
                    while (answered && !enough.get()) {
                        answered = step(own.get(choice.nextInt(own.size())), choice);
                    }
                    return answered;
                }));
            }
            return !Crowd.results(running).contains(false);
        }
    }

    /** @return false when there was no answer */
    private boolean step(Slot slot, Random choice) throws IOException {
        int percent = choice.nextInt(100);
        return switch (slot.known) {
            case ABSENT -> percent < 85 ? add(slot) : delete(slot);
            case PRESENT -> percent < 25 ? add(slot) : percent < 50 ? check(slot) : delete(slot);
            case OPEN -> percent < 50 ? add(slot) : delete(slot);
        };
    }

    private boolean add(Slot slot) throws IOException {
        boolean repeat = slot.known == Known.PRESENT;
        return switch (ask("ADD", slot)) {
            case Answer.Yes(Optional<MacAddress> mac) -> {
                if (repeat) {
                    assertThat(mac).as("a repeated ADD of %s", slot).isEqualTo(slot.mac);
                }
                slot.known = Known.PRESENT;
                slot.mac = mac;
                yield true;
            }
            case Answer.Later(String words) -> {
                refuseUnlessFaults("ADD", slot, words);
                if (!repeat) {
                    slot.is(Known.OPEN);
                }
                yield true;
            }
            case Answer.No(String words) -> {
                if (!faults) {
                    throw failure("ADD", slot, words);
                }
                if (!repeat) {
                    slot.is(Known.OPEN);
                }
                yield true;
            }
            case Answer.None() -> {
                if (!repeat) {
                    slot.is(Known.OPEN);
                }
                yield false;
            }
        };
    }

    private boolean check(Slot slot) throws IOException {
        return switch (ask("CHECK", slot)) {
            case Answer.Yes(Optional<MacAddress> mac) -> {
                assertThat(mac).as("CHECK of %s", slot).isEqualTo(slot.mac);
                yield true;
            }
            case Answer.Later(String words) -> {
                refuseUnlessFaults("CHECK", slot, words);
                yield true;
            }
            case Answer.No(String words) -> {
                refuseUnlessFaults("CHECK", slot, words);
                yield true;
            }
            case Answer.None() -> false;
        };
    }

    private boolean delete(Slot slot) throws IOException {
        return switch (ask("DEL", slot)) {
            case Answer.Yes _ -> {
                slot.is(Known.ABSENT);
                yield true;
            }
            case Answer.Later(String words) -> {
                // The plugin would leave it in the queue
                refuseUnlessFaults("DEL", slot, words);
                slot.is(Known.OPEN);
                yield true;
            }
            case Answer.No(String words) -> throw failure("DEL", slot, words);
            case Answer.None() -> {
                slot.is(Known.OPEN);
                yield false;
            }
        };
    }

    private void refuseUnlessFaults(String command, Slot slot, String words) {
        if (!faults && !slot.byPlugin) {
            throw failure(command, slot, words);
        }
    }

    private static AssertionError failure(String command, Slot slot, String words) {
        return new AssertionError(command + " of " + slot + " failed: " + words);
    }

    private Answer ask(String command, Slot slot) throws IOException {
        return slot.byPlugin ? askByPlugin(command, slot) : askAgent(command, slot);
    }

    private Answer askAgent(String command, Slot slot) {
        AttachmentRequest attachment = new AttachmentRequest(
                slot.id(),
                "/run/netns/" + slot.container,
                slot.pod
                        .map(Pod::getMetadata)
                        .map(pod -> new PodIdentity(pod.getNamespace(), pod.getName(), pod.getUid()))
                        .orElse(PodIdentity.NONE),
                Optional.empty(),
                network(slot));
        Reply reply;
        try {
            reply = node.ask(
                    switch (command) {
                        case "ADD" -> new Request.Add(attachment, Json.object(), ADD_TIMEOUT);
                        case "CHECK" -> new Request.Check(attachment);
                        default -> new Request.Delete(slot.id());
                    });
        } catch (IOException e) {
            return new Answer.None();
        }
        return switch (reply) {
            case Reply.Added(var attached) -> new Answer.Yes(Optional.of(attached.mac()));
            case Reply.Failed(var error) when error.is(ErrorCode.TRY_AGAIN) -> new Answer.Later(error.getMessage());
            case Reply.Failed(var error) -> new Answer.No("code " + error.code() + " " + error.getMessage());
            default -> new Answer.Yes(Optional.empty());
        };
    }

    /** Whether a plugin found an agent can't be told: what it says is taken for what it is. */
    private Answer askByPlugin(String command, Slot slot) throws IOException {
        ObjectNode network = network(slot);
        if (command.equals("CHECK")) {
            return new Answer.Yes(slot.mac);
        }
        PluginCall.Outcome outcome =
                node.call(command, slot.container, slot.ifname, network).run();
        if (outcome.succeeded()) {
            return new Answer.Yes(
                    command.equals("ADD")
                            ? Optional.of(new MacAddress(
                                    outcome.json().at("/interfaces/0/mac").asText()))
                            : Optional.empty());
        }
        return command.equals("ADD") && outcome.code() == ErrorCode.TRY_AGAIN.code()
                ? isThere() ? new Answer.Later(outcome.stdout()) : new Answer.None()
                : new Answer.No(outcome.stdout() + outcome.stderr());
    }

    private ObjectNode network(Slot slot) {
        ObjectNode network = node.network("1.1.0", slot.byPlugin ? "leased" : NETWORK);
        if (slot.byPlugin) {
            network.putObject("ipam")
                    .put("type", "host-local")
                    .put("subnet", "10.1.0.0/24")
                    .put("dataDir", leases().getParent().toString());
        }
        if (slot.pod.isPresent()) {
            network.remove("sharedDir");
        }
        return network;
    }

    private Path leases() {
        return node.folder().resolve("leases/leased");
    }

    private boolean isThere() {
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(node.agentSocket()))) {
            return channel.isConnected();
        } catch (IOException e) {
            return false;
        }
    }

    /** While there is no agent: some of the attachments are deleted as the plugin does it then. */
    void deleteWithoutAgent() throws IOException {
        for (Slot slot : slots().toList()) {
            if (random.nextInt(6) > 0) {
                continue;
            }
            if (slot.byPlugin) {
                assertThat(askByPlugin("DEL", slot)).isInstanceOf(Answer.Yes.class);
            } else {
                DeletionQueue queue = new DeletionQueue(node.runDir().resolve(DeletionQueue.FOLDER));
                try (DeletionQueue.Held held = queue.lock(PATIENCE)) {
                    queue.leave(slot.id(), held);
                }
            }
            slot.is(Known.ABSENT);
        }
    }

    /**
     * Repeats what got no answer, or deletes it, as a runtime does; or looks what came of it: then it must be there as a
     * whole, or go without being asked.
     *
     * @return false when there was no answer again
     */
    boolean settle() throws Exception {
        List<Slot> open = slots().filter(slot -> slot.known == Known.OPEN).toList();
        List<Integer> choices = open.stream().map(_ -> random.nextInt(3)).toList();
        return Crowd.of(open.size(), i -> () -> settle(open.get(i), choices.get(i))).stream()
                .allMatch(answered -> answered);
    }

    private boolean settle(Slot slot, int choice) throws IOException {
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (slot.known == Known.OPEN) {
            assertThat(System.nanoTime()).as("%s is still open", slot).isLessThan(end);
            boolean answered =
                    switch (choice) {
                        case 0 -> add(slot);
                        case 1 -> delete(slot);
                        default -> slot.byPlugin ? delete(slot) : look(slot);
                    };
            if (!answered) {
                return false;
            }
        }
        return true;
    }

    private boolean look(Slot slot) throws IOException {
        return switch (ask("CHECK", slot)) {
            case Answer.Yes(Optional<MacAddress> mac) -> {
                slot.known = Known.PRESENT;
                slot.mac = mac;
                yield true;
            }
            case Answer.No(String words)
            when words.startsWith(NOT_ATTACHED) -> {
                slot.is(Known.ABSENT);
                yield true;
            }
            case Answer.No(String words) -> {
                refuseUnlessFaults("CHECK", slot, words);
                yield true;
            }
            case Answer.Later(String words) -> {
                refuseUnlessFaults("CHECK", slot, words);
                yield true;
            }
            case Answer.None() -> false;
        };
    }

    /** Deletes all. */
    void deleteAll() throws Exception {
        List<Slot> all = slots().toList();
        assertThat(Crowd.of(all.size(), i -> () -> delete(all.get(i)))).doesNotContain(false);
    }

    /**
     * Nothing is open: what is there must be what the clients know, and CHECK must say so.
     *
     * @return false when the agent died before that was seen: it may have had work to do
     */
    boolean verify() throws Exception {
        await().atMost(PATIENCE).untilAsserted(() -> {
            if (node.agent().isAlive()) {
                assertThat(present()).isEqualTo(promised());
            }
        });
        List<Slot> there = slots().filter(slot -> slot.known == Known.PRESENT).toList();
        for (Answer answer : Crowd.of(there.size(), i -> () -> ask("CHECK", there.get(i)))) {
            assertThat(answer).isInstanceOfAny(Answer.Yes.class, Answer.None.class);
        }
        return node.agent().isAlive();
    }

    /** A guest of one of the attachments, if there is any, is connected by the switch. Not for pods: their paths are long. */
    void connectOne() throws IOException {
        List<Slot> there = slots().filter(slot -> slot.known == Known.PRESENT && slot.pod.isEmpty())
                .toList();
        if (there.isEmpty()) {
            return;
        }
        Slot slot = there.get(random.nextInt(there.size()));
        try (VhostUserGuest guest =
                VhostUserGuest.listen(node.workloadSocket(slot.container, slot.ifname), slot.mac.orElseThrow())) {
            guest.awaitConnection(PATIENCE);
        }
    }

    /** Pods whose attachments are there are told of them. */
    void verifyAnnotations() {
        await().atMost(PATIENCE).untilAsserted(() -> {
            for (Slot slot : slots().filter(s -> s.known == Known.PRESENT).toList()) {
                assertThat(cluster.orElseThrow()
                                .annotation(slot.pod.orElseThrow(), "k8s.v1.cni.cncf.io/network-status"))
                        .as("%s", slot)
                        .anyMatch(entry ->
                                entry.path("interface").asText().equals(slot.ifname) && entry.has("device-info"));
            }
        });
    }

    /** What must be there of ports, mounts, folders, checkpoints, deletions and addresses. */
    private Set<String> promised() throws IOException {
        Set<String> promised = new TreeSet<>();
        for (Slot slot : slots().toList()) {
            if (slot.known != Known.PRESENT) {
                continue;
            }
            Path folder = folder(slot);
            Path mount =
                    node.runDir().resolve("p").resolve(digest(folder.toString()).substring(0, 16));
            String port = "vhu" + digest(slot.container + "/" + slot.ifname).substring(0, 11);
            promised.add("port " + port);
            if (slot.pod.isEmpty()) {
                promised.add("folder " + folder);
            }
            promised.add("folder " + mount);
            promised.add("mount " + mount);
            promised.add("checkpoint " + port + ".json");
            if (slot.byPlugin) {
                promised.add("address of " + slot.container + " " + slot.ifname);
            }
        }
        return promised;
    }

    private Set<String> present() throws IOException {
        Set<String> present = new TreeSet<>();
        for (ObjectNode row : node.rows("Interface", "type!=internal")) {
            present.add(
                    "port " + row.path("name").asText() + (row.path("ofport").asInt() > 0 ? "" : " without ofport"));
        }
        node.mounts().stream()
                .filter(mount -> !mount.equals(node.stateDir()))
                .forEach(mount -> present.add("mount " + mount));
        for (Path folder : List.of(node.sharedRoot(), node.runDir().resolve("p"))) {
            entries(folder).forEach(entry -> {
                present.add((Files.isDirectory(entry) ? "folder " : "file ") + entry);
                entries(entry).forEach(content -> present.add("file " + content));
            });
        }
        slots().filter(slot -> slot.pod.isPresent())
                .flatMap(slot -> entries(folder(slot)))
                .forEach(content -> present.add("file " + content));
        entries(node.stateDir().resolve("attachments"))
                .forEach(file -> present.add("checkpoint " + file.getFileName()));
        entries(node.runDir().resolve(DeletionQueue.FOLDER))
                .filter(file -> !file.endsWith(".lock"))
                .forEach(file -> present.add("deletion " + file));
        for (Path lease : entries(leases()).toList()) {
            if (Character.isDigit(lease.getFileName().toString().charAt(0))) {
                present.add("address of " + Files.readString(lease).strip().replaceAll("\\s+", " "));
            }
        }
        return present;
    }

    private static Stream<Path> entries(Path folder) {
        if (!Files.isDirectory(folder)) {
            return Stream.empty();
        }
        try (Stream<Path> entries = Files.list(folder)) {
            return entries.toList().stream();
        } catch (IOException e) {
            // It went away just now
            return Stream.of(folder.resolve("?"));
        }
    }

    private static String digest(String text) {
        try {
            return HexFormat.of()
                    .formatHex(MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8)));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
