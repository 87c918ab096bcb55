package io.ovsdpdk.agent;

import static io.ovsdpdk.agent.TestAgent.request;
import static io.ovsdpdk.agent.TestAgent.soon;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.api.Attached;
import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.ovsdb.testbed.OvsDpdk;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.Tag;
import net.jqwik.api.Tuple;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.AfterTry;
import net.jqwik.api.lifecycle.BeforeContainer;
import net.jqwik.api.lifecycle.BeforeTry;
import net.jqwik.api.statistics.Statistics;

/**
 * Whatever is asked, in whatever order: the answers, and what is on the switch, in the folders and among the mounts and
 * checkpoints, are those of a model that knows nothing but the rules. On a real switch and the real kernel.
 */
class AttachmentsPropertyTest {

    private static final int CONTAINERS = 4;

    /** What a network configuration says. */
    private enum Wish {
        PLAIN,
        WIDE,
        OTHER_BRIDGE,
        /** In a network of another name. */
        RED,
        /** In a shared folder below the others' one. */
        DEEPER,
        /** In a shared folder that is the container folder of the first container. */
        INSIDE_THE_FIRST,
        BRIDGE_MISSING,
        BRIDGE_OF_THE_KERNEL,
        FORBIDDEN_FOLDER,
        IMPOSSIBLE_MTU;

        String network() {
            return this == RED ? "red" : "blue";
        }

        String bridge() {
            return switch (this) {
                case BRIDGE_MISSING -> "none";
                case BRIDGE_OF_THE_KERNEL -> "brsys";
                case OTHER_BRIDGE -> "br1";
                case PLAIN, WIDE, RED, DEEPER, INSIDE_THE_FIRST, FORBIDDEN_FOLDER, IMPOSSIBLE_MTU -> "br0";
            };
        }

        Path sharedDir(Path root) {
            return switch (this) {
                case DEEPER -> root.resolve("deeper");
                case INSIDE_THE_FIRST -> TestAgent.folderIn(root, id(0, 1));
                case FORBIDDEN_FOLDER -> Path.of("/etc");
                case PLAIN, WIDE, RED, OTHER_BRIDGE, BRIDGE_MISSING, BRIDGE_OF_THE_KERNEL, IMPOSSIBLE_MTU -> root;
            };
        }

        OptionalInt mtu() {
            return switch (this) {
                case WIDE -> OptionalInt.of(9000);
                case IMPOSSIBLE_MTU -> OptionalInt.of(10);
                case PLAIN,
                        RED,
                        DEEPER,
                        INSIDE_THE_FIRST,
                        OTHER_BRIDGE,
                        BRIDGE_MISSING,
                        BRIDGE_OF_THE_KERNEL,
                        FORBIDDEN_FOLDER -> OptionalInt.empty();
            };
        }

        ObjectNode configuration(TestAgent agent) {
            ObjectNode configuration = agent.network()
                    .put("name", network())
                    .put("bridge", bridge())
                    .put("sharedDir", sharedDir(agent.root()).toString());
            mtu().ifPresent(mtu -> configuration.put("mtu", mtu));
            return configuration;
        }
    }

    private sealed interface Step {
        record Announce(int container, int interfaceNumber, Wish wish) implements Step {}

        record Add(int container, int interfaceNumber, Wish wish, boolean withIpam) implements Step {}

        record Delete(int container, int interfaceNumber) implements Step {}

        record Check(int container, int interfaceNumber, Wish wish) implements Step {}

        /** @param valid the containers that live on */
        record Collect(Wish wish, Set<Integer> valid) implements Step {}

        record KillAgent() implements Step {}

        record LetTwoMinutesPass() implements Step {}
    }

    /** What should be there. */
    private static final class Model {
        private final Path root;
        final Map<AttachmentId, Wish> made = new HashMap<>();
        final Map<AttachmentId, Attached> results = new HashMap<>();
        final Set<AttachmentId> announced = new HashSet<>();
        final Set<AttachmentId> withdrawn = new HashSet<>();
        /** Whether the first container's folder was once another's shared folder, which may stay. */
        boolean firstFolderIsShared;

