package io.ovsdpdk.ovsdb;

import static io.ovsdpdk.ovsdb.FakeOvsdbServer.INITIAL;
import static io.ovsdpdk.ovsdb.FakeOvsdbServer.monitored;
import static io.ovsdpdk.ovsdb.FakeOvsdbServer.update;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.ovsdb.FakeOvsdbServer.Peer;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.opendaylight.ovsdb.lib.operations.OperationResult;
import org.opendaylight.ovsdb.lib.operations.Select;
import org.opendaylight.ovsdb.lib.schema.GenericTableSchema;

/** What a real ovsdb-server doesn't do, or not on demand. */
class OvsdbProtocolTest {

    private static final String ROW = "00000000-0000-4000-8000-000000000002";

    private FakeOvsdbServer server;
    private OvsdbClient client;

    @BeforeEach
    void start() throws Exception {
        server = new FakeOvsdbServer();
    }

    @AfterEach
    void stop() throws Exception {
        client.close();
        server.close();
    }

    private void connect(OvsdbOptions options) {
        client = new OvsdbClient(server.socket(), LocalSwitch.TABLES, options);
    }

    private void connect() {
        connect(new OvsdbOptions(Duration.ofSeconds(5), Duration.ofMillis(5), Duration.ofMillis(20), 1 << 20));
    }

    private void connectImpatiently() {
        connect(new OvsdbOptions(Duration.ofMillis(60), Duration.ofMillis(5), Duration.ofMillis(20), 1 << 20));
    }

    @Test
    void echoIsAnsweredWithExactlyThreeMembers() throws Exception {
        connect();
        client.awaitSynchronised(soon());

        server.nextPeer().send("{\"id\":\"echo\",\"method\":\"echo\",\"params\":[\"x\",{\"a\":1}]}");

        assertThat(server.received("").toString())
                .isEqualTo("{\"id\":\"echo\",\"result\":[\"x\",{\"a\":1}],\"error\":null}");
    }

    @Test
    void messagesInPiecesAndWithoutSeparatorsAreUnderstood() throws Exception {
        server.on("monitor_cond_since", (request, peer) -> {
            String text = "{\"id\":" + request.get("id") + ",\"error\":null,\"result\":" + monitored(INITIAL) + "}"
                    + update("{\"Port\":{\"" + ROW + "\":{\"insert\":{\"name\":\"größe\\\\\"}}}}")
                    + update("{\"Port\":{\"" + ROW + "\":{\"modify\":{\"tag\":5}}}}");
            for (char c : text.toCharArray()) {
                peer.send(String.valueOf(c));
            }
        });
        connect();

        Optional<ReplicaRow> row = client.await(
                () -> client.replica().named("Port", "größe\\").filter(r -> r.integer("tag") == 5), soon());

        assertThat(row).isPresent();
        assertThat(client.generation()).isEqualTo(1);
    }

    static Stream<String> brokenMessages() {
        return Stream.of(
                "garbage ",
                "{\"id\":\u0001",
                "[]",
                "17 ",
                "\"text\"",
                "null ",
                "{}",
                "[".repeat(100_000),
                "{\"id\":null,\"error\":\"bad\",\"result\":null}",
                "{\"id\":\"seven\",\"result\":[]}",
                "{\"id\":1}",
                "{\"id\":1,\"error\":null}",
                "{\"method\":\"update3\",\"params\":null,\"id\":null}",
                "{\"method\":\"update3\",\"params\":[\"replica\",\"\",[]],\"id\":null}",
                "{\"method\":\"update3\"",
                "{\"method\":\"" + "x".repeat(2 << 20),
                update("{\"Nonsense\":{}}"),
                update("{\"Port\":{\"" + ROW + "\":{}}}"),
                update("{\"Port\":{\"" + ROW + "\":{\"modify\":{\"tag\":1}}}}"),
                update("{\"Port\":{\"" + ROW + "\":{\"delete\":null}}}"),
                update("{\"Port\":{\"" + ROW + "\":{\"insert\":{\"name\":7}}}}"),
                update("{\"Port\":{\"" + ROW + "\":{\"insert\":{\"tag\":\"seven\"}}}}"),
                update("{\"Port\":{\"" + ROW + "\":{\"insert\":{\"tag\":99999999999999999999}}}}"),
                update("{\"Port\":{\"" + ROW + "\":{\"insert\":{\"interfaces\":\"none\"}}}}"),
                update("{\"Port\":{\"" + ROW + "\":{\"insert\":{\"interfaces\":[\"uuid\",\"none\"]}}}}"),
                update("{\"Port\":{\"" + ROW + "\":{\"insert\":{\"interfaces\":[\"set\",{\"a\":1}]}}}}"),
                update("{\"Port\":{\"" + ROW + "\":{\"insert\":{\"external_ids\":[]}}}}"),
                update("{\"Port\":{\"" + ROW + "\":{\"insert\":{\"external_ids\":[\"map\",[[\"a\"]]]}}}}"),
                update("{\"Open_vSwitch\":{\"00000000-0000-4000-8000-000000000001\":{\"modify\":{\"bogus\":1}}}}"),
                update("{\"Open_vSwitch\":{\"00000000-0000-4000-8000-000000000001\":"
                        + "{\"modify\":{\"dpdk_initialized\":\"yes\"}}}}"),
                "{\"id\":null,\"method\":\"monitor_canceled\",\"params\":[\"replica\"]}");
    }

