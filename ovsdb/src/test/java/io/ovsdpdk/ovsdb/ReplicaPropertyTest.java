package io.ovsdpdk.ovsdb;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.ovsdb.testbed.OvsdbServer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
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
import org.opendaylight.ovsdb.lib.notation.UUID;

/**
 * Whatever is changed on a real ovsdb-server, and whatever becomes of the connection in between: as soon as a
 * transaction's answer is there, the replica equals a fresh {@code select}, which is read here without the library.
 */
class ReplicaPropertyTest {

    /** Beyond what the agent replicates: maps to integers and to references, numbers in optional columns. */
    private static final ReplicatedTables TABLES = tables();

    private static final OvsdbOptions OPTIONS =
            new OvsdbOptions(OvsdbOptions.DEFAULT.probeInterval(), millis(1), millis(20), 64 << 20);

    /** The columns that are changed at random, and the arbitrary of whole values of each. */
    private static final Map<String, Map<String, Arbitrary<JsonNode>>> VALUES = Map.of(
            "Open_vSwitch",
            Map.of(
                    "next_cfg", integers(0, Long.MAX_VALUE),
                    "dpdk_initialized", Arbitraries.of(true, false).map(json()::booleanNode),
                    "ovs_version", optional(texts()),
                    "iface_types", set(texts()),
                    "other_config", map(texts(), texts())),
            "Bridge",
            Map.of("datapath_type", texts(), "external_ids", map(texts(), texts())),
            "Port",
            Map.of(
                    "tag", optional(integers(0, 4095)),
                    "trunks", set(integers(0, 4095)),
                    "external_ids", map(texts(), texts())),
            "Interface",
            Map.of(
                    "type", texts(),
                    "ofport", optional(integers(Long.MIN_VALUE, Long.MAX_VALUE)),
                    "error", optional(texts()),
                    "mtu_request", optional(integers(68, 9702)),
                    "options", map(texts(), texts()),
                    "status", map(texts(), texts()),
                    "statistics", map(texts(), integers(Long.MIN_VALUE, Long.MAX_VALUE)),
                    "link_state", optional(Arbitraries.of("up", "down").map(json()::textNode))));

    /** A change of the database; rows are told by their place among those that are there. */
    private sealed interface Change {
        record AddBridge(String name) implements Change {}

        record AddPort(int bridge, String name, int interfaces) implements Change {}

        record RemoveBridge(int bridge) implements Change {}

        record RemovePort(int port) implements Change {}

        record AddQueue(int port, long number) implements Change {}

        record Set(String table, int row, String column, JsonNode value) implements Change {}

        record Mutate(String table, int row, String column, String mutator, JsonNode value) implements Change {}
    }

    private sealed interface Step {
        /** All of them or, where one can't be, none. */
        record Transaction(List<Change> changes) implements Step {}

        /** Likewise, by another client. */
        record TransactionOfAnother(List<Change> changes) implements Step {}

        record LoseConnection() implements Step {}

        record RestartServer() implements Step {}
    }

    private static OvsdbServer server;

    private ReplicaFeed feed;
    private ReplicaFeed otherFeed;
    private ConnectionKeeper keeper;
    private ConnectionKeeper other;

    @BeforeContainer
    static void startServer() throws Exception {
        server = OvsdbServer.create();
        server.start();
    }

    @AfterContainer
    static void stopServer() throws Exception {
        server.close();
    }

    @BeforeTry
    void beginAnew() throws Exception {
        feed = new ReplicaFeed();
        otherFeed = new ReplicaFeed();
        keeper = new ConnectionKeeper(server.socket(), TABLES, OPTIONS, feed);
        other = new ConnectionKeeper(server.socket(), TABLES, OPTIONS, otherFeed);
        keeper.start();
        other.start();
        clear(operation("update", "Open_vSwitch").set("row", emptied("Open_vSwitch")));
        // Of a QoS that was used in this very transaction the server would say that it is in use
        clear(operation("delete", "QoS"), operation("delete", "Queue"));
    }

    private void clear(JsonNode... operations) throws Exception {
        for (JsonNode result : transact(feed, json().arrayNode().addAll(List.of(operations)))) {
            assertThat(result.has("error")).as(result.toString()).isFalse();
        }
    }

    private static ObjectNode emptied(String table) {
        ObjectNode row = json().objectNode();
        row.set("bridges", collection("set"));
        VALUES.get(table).keySet().stream()
                .filter(column -> !Set.of("next_cfg", "dpdk_initialized").contains(column))
                .forEach(column -> row.set(column, collection(column.equals("other_config") ? "map" : "set")));
        return row.put("next_cfg", 0).put("dpdk_initialized", false);
    }

    @AfterTry
    void close() {
        keeper.close();
        other.close();
    }