        Model(Path root) {
            this.root = root;
        }

        Path folder(AttachmentId id, Wish wish) {
            return TestAgent.folderIn(wish.sharedDir(root), id);
        }

        Optional<ErrorCode> refusalOfAnnouncement(AttachmentId id, Wish wish) {
            if (wish == Wish.IMPOSSIBLE_MTU) {
                return Optional.of(ErrorCode.CONFIGURATION);
            }
            if (made.containsKey(id)) {
                return refusalOfRepeat(id, wish);
            }
            return announced.contains(id) ? Optional.of(ErrorCode.TRY_AGAIN) : refusalOfNew(id, wish);
        }

        Optional<ErrorCode> refusalOfAdd(AttachmentId id, Wish wish, boolean withIpam) {
            if (wish == Wish.IMPOSSIBLE_MTU) {
                return Optional.of(ErrorCode.CONFIGURATION);
            }
            announced.remove(id);
            if (withdrawn.remove(id) && withIpam) {
                return Optional.of(ErrorCode.TRY_AGAIN);
            }
            return made.containsKey(id) ? refusalOfRepeat(id, wish) : refusalOfNew(id, wish);
        }

        private Optional<ErrorCode> refusalOfRepeat(AttachmentId id, Wish wish) {
            return made.get(id) == wish ? Optional.empty() : Optional.of(ErrorCode.CONFIGURATION);
        }

        private Optional<ErrorCode> refusalOfNew(AttachmentId id, Wish wish) {
            return switch (wish) {
                case BRIDGE_MISSING -> Optional.of(ErrorCode.BRIDGE_MISSING);
                case BRIDGE_OF_THE_KERNEL -> Optional.of(ErrorCode.BRIDGE_NOT_NETDEV);
                case FORBIDDEN_FOLDER, IMPOSSIBLE_MTU -> Optional.of(ErrorCode.CONFIGURATION);
                case PLAIN, WIDE, RED, DEEPER, INSIDE_THE_FIRST, OTHER_BRIDGE ->
                    made.keySet().stream().anyMatch(other -> isInTheWay(other, id, wish))
                            ? Optional.of(ErrorCode.CONFIGURATION)
                            : Optional.empty();
            };
        }

        /** Nobody's folder may be in another's; and only interfaces of one container share one. */
        private boolean isInTheWay(AttachmentId other, AttachmentId id, Wish wish) {
            Path theirs = folder(other, made.get(other));
            Path ours = folder(id, wish);
            boolean shared = other.containerId().equals(id.containerId()) && theirs.equals(ours);
            return !shared && (theirs.startsWith(ours) || ours.startsWith(theirs));
        }

        Optional<ErrorCode> refusalOfCheck(AttachmentId id, Wish wish) {
            if (!made.containsKey(id)) {
                return Optional.of(ErrorCode.UNKNOWN_CONTAINER);
            }
            return made.get(id).network().equals(wish.network())
                    ? Optional.empty()
                    : Optional.of(ErrorCode.CONFIGURATION);
        }

        void delete(AttachmentId id) {
            made.remove(id);
            if (announced.remove(id)) {
                withdrawn.add(id);
            }
        }
    }

    private static OvsDpdk ovs;

    private TestAgent agent;
    private Model model;

    @BeforeContainer
    static void startSwitch() {
        ovs = SharedSwitch.start();
    }

    @AfterContainer
    static void stopSwitch() throws IOException {
        ovs.close();
    }

    @BeforeTry
    void startAgent() throws Exception {
        agent = new TestAgent(ovs.socket());
        agent.ports.awaitReady(soon());
        model = new Model(agent.root());
    }

    @AfterTry
    void stopAgent() throws Exception {
        agent.localSwitch.deletePorts(ports().keySet(), soon());
        agent.close();
    }

    @Property(tries = 12)
    void agentDoesWhatTheModelDoes(@ForAll("courses") List<Step> course) throws Exception {
        follow(course);
    }