    @ParameterizedTest
    @MethodSource("brokenMessages")
    void brokenMessageEndsTheConnectionAndPendingCallsAndTheNextOneWorks(String broken) throws Exception {
        server.on("transact", (request, peer) -> {
            peer.send(broken);
            if (broken.equals("{\"method\":\"update3\"")) {
                peer.channel().close();
            }
        });
        connect();

        assertThatExceptionOfType(OvsdbOutcomeUnknownException.class).isThrownBy(() -> select());
        server.on("transact", (request, peer) -> peer.answer(request, "[{\"rows\":[]}]"));

        assertThat(select().getFirst().getRows()).isEmpty();
        assertThat(client.generation()).isEqualTo(2);
        assertThat(client.replica().rows("Port")).isEmpty();
        assertThat(client.replica().rows("Open_vSwitch")).hasSize(1);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "[]",
                "null",
                "{}",
                "{\"tables\":{}}",
                "{\"tables\":[],\"version\":\"1\"}",
                "{\"tables\":{\"Port\":{}},\"version\":\"1.0.0\"}",
                "{\"tables\":{\"Port\":{\"columns\":{\"name\":7}}},\"version\":\"1.0.0\"}",
                "{\"tables\":{\"Port\":{\"columns\":{\"name\":{\"type\":\"nonsense\"}}}},\"version\":\"1.0.0\"}",
                "{\"tables\":{\"Port\":{\"columns\":{\"name\":{\"type\":{}}}}},\"version\":\"1.0.0\"}"
            })
    void brokenSchemaIsNotTheReadersEnd(String schema) throws Exception {
        CountDownLatch asked = new CountDownLatch(2);
        server.on("get_schema", (request, peer) -> {
            asked.countDown();
            if (asked.getCount() > 0) {
                peer.answer(request, schema);
            } else {
                peer.answer(request, realSchema().toString());
            }
        });
        connect();

        client.awaitSynchronised(soon());

        assertThat(client.generation()).isEqualTo(1);
    }

    @Test
    void updateIsAppliedWholeOrNotAtAll() throws Exception {
        connect();
        client.awaitSynchronised(soon());
        Peer peer = server.nextPeer();
        peer.send(update("{\"Port\":{\"" + ROW + "\":{\"insert\":{\"name\":\"p\"}}},\"Interface\":{\"" + ROW
                + "\":{\"modify\":{\"name\":\"p\"}}}}"));
        client.await(() -> Optional.of(true).filter(again -> client.generation() == 2), soon())
                .orElseThrow();

        assertThat(client.replica().named("Port", "p")).isEmpty();
    }

    @Test
    void nameMovesFromOneRowToAnotherWithinOneUpdate() throws Exception {
        connect();
        client.awaitSynchronised(soon());
        String other = ROW.replace('2', '1');
        Peer peer = server.nextPeer();
        peer.send(update("{\"Port\":{\"" + ROW + "\":{\"insert\":{\"name\":\"p\"}}}}"));
        peer.send(update("{\"Port\":{\"" + other + "\":{\"insert\":{\"name\":\"p\",\"tag\":9}},\"" + ROW
                + "\":{\"delete\":null}}}"));

        Optional<ReplicaRow> row =
                client.await(() -> client.replica().named("Port", "p").filter(r -> r.integer("tag") == 9), soon());

        assertThat(row.orElseThrow().uuid().toString()).isEqualTo(other);
        assertThat(client.replica().size("Port")).isEqualTo(1);
    }

    @Test
    void silentServerIsAskedForAnEchoAndKeptIfItAnswers() throws Exception {
        connectImpatiently();
        client.awaitSynchronised(soon());

        for (int i = 0; i < 4; i++) {
            assertThat(server.received("echo").get("params").toString()).isEqualTo("[]");
        }

        assertThat(client.generation()).isEqualTo(1);
    }

    @Test
    void serverThatLeavesTheEchoUnansweredIsLeft() throws Exception {
        server.on("echo", (request, peer) -> {});
        connectImpatiently();

        assertThatExceptionOfType(OvsdbOutcomeUnknownException.class)
                .isThrownBy(() -> select())
                .withMessageContaining("silent");
        client.awaitSynchronised(soon());

        assertThat(client.generation()).isGreaterThanOrEqualTo(2);
    }

    @ParameterizedTest
    @ValueSource(strings = {"get_schema", "set_db_change_aware", "monitor_cond_since"})
    void serverThatFallsSilentWhileConnectingIsLeft(String method) throws Exception {
        CountDownLatch asked = new CountDownLatch(2);
        FakeOvsdbServer.Reaction proper = (request, peer) -> {
            switch (method) {
                case "get_schema" -> peer.answer(request, realSchema().toString());
                case "set_db_change_aware" -> peer.answer(request, "{}");
                default -> peer.answer(request, monitored(INITIAL));
            }
        };
        server.on("echo", (request, peer) -> {});
        server.on(method, (request, peer) -> {
            asked.countDown();
            if (asked.getCount() == 0) {
                proper.to(request, peer);
            }
        });
        connectImpatiently();

        client.awaitSynchronised(soon());

        assertThat(client.generation()).isEqualTo(1);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "\"error\":\"unknown database\"",
                "\"error\":\"unknown database\",\"result\":null",
                "\"error\":{\"error\":\"unknown database\",\"details\":\"none such\"}",
                "\"result\":[{\"rows\":[]}],\"error\":\"unknown database\""
            })
    void errorOfJsonRpcIsTypedAndTheConnectionStays(String members) throws Exception {
        server.on("transact", (request, peer) -> peer.send("{\"id\":" + request.get("id") + "," + members + "}"));
        connect();

        assertThatExceptionOfType(OvsdbProtocolException.class)
                .isThrownBy(() -> select())
                .withMessageContaining("unknown database");
        assertThat(client.generation()).isEqualTo(1);
        assertThat(client.synchronised()).isTrue();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "7",
                "null",
                "{}",
                "[]",
                "[null,null]",
                "[{\"rows\":7}]",
                "[{\"rows\":[7]}]",
                "[{\"count\":1}]",
                "[7]"
            })
    void answerThatFitsNoTransactionIsTypedAndEndsTheConnection(String result) throws Exception {
        server.on("transact", (request, peer) -> peer.answer(request, result));
        connect();

        assertThatExceptionOfType(OvsdbProtocolException.class).isThrownBy(() -> select());
        client.await(() -> Optional.of(true).filter(again -> client.generation() == 2), soon())
                .orElseThrow();
    }

    @Test
    void errorOfASelectIsTyped() throws Exception {
        server.on(
                "transact",
                (request, peer) ->
                        peer.answer(request, "[{\"error\":\"resources exhausted\",\"details\":\"no memory\"}]"));
        connect();

        assertThatExceptionOfType(OvsdbTransactionException.class)
                .isThrownBy(() -> select())
                .satisfies(e -> {
                    assertThat(e.kind()).isEqualTo(OvsdbTransactionException.Kind.RESOURCES_EXHAUSTED);
                    assertThat(e.details()).isEqualTo("no memory");
                    assertThat(e.operation()).isZero();
                });
    }

    @Test
    void answersMayComeInAnyOrderAndUncalledForOnesAreIgnored() throws Exception {
        List<JsonNode> held = new ArrayList<>();
        server.on("transact", (request, peer) -> {
            held.add(request);
            if (held.size() == 3) {
                peer.send("{\"id\":999999,\"result\":[],\"error\":null}");
                for (JsonNode each : held.reversed()) {
                    peer.answer(each, "[{\"rows\":[{\"next_cfg\":" + each.get("id") + "}]}]");
                }
            }
        });
        connect();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<List<OperationResult>>> answers = Stream.generate(() -> threads.submit(() -> select()))
                    .limit(3)
                    .toList();

            for (Future<List<OperationResult>> answer : answers) {
                assertThat(answer.get().getFirst().getRows()).hasSize(1);
            }
        }
        assertThat(client.generation()).isEqualTo(1);
    }

    @Test
    void lateAnswerIsDropped() throws Exception {
        List<JsonNode> held = new ArrayList<>();
        server.on("transact", (request, peer) -> held.add(request));
        connect();
        client.awaitSynchronised(soon());

        assertThatExceptionOfType(OvsdbOutcomeUnknownException.class)
                .isThrownBy(() -> select(Deadline.after(Duration.ofSeconds(1))));
        server.on("transact", (request, peer) -> {
            peer.answer(held.getFirst(), "[]");
            peer.answer(request, "[{\"rows\":[]}]");
        });

        assertThat(select()).hasSize(1);
    }

    @Test
    void columnsThatAnOlderServerLacksAreNotAskedForAndReadAsDefaults() throws Exception {
        ObjectNode schema = realSchema();
        ((ObjectNode) schema.at("/tables/Open_vSwitch/columns")).remove(List.of("dpdk_initialized", "iface_types"));
        ((ObjectNode) schema.at("/tables")).remove("Interface");
        server.on("get_schema", (request, peer) -> peer.answer(request, schema.toString()));
        connect();
        client.awaitSynchronised(soon());

        JsonNode tables = server.received("monitor_cond_since").get("params").get(2);
        SwitchState state = new LocalSwitch(client).state();

        assertThat(tables.has("Interface")).isFalse();
        assertThat(tables.at("/Open_vSwitch/0/columns").toString())
                .contains("next_cfg")
                .doesNotContain("dpdk_initialized", "iface_types");
        assertThat(state.nextCfg()).isEqualTo(7);
        assertThat(state.dpdkInitialized()).isFalse();
        assertThat(state.ifaceTypes()).isEmpty();
        assertThat(new LocalSwitch(client).interfaces()).isEmpty();
    }

    @Test
    void statisticsAreNeverAskedFor() throws Exception {
        connect();

        JsonNode tables = server.received("monitor_cond_since").get("params").get(2);

        assertThat(tables.toString()).contains("ofport").doesNotContain("statistics");
    }

    @Test
    void setWithABoundedNumberOfElementsChangesByDifference() throws Exception {
        connect();
        client.awaitSynchronised(soon());
        Peer peer = server.nextPeer();

        peer.send(update("{\"Port\":{\"" + ROW + "\":{\"insert\":{\"name\":\"p\",\"trunks\":[\"set\",[1,2]]}}}}"));
        peer.send(update("{\"Port\":{\"" + ROW + "\":{\"modify\":{\"trunks\":[\"set\",[2,3]],\"tag\":4}}}}"));
        peer.send(update("{\"Port\":{\"" + ROW + "\":{\"modify\":{\"trunks\":5,\"tag\":[\"set\",[]]}}}}"));

        assertThat(client.await(
                        () -> client.replica().named("Port", "p").filter(row -> row.integers("trunks")
                                .contains(5L)),
                        soon()))
                .hasValueSatisfying(row -> {
                    assertThat(row.integers("trunks")).containsExactlyInAnyOrder(1L, 3L, 5L);
                    assertThat(row.optionalInteger("tag")).isEmpty();
                });
    }

    @Test
    void pausesBetweenConnectionsGrowAndStartAnewAfterSynchronisation() throws Exception {
        server.on("get_schema", (request, peer) -> peer.channel().close());
        connect(new OvsdbOptions(Duration.ofSeconds(5), Duration.ofMillis(20), Duration.ofMillis(80), 1 << 20));

        List<Long> at = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            server.nextPeer();
            at.add(System.nanoTime() / 1_000_000);
        }
        List<Long> gaps = new ArrayList<>();
        for (int i = 1; i < at.size(); i++) {
            gaps.add(at.get(i) - at.get(i - 1));
        }

        // Lower bounds only: a busy machine makes any of them longer
        assertThat(gaps.get(1)).isGreaterThanOrEqualTo(30);
        assertThat(gaps.get(2)).isGreaterThanOrEqualTo(70);
        assertThat(gaps.get(4)).isGreaterThanOrEqualTo(70);
    }

    @Test
    void reconnectsLeaveNoThreadsAndDescriptorsBehind() throws Exception {
        server.on("transact", (request, peer) -> peer.channel().close());
        connect();
        breakConnections(10);
        long descriptors = descriptors();
        long threads = Thread.getAllStackTraces().size();

        breakConnections(100);

        assertThat(client.generation()).isGreaterThan(100);
        assertThat(descriptors()).isLessThanOrEqualTo(descriptors + 5);
        assertThat((long) Thread.getAllStackTraces().size()).isLessThanOrEqualTo(threads + 2);
    }

    private void breakConnections(int times) throws Exception {
        for (int i = 0; i < times; i++) {
            long generation = client.generation();
            assertThatExceptionOfType(OvsdbOutcomeUnknownException.class).isThrownBy(() -> select());
            client.await(() -> Optional.of(true).filter(again -> client.generation() > generation), soon())
                    .orElseThrow();
        }
    }

    private static long descriptors() throws IOException {
        try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
            return open.count();
        }
    }

    /** Callers have deadlines, but they may come faster than these pass. */
    @Test
    void queueForAServerThatDoesNotReadIsBounded() throws Exception {
        connect();
        CountDownLatch goOn = new CountDownLatch(1);
        server.on("transact", (request, peer) -> {
            try {
                goOn.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        ReplicaFeed feed = new ReplicaFeed();
        try (ConnectionKeeper keeper =
                new ConnectionKeeper(server.socket(), LocalSwitch.TABLES, OvsdbOptions.DEFAULT, feed)) {
            keeper.start();
            Connection connection =
                    feed.await(() -> feed.view().connection(), soon()).orElseThrow();
            String big = "x".repeat(1000);
            Call last = null;
            // More than queue and socket hold together
            for (int i = 0; i < Connection.LONGEST_QUEUE + 2000; i++) {
                last = connection.call("transact", List.of("Open_vSwitch", big));
            }
            Call refused = last;

            assertThatExceptionOfType(OvsdbUnavailableException.class)
                    .isThrownBy(() -> refused.await(soon()))
                    .withMessageContaining("wait for the server to read");
            connection.end("the test wants it so");
            assertThat(feed.await(() -> feed.view().connection().filter(next -> next != connection), soon()))
                    .isPresent();
        } finally {
            goOn.countDown();
        }
    }

    @Test
    void clientStuckInConnectingCanBeClosed() throws Exception {
        Path socket = server.socket().resolveSibling("full.sock");
        try (ServerSocketChannel listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            listener.bind(UnixDomainSocketAddress.of(socket), 1);
            List<SocketChannel> others = fill(socket);
            client = new OvsdbClient(socket, LocalSwitch.TABLES, OvsdbOptions.DEFAULT);
            assertThatExceptionOfType(OvsdbUnavailableException.class)
                    .isThrownBy(() -> client.awaitSynchronised(Deadline.after(Duration.ofMillis(100))));

            client.close();

            assertThat(threadNames()).doesNotContain("ovsdb-reader");
            Awaitility.await()
                    .untilAsserted(() -> assertThat(threadNames()).doesNotContain("ovsdb-writer", "ovsdb-watch"));
            for (SocketChannel other : others) {
                other.close();
            }
        } finally {
            Files.deleteIfExists(socket);
        }
    }

    private static List<String> threadNames() {
        return Thread.getAllStackTraces().keySet().stream().map(Thread::getName).toList();
    }

    /** Connects until the listener's queue takes nobody any more. */
    private static List<SocketChannel> fill(Path socket) throws IOException {
        List<SocketChannel> others = new ArrayList<>();
        while (true) {
            SocketChannel other = SocketChannel.open(StandardProtocolFamily.UNIX);
            others.add(other);
            other.configureBlocking(false);
            try {
                if (!other.connect(UnixDomainSocketAddress.of(socket))) {
                    return others;
                }
            } catch (IOException e) {
                return others;
            }
        }
    }

    private List<OperationResult> select() throws OvsdbException {
        return select(soon());
    }

    private List<OperationResult> select(Deadline deadline) throws OvsdbException {
        GenericTableSchema table = client.schema(deadline).table("Open_vSwitch", GenericTableSchema.class);
        return client.transact(List.of(new Select<>(table).column(table.column("next_cfg", Long.class))), deadline);
    }

    private static ObjectNode realSchema() throws IOException {
        return (ObjectNode) new ObjectMapper()
                .readTree(Path.of("/usr/share/openvswitch/vswitch.ovsschema").toFile());
    }

    private static Deadline soon() {
        return Deadline.after(Duration.ofSeconds(10));
    }
}