    @Property(tries = 40)
    void replicaEqualsTheDatabaseAfterEveryStep(@ForAll("courses") List<Step> course) throws Exception {
        follow(course);
    }

    @Tag("long")
    @Property(tries = 400)
    void likewiseOverManyCourses(@ForAll("courses") List<Step> course) throws Exception {
        follow(course);
    }

    private void follow(List<Step> course) throws Exception {
        assertReplicaEqualsDatabase();
        for (Step step : course) {
            take(step);
            assertReplicaEqualsDatabase();
        }
    }

    private void take(Step step) throws Exception {
        switch (step) {
            case Step.Transaction(List<Change> changes) -> count(transact(feed, operations(changes)));
            case Step.TransactionOfAnother(List<Change> changes) -> count(transact(otherFeed, operations(changes)));
            case Step.LoseConnection() -> {
                Connection lost = connection(feed);
                lost.end("the test wants it so");
                await(feed, lost);
            }
            case Step.RestartServer() -> {
                Connection lost = connection(feed);
                Connection lostToo = connection(otherFeed);
                server.kill();
                server.start();
                await(feed, lost);
                await(otherFeed, lostToo);
            }
        }
    }

    /** A refused one must leave no trace; most should be carried out, or little is tried. */
    private static void count(JsonNode results) {
        Statistics.label("transactions")
                .collect(results.valueStream().anyMatch(result -> result.has("error")) ? "refused" : "carried out");
    }

    /** Until another connection has taken the place of one that was lost. */
    private static void await(ReplicaFeed feed, Connection lost) throws Exception {
        assertThat(feed.await(() -> feed.view().connection().filter(next -> next != lost), soon()))
                .isPresent();
    }

    private static Connection connection(ReplicaFeed feed) throws Exception {
        return feed.await(() -> feed.view().connection(), soon()).orElseThrow();
    }

    private static JsonNode transact(ReplicaFeed feed, ArrayNode operations) throws Exception {
        List<JsonNode> parameters = new ArrayList<>(List.of(json().textNode("Open_vSwitch")));
        operations.forEach(parameters::add);
        return connection(feed).call("transact", parameters).await(soon());
    }

    private ArrayNode operations(List<Change> changes) {
        ArrayNode operations = json().arrayNode();
        changes.forEach(change -> put(change, operations));
        return operations;
    }

    private void put(Change change, ArrayNode operations) {
        String fresh = "row" + operations.size();
        switch (change) {
            case Change.AddBridge(String name) -> {
                operations.add(insert("Bridge", fresh).set("row", row(name)));
                operations.add(mutation("Open_vSwitch", "bridges", "insert", namedUuid(fresh)));
            }
            case Change.AddPort(int place, String name, int interfaces) ->
                rowAt("Bridge", place).ifPresent(bridge -> {
                    ArrayNode references = json().arrayNode();
                    for (int i = 0; i < interfaces; i++) {
                        operations.add(insert("Interface", fresh + i).set("row", row(name + i)));
                        references.add(namedUuid(fresh + i));
                    }
                    ObjectNode port = row(name);
                    port.set("interfaces", json().arrayNode().add("set").add(references));
                    operations.add(insert("Port", fresh).set("row", port));
                    operations.add(at(bridge, mutation("Bridge", "ports", "insert", namedUuid(fresh))));
                });
            case Change.RemoveBridge(int place) ->
                rowAt("Bridge", place)
                        .ifPresent(bridge ->
                                operations.add(mutation("Open_vSwitch", "bridges", "delete", uuid(bridge.uuid()))));
            case Change.RemovePort(int place) ->
                rowAt("Port", place)
                        .ifPresent(port -> operations.add(mutation("Bridge", "ports", "delete", uuid(port.uuid()))));
            case Change.AddQueue(int place, long number) ->
                rowAt("Port", place).ifPresent(port -> {
                    operations.add(insert("Queue", fresh + "q").set("row", json().objectNode()));
                    ObjectNode qos = json().objectNode().put("type", "egress-policer");
                    ArrayNode pair = json().arrayNode().add(number).add(namedUuid(fresh + "q"));
                    qos.set(
                            "queues",
                            json().arrayNode().add("map").add(json().arrayNode().add(pair)));
                    operations.add(insert("QoS", fresh).set("row", qos));
                    ObjectNode use = json().objectNode();
                    use.set("qos", namedUuid(fresh));
                    operations.add(at(port, operation("update", "Port")).set("row", use));
                });
            case Change.Set(String table, int place, String column, JsonNode value) ->
                rowAt(table, place).ifPresent(row -> {
                    ObjectNode values = json().objectNode();
                    values.set(column, value);
                    operations.add(at(row, operation("update", table)).set("row", values));
                });
            case Change.Mutate(String table, int place, String column, String mutator, JsonNode value) ->
                rowAt(table, place).ifPresent(row -> operations.add(at(row, mutation(table, column, mutator, value))));
        }
    }