    @Tag("long")
    @Property(tries = 200)
    void likewiseOverManyCourses(@ForAll("courses") List<Step> course) throws Exception {
        follow(course);
    }

    private void follow(List<Step> course) throws Exception {
        for (Step step : course) {
            take(step);
            assertLikeTheModel();
        }
        for (AttachmentId id : List.copyOf(model.made.keySet())) {
            agent.attachments.delete(id);
            model.delete(id);
        }
        assertLikeTheModel();
    }

    private void take(Step step) throws Exception {
        switch (step) {
            case Step.Announce(int container, int number, Wish wish) -> announce(id(container, number), wish);
            case Step.Add(int container, int number, Wish wish, boolean withIpam) ->
                add(id(container, number), wish, withIpam);
            case Step.Delete(int container, int number) -> {
                agent.attachments.delete(id(container, number));
                model.delete(id(container, number));
            }
            case Step.Check(int container, int number, Wish wish) -> {
                AttachmentId id = id(container, number);
                answer(
                                model.refusalOfCheck(id, wish),
                                () -> agent.attachments.check(request(id, wish.configuration(agent)), soon()))
                        .ifPresent(attached -> assertThat(attached).isEqualTo(model.results.get(id)));
            }
            case Step.Collect(Wish wish, Set<Integer> valid) -> collect(wish.network(), valid);
            case Step.KillAgent() -> {
                agent.restart();
                model.announced.clear();
                model.withdrawn.clear();
            }
            case Step.LetTwoMinutesPass() -> {
                agent.clock.addAndGet(Announcements.LIFE.toNanos());
                model.announced.clear();
                model.withdrawn.clear();
            }
        }
    }

    private void announce(AttachmentId id, Wish wish) throws Exception {
        Optional<Optional<Attached>> announced = answer(
                model.refusalOfAnnouncement(id, wish),
                () -> agent.attachments.announce(request(id, wish.configuration(agent)), Duration.ofSeconds(8)));
        if (announced.isPresent()) {
            assertThat(announced.get())
                    .isEqualTo(model.made.containsKey(id) ? Optional.of(model.results.get(id)) : Optional.empty());
            if (announced.get().isEmpty()) {
                model.withdrawn.remove(id);
                model.announced.add(id);
            }
        }
    }

    private void add(AttachmentId id, Wish wish, boolean withIpam) throws Exception {
        ObjectNode addresses = Json.object();
        if (withIpam) {
            addresses.putArray("ips").addObject().put("address", "10.1.0.5/16");
        }
        Optional<Attached> added = answer(
                model.refusalOfAdd(id, wish, withIpam),
                () -> agent.attachments.add(request(id, wish.configuration(agent)), addresses, soon()));
        if (added.isEmpty()) {
            return;
        }
        if (model.made.putIfAbsent(id, wish) == null) {
            assertThat(added.get().ifname()).isEqualTo(id.ifname());
            assertThat(added.get().mtu()).isEqualTo(wish.mtu());
            assertThat(added.get().ipam()).isEqualTo(addresses);
            assertThat(added.get().socketPath())
                    .isEqualTo(model.folder(id, wish)
                            .resolve(id.ifname() + ".sock")
                            .toString());
            model.results.put(id, added.get());
            model.firstFolderIsShared |= wish == Wish.INSIDE_THE_FIRST;
        } else {
            assertThat(added.get()).isEqualTo(model.results.get(id));
        }
    }

    private void collect(String network, Set<Integer> valid) throws Exception {
        Set<AttachmentId> lives = valid.stream()
                .flatMap(container -> Stream.of(id(container, 1), id(container, 2)))
                .collect(Collectors.toSet());
        agent.attachments.collect(network, lives, soon());
        List.copyOf(model.made.keySet()).stream()
                .filter(id -> model.made.get(id).network().equals(network) && !lives.contains(id))
                .forEach(model::delete);
    }