    /** The same one for the same course: rows are in the order of their names, since UUIDs are random. */
    private Optional<ReplicaRow> rowAt(String table, int place) {
        List<ReplicaRow> rows = feed.view().replica().rows(table).stream()
                .sorted(Comparator.comparing(row -> row.string("name")))
                .toList();
        return rows.isEmpty() ? Optional.empty() : Optional.of(rows.get(place % rows.size()));
    }

    private void assertReplicaEqualsDatabase() throws Exception {
        List<String> tables = List.copyOf(TABLES.columns().keySet());
        ArrayNode selects = json().arrayNode();
        for (String table : tables) {
            ArrayNode columns = json().arrayNode().add("_uuid");
            TABLES.columns().get(table).forEach(columns::add);
            selects.add(operation("select", table).set("columns", columns));
        }
        JsonNode results = transact(feed, selects);
        Replica replica = feed.view().replica();
        for (int i = 0; i < tables.size(); i++) {
            Map<Object, Object> selected = new HashMap<>();
            for (JsonNode row : results.get(i).get("rows")) {
                Map<String, Object> values = new TreeMap<>();
                row.properties().forEach(column -> values.put(column.getKey(), value(column.getValue())));
                selected.put(values.remove("_uuid"), values);
            }
            Map<Object, Object> replicated = new HashMap<>();
            for (ReplicaRow row : replica.rows(tables.get(i))) {
                Map<String, Object> values = new TreeMap<>();
                row.values().forEach((column, value) -> values.put(column, bare(value)));
                replicated.put(row.uuid(), values);
                assertFoundByName(replica, tables.get(i), row);
            }
            assertThat(replicated).as(tables.get(i)).isEqualTo(selected);
        }
    }

    private static void assertFoundByName(Replica replica, String table, ReplicaRow row) {
        if (row.values().get("name") instanceof String name) {
            assertThat(replica.named(table, name)).contains(row);
        }
    }

    /** RFC 7047 section 5.1 tells a set of one element from that element by the schema only: here they are one. */
    private static Object bare(Object value) {
        return value instanceof Set<?> set && set.size() == 1 ? set.iterator().next() : value;
    }

    private static Object value(JsonNode json) {
        if (!json.isArray()) {
            return json.isTextual() ? json.textValue() : json.isBoolean() ? json.booleanValue() : number(json);
        }
        return switch (json.get(0).textValue()) {
            case "uuid" -> new UUID(json.get(1).textValue());
            case "set" -> {
                Set<Object> set = new HashSet<>();
                json.get(1).forEach(element -> set.add(value(element)));
                yield bare(set);
            }
            case "map" -> {
                Map<Object, Object> map = new HashMap<>();
                json.get(1).forEach(pair -> map.put(value(pair.get(0)), value(pair.get(1))));
                yield map;
            }
            case String unknown -> throw new AssertionError("a value of kind " + unknown);
        };
    }

    private static Object number(JsonNode json) {
        assertThat(json.isIntegralNumber()).as(json.toString()).isTrue();
        return json.longValue();
    }

    @Provide
    static Arbitrary<List<Step>> courses() {
        Arbitrary<List<Change>> changes = changes().list().ofMinSize(1).ofMaxSize(6);
        return Arbitraries.<Step>frequencyOf(
                        Tuple.of(12, changes.map(Step.Transaction::new)),
                        Tuple.of(6, changes.map(Step.TransactionOfAnother::new)),
                        Tuple.of(2, Arbitraries.just(new Step.LoseConnection())),
                        Tuple.of(1, Arbitraries.just(new Step.RestartServer())))
                .list()
                .ofMaxSize(12);
    }

    private static Arbitrary<Change> changes() {
        Arbitrary<Integer> places = Arbitraries.integers().between(0, 11);
        Arbitrary<String> bridges = Arbitraries.integers().between(0, 3).map(number -> "br" + number);
        Arbitrary<String> ports = Arbitraries.integers().between(0, 11).map(number -> "p" + number);
        return Arbitraries.<Change>frequencyOf(
                Tuple.of(3, bridges.map(Change.AddBridge::new)),
                Tuple.of(
                        6,
                        Combinators.combine(
                                        places, ports, Arbitraries.integers().between(1, 2))
                                .as(Change.AddPort::new)),
                Tuple.of(1, places.map(Change.RemoveBridge::new)),
                Tuple.of(3, places.map(Change.RemovePort::new)),
                Tuple.of(
                        1,
                        Combinators.combine(places, Arbitraries.longs().between(0, 4294967295L))
                                .as(Change.AddQueue::new)),
                Tuple.of(8, valuesOfColumns(places)),
                Tuple.of(5, mutations(places)));
    }

    private static Arbitrary<Change> valuesOfColumns(Arbitrary<Integer> places) {
        return Arbitraries.of(VALUES.keySet().stream().sorted().toList()).flatMap(table -> Arbitraries.of(
                        VALUES.get(table).keySet().stream().sorted().toList())
                .flatMap(column -> Combinators.combine(places, VALUES.get(table).get(column))
                        .as((place, value) -> new Change.Set(table, place, column, value))));
    }

    /** Of sets and maps, some of whose elements are there already and some not. */
    private static Arbitrary<Change> mutations(Arbitrary<Integer> places) {
        return Arbitraries.of("Port trunks", "Port external_ids", "Interface options", "Bridge external_ids")
                .map(name -> name.split(" "))
                .flatMap(name -> Combinators.combine(
                                places,
                                Arbitraries.of("insert", "delete"),
                                VALUES.get(name[0]).get(name[1]))
                        .as((place, mutator, value) -> new Change.Mutate(name[0], place, name[1], mutator, value)));
    }

    private static Arbitrary<JsonNode> texts() {
        return Arbitraries.frequencyOf(
                        Tuple.of(6, Arbitraries.of("", "a", "b", "c")),
                        Tuple.of(
                                1,
                                Arbitraries.strings()
                                        .withChars('\u0001', '"', '\\', '[', '\n', 'ü', '世', '\uffff')
                                        .ofMaxLength(6)))
                .map(json()::textNode);
    }

    private static Arbitrary<JsonNode> integers(long least, long most) {
        return Arbitraries.longs().between(least, most).map(json()::numberNode);
    }

    private static Arbitrary<JsonNode> optional(Arbitrary<JsonNode> values) {
        return Arbitraries.oneOf(values, Arbitraries.just(collection("set")));
    }

    private static Arbitrary<JsonNode> set(Arbitrary<JsonNode> elements) {
        return elements.set().ofMaxSize(5).map(chosen -> {
            ArrayNode array = json().arrayNode();
            chosen.forEach(array::add);
            return json().arrayNode().add("set").add(array);
        });
    }

    private static Arbitrary<JsonNode> map(Arbitrary<JsonNode> keys, Arbitrary<JsonNode> values) {
        return Arbitraries.maps(keys, values).ofMaxSize(5).map(chosen -> {
            ArrayNode pairs = json().arrayNode();
            chosen.forEach((key, value) -> pairs.add(json().arrayNode().add(key).add(value)));
            return json().arrayNode().add("map").add(pairs);
        });
    }

    private static ReplicatedTables tables() {
        Map<String, Set<String>> columns = new HashMap<>(LocalSwitch.TABLES.columns());
        columns.computeIfPresent("Interface", (_, names) -> and(names, "statistics"));
        columns.computeIfPresent("Port", (_, names) -> and(names, "qos"));
        columns.put("QoS", Set.of("type", "queues", "other_config"));
        columns.put("Queue", Set.of("dscp", "other_config"));
        return new ReplicatedTables("Open_vSwitch", columns);
    }

    private static Set<String> and(Set<String> names, String one) {
        Set<String> all = new HashSet<>(names);
        all.add(one);
        return all;
    }

    private static ObjectNode operation(String operation, String table) {
        ObjectNode node = json().objectNode().put("op", operation).put("table", table);
        if (!operation.equals("insert")) {
            node.putArray("where");
        }
        return node;
    }

    private static ObjectNode insert(String table, String name) {
        return operation("insert", table).put("uuid-name", name);
    }

    private static ObjectNode mutation(String table, String column, String mutator, JsonNode value) {
        ObjectNode node = operation("mutate", table);
        node.putArray("mutations").addArray().add(column).add(mutator).add(value);
        return node;
    }

    private static ObjectNode at(ReplicaRow row, ObjectNode operation) {
        operation.putArray("where").addArray().add("_uuid").add("==").add(uuid(row.uuid()));
        return operation;
    }

    private static ObjectNode row(String name) {
        return json().objectNode().put("name", name);
    }

    private static JsonNode uuid(UUID uuid) {
        return json().arrayNode().add("uuid").add(uuid.toString());
    }

    private static JsonNode namedUuid(String name) {
        return json().arrayNode().add("named-uuid").add(name);
    }

    private static JsonNode collection(String kind) {
        ArrayNode empty = json().arrayNode().add(kind);
        empty.addArray();
        return empty;
    }

    private static JsonNodeFactory json() {
        return Connection.JSON.getNodeFactory();
    }

    private static Duration millis(long millis) {
        return Duration.ofMillis(millis);
    }

    private static Deadline soon() {
        return Deadline.after(millis(15_000));
    }
}