    /** What the agent answers, when it should; empty when it refuses, and should. */
    private static <T> Optional<T> answer(Optional<ErrorCode> refusal, Callable<T> request) throws Exception {
        Statistics.label("answers").collect(refusal.map(ErrorCode::toString).orElse("done"));
        try {
            T answer = request.call();
            assertThat(refusal).as("should refuse and answers " + answer).isEmpty();
            return Optional.of(answer);
        } catch (CniException e) {
            assertThat(refusal.map(ErrorCode::code)).as(e.getMessage()).contains(e.code());
            return Optional.empty();
        }
    }

    private void assertLikeTheModel() throws IOException {
        Map<String, String> expectedPorts = new TreeMap<>();
        Set<String> expectedCheckpoints = new TreeSet<>();
        Set<Path> expectedFolders = new TreeSet<>();
        model.made.forEach((id, wish) -> {
            expectedPorts.put(PortName.of(id), wish.bridge());
            expectedCheckpoints.add(PortName.of(id) + ".json");
            expectedFolders.add(model.folder(id, wish));
        });

        assertThat(ports()).isEqualTo(expectedPorts);
        assertThat(namesIn(agent.checkpoints())).isEqualTo(expectedCheckpoints);
        assertThat(containerFolders(expectedFolders)).isEqualTo(expectedFolders);
        assertThat(agent.mountsInUse()).hasSameSizeAs(expectedFolders);
        assertThat(agent.attachments.count()).isEqualTo(model.made.size());
    }

    /** Our ports on the switch, and the bridge of each. */
    private Map<String, String> ports() {
        return agent.localSwitch.ports().stream()
                .filter(port -> port.name().startsWith("vhu"))
                .collect(Collectors.toMap(
                        port -> port.name(), port -> port.bridge().orElse("none"), (one, _) -> one, TreeMap::new));
    }

    private static Set<String> namesIn(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).collect(Collectors.toCollection(TreeSet::new));
        }
    }

    private Set<Path> containerFolders(Set<Path> expected) throws IOException {
        Path first = agent.folderOf(id(0, 1));
        if (Files.notExists(agent.root())) {
            return Set.of();
        }
        try (Stream<Path> files = Files.walk(agent.root())) {
            return files.filter(file -> file.getFileName().toString().length() == 12)
                    .filter(file -> !(model.firstFolderIsShared && file.equals(first) && !expected.contains(first)))
                    .collect(Collectors.toCollection(TreeSet::new));
        }
    }

    /** The last container's folder would be that of the first. */
    private static AttachmentId id(int container, int interfaceNumber) {
        String containerId =
                container == CONTAINERS - 1 ? "%012dother".formatted(0) : "%012dabcdef".formatted(container);
        return new AttachmentId(containerId, "net" + interfaceNumber);
    }

    @Provide
    static Arbitrary<List<Step>> courses() {
        Arbitrary<Integer> containers = Arbitraries.integers().between(0, CONTAINERS - 1);
        Arbitrary<Integer> interfaces = Arbitraries.integers().between(1, 2);
        Arbitrary<Wish> wishes = Arbitraries.frequencyOf(
                Tuple.of(5, Arbitraries.just(Wish.PLAIN)), Tuple.of(5, Arbitraries.of(Wish.values())));
        return Arbitraries.<Step>frequencyOf(
                        Tuple.of(
                                3,
                                Combinators.combine(containers, interfaces, wishes)
                                        .as(Step.Announce::new)),
                        Tuple.of(
                                8,
                                Combinators.combine(containers, interfaces, wishes, Arbitraries.of(true, false))
                                        .as(Step.Add::new)),
                        Tuple.of(5, Combinators.combine(containers, interfaces).as(Step.Delete::new)),
                        Tuple.of(
                                2,
                                Combinators.combine(containers, interfaces, wishes)
                                        .as(Step.Check::new)),
                        Tuple.of(
                                1,
                                Combinators.combine(
                                                Arbitraries.of(Wish.PLAIN, Wish.RED),
                                                containers.set().ofMaxSize(CONTAINERS))
                                        .as(Step.Collect::new)),
                        Tuple.of(1, Arbitraries.just(new Step.KillAgent())),
                        Tuple.of(1, Arbitraries.just(new Step.LetTwoMinutesPass())))
                .list()
                .ofMaxSize(20);
    }
}
