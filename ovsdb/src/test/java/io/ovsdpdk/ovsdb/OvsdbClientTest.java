package io.ovsdpdk.ovsdb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.ovsdpdk.ovsdb.OvsdbTransactionException.Kind;
import io.ovsdpdk.ovsdb.testbed.OvsdbServer;
import java.nio.file.Files;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.opendaylight.ovsdb.lib.notation.Row;
import org.opendaylight.ovsdb.lib.notation.UUID;
import org.opendaylight.ovsdb.lib.operations.Operation;
import org.opendaylight.ovsdb.lib.operations.OperationResult;
import org.opendaylight.ovsdb.lib.operations.Select;
import org.opendaylight.ovsdb.lib.operations.Update;
import org.opendaylight.ovsdb.lib.schema.GenericTableSchema;

/** Against a real ovsdb-server without vswitchd: nobody follows, so only the database's part is seen. */
class OvsdbClientTest {

    private static final OvsdbOptions OPTIONS =
            new OvsdbOptions(Duration.ofMillis(200), Duration.ofMillis(5), Duration.ofMillis(50), 64 << 20);

    private OvsdbServer server;
    private OvsdbClient client;
    private LocalSwitch local;

    @BeforeEach
    void start() throws Exception {
        server = OvsdbServer.create();
        client = new OvsdbClient(server.socket(), LocalSwitch.TABLES, OPTIONS);
        local = new LocalSwitch(client);
    }

    @AfterEach
    void stop() throws Exception {
        client.close();
        server.close();
    }

    @Test
    void serverThatStartsLaterIsFound() throws Exception {
        assertThat(client.synchronised()).isFalse();
        assertThat(local.state().ifaceTypes()).isEmpty();

        startServer();

        assertThat(client.synchronised()).isTrue();
        assertThat(client.generation()).isEqualTo(1);
        assertThat(local.bridge("br0").orElseThrow().datapathType()).isEqualTo("netdev");
    }

    @Test
    void transactionWithoutServerIsUnavailableByItsDeadline() {
        Deadline deadline = Deadline.after(Duration.ofMillis(50));

        assertThatExceptionOfType(OvsdbUnavailableException.class).isThrownBy(() -> add("p1", deadline));
        assertThat(deadline.expired()).isTrue();
    }

    @Test
    void replicaOutlivesTheServerAndIsReplacedByItsNextRun() throws Exception {
        startServer();
        add("p1", soon());

        server.kill();
        client.await(() -> Optional.of(true).filter(lost -> !client.synchronised()), soon());
        assertThat(client.synchronised()).isFalse();
        assertThat(local.port("p1")).isPresent();
        server.start();
        server.vsctl("--no-wait", "del-port", "br0", "p1");

        Optional<Boolean> gone =
                client.await(() -> local.port("p1").isEmpty() ? Optional.of(true) : Optional.empty(), soon());
        assertThat(gone).isPresent();
        assertThat(client.generation()).isGreaterThan(1);
    }

    @Test
    void transactionBegunWithoutServerIsDoneWhenItIsBack() throws Exception {
        startServer();
        server.kill();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<PendingPort> addition = threads.submit(() -> add("p1", soon()));

            server.start();

            assertThat(addition.get().name()).isEqualTo("p1");
            assertThat(local.port("p1")).isPresent();
        }
    }

    @Test
    void transactionsInFlightAtTheServersEndHaveATypedOutcome() throws Exception {
        startServer();
        Map<String, Class<?>> outcomes = new ConcurrentHashMap<>();
        AtomicBoolean enough = new AtomicBoolean();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (int thread = 0; thread < 16; thread++) {
                String prefix = "p" + thread + "_";
                threads.submit(() -> {
                    for (int i = 0; !enough.get(); i++) {
                        String name = prefix + i;
                        try {
                            add(name, soon());
                            outcomes.put(name, PendingPort.class);
                        } catch (OvsdbException e) {
                            outcomes.put(name, e.getClass());
                        }
                    }
                });
            }
            for (int run = 0; run < 5; run++) {
                int target = outcomes.size() + 100;
                client.await(() -> Optional.of(true).filter(more -> outcomes.size() > target), soon());
                server.kill();
                server.start();
            }
            enough.set(true);
        }
        client.awaitSynchronised(soon());

        assertThat(Set.copyOf(outcomes.values()))
                .isSubsetOf(PendingPort.class, OvsdbOutcomeUnknownException.class, OvsdbUnavailableException.class)
                .contains(PendingPort.class);
        outcomes.forEach((name, outcome) -> {
            if (outcome != OvsdbOutcomeUnknownException.class) {
                assertThat(local.port(name).isPresent()).as(name).isEqualTo(outcome == PendingPort.class);
            }
        });
        assertReplicaEqualsDatabase();
    }

    @Test
    void suspendedServerLeavesTheOutcomeUnknownAndThenDoesIt() throws Exception {
        client.close();
        client = new OvsdbClient(server.socket(), LocalSwitch.TABLES, OvsdbOptions.DEFAULT);
        local = new LocalSwitch(client);
        startServer();
        server.suspend();

        assertThatExceptionOfType(OvsdbOutcomeUnknownException.class)
                .isThrownBy(() -> add("p1", Deadline.after(Duration.ofMillis(100))));
        server.resume();

        assertThat(client.await(() -> local.port("p1"), soon())).isPresent();
        assertThat(client.generation()).isEqualTo(1);
    }

    @Test
    void serverThatHangsIsLeftAndFoundAgain() throws Exception {
        startServer();
        server.suspend();

        assertThatExceptionOfType(OvsdbOutcomeUnknownException.class)
                .isThrownBy(() -> add("p1", soon()))
                .withMessageContaining("silent");
        assertThat(client.synchronised()).isFalse();
        server.resume();
        client.awaitSynchronised(soon());

        assertThat(client.generation()).isGreaterThan(1);
    }

    @Test
    void stalledServerTakesNobodyPastTheDeadline() throws Exception {
        client.close();
        client = new OvsdbClient(server.socket(), LocalSwitch.TABLES, OvsdbOptions.DEFAULT);
        local = new LocalSwitch(client);
        startServer();
        server.suspend();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            // More than the socket holds: the writer is stuck in the first of them
            String big = "x".repeat(1 << 20);
            List<Future<?>> calls = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                String name = "p" + i;
                calls.add(threads.submit(() -> local.addVhostUserPort(
                        new VhostUserPort("br0", name, "/s", OptionalInt.empty(), Map.of("big", big)),
                        Deadline.after(Duration.ofMillis(300)))));
            }
            Set<Class<?>> failures = calls.stream()
                    .map(call -> {
                        assertThat(call).failsWithin(Duration.ofSeconds(5));
                        return call.exceptionNow().getClass();
                    })
                    .collect(Collectors.toSet());

            assertThat(failures)
                    .isSubsetOf(OvsdbUnavailableException.class, OvsdbOutcomeUnknownException.class)
                    .contains(OvsdbUnavailableException.class);
        } finally {
            server.resume();
        }
        assertThat(add("p9", soon()).name()).isEqualTo("p9");
        assertThat(local.ports()).hasSizeLessThan(8);
    }

    @Test
    void waiterSurvivesTheServersRestart() throws Exception {
        startServer();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<Optional<Port>> waiter = threads.submit(() -> client.await(() -> local.port("p1"), soon()));

            server.kill();
            server.start();
            add("p1", soon());

            assertThat(waiter.get()).isPresent();
        }
    }

    @Test
    void waitThatEndsWithoutAServerIsNotBlamedOnTheSwitch() throws Exception {
        startServer();
        PendingPort pending = add("p1", soon());
        server.kill();

        Deadline deadline = Deadline.after(Duration.ofMillis(200));
        assertThatExceptionOfType(OvsdbUnavailableException.class)
                .isThrownBy(() -> local.awaitApplied(pending, deadline));
        assertThatExceptionOfType(OvsdbUnavailableException.class)
                .isThrownBy(() -> local.awaitConfiguration(pending.configuration(), deadline));
    }

    @Test
    void everyReplicaIsOfOnePiece() throws Exception {
        startServer();
        AtomicBoolean enough = new AtomicBoolean();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<Integer> reader = threads.submit(() -> {
                int looks = 0;
                for (; !enough.get(); looks++) {
                    Replica replica = client.replica();
                    for (ReplicaRow bridge : replica.rows("Bridge")) {
                        assertThat(bridge.uuids("ports"))
                                .hasSize(replica.size("Port"))
                                .allMatch(port -> replica.row("Port", port)
                                        .flatMap(row -> replica.row(
                                                "Interface",
                                                row.uuids("interfaces")
                                                        .iterator()
                                                        .next()))
                                        .isPresent());
                    }
                    Thread.yield();
                }
                return looks;
            });
            for (int i = 0; i < 100; i++) {
                add("p" + i, soon());
                local.removePorts(List.of("p" + (i - 5)), soon());
            }
            enough.set(true);

            assertThat(reader.get()).isPositive();
        }
    }

    @Test
    void portIsToldToHaveVanishedWithItsDatabase() throws Exception {
        startServer();
        PendingPort pending = add("p1", soon());
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<Interface> applied = threads.submit(() -> local.awaitApplied(pending, soon()));
            Future<?> configured = threads.submit(() -> {
                local.awaitConfiguration(pending.configuration(), soon());
                return null;
            });

            server.close();
            try (OvsdbServer other = OvsdbServer.create()) {
                other.start();
                Files.createDirectories(server.folder());
                Files.createSymbolicLink(server.socket(), other.socket());

                assertThat(applied)
                        .failsWithin(Duration.ofSeconds(5))
                        .withThrowableThat()
                        .withCauseInstanceOf(PortVanishedException.class);
                assertThat(configured)
                        .failsWithin(Duration.ofSeconds(5))
                        .withThrowableThat()
                        .withCauseInstanceOf(SwitchSilentException.class)
                        .withMessageContaining("replaced");
            } finally {
                Files.deleteIfExists(server.socket());
                Files.delete(server.folder());
            }
        }
    }

    @Test
    void badTransactionFailsAlone() throws Exception {
        startServer();
        add("taken", soon());
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<PendingPort>> additions = IntStream.range(0, 60)
                    .mapToObj(i -> threads.submit(() -> add(i % 3 == 0 ? "taken" : "p" + i, soon())))
                    .toList();

            for (int i = 0; i < 60; i++) {
                if (i % 3 == 0) {
                    assertThat(additions.get(i))
                            .failsWithin(Duration.ofSeconds(5))
                            .withThrowableThat()
                            .withCauseInstanceOf(OvsdbTransactionException.class);
                } else {
                    assertThat(additions.get(i)).succeedsWithin(Duration.ofSeconds(5));
                }
            }
        }
        assertThat(local.ports()).hasSize(42);
        assertThat(client.generation()).isEqualTo(1);
    }

    @Test
    void everyTransactionGetsANextCfgOfItsOwn() throws Exception {
        startServer();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<PendingPort>> additions = IntStream.range(0, 64)
                    .mapToObj(i -> threads.submit(() -> add("p" + i, soon())))
                    .toList();
            Set<Long> numbers = new HashSet<>();
            for (Future<PendingPort> addition : additions) {
                numbers.add(addition.get().configuration().number());
            }

            assertThat(numbers).hasSize(64);
            assertThat(local.state().nextCfg())
                    .isEqualTo(numbers.stream().max(Long::compare).orElseThrow());
        }
    }

    @Test
    void errorsSayWhichOperationAndWhat() throws Exception {
        startServer();
        GenericTableSchema ports = table("Port");
        Update<GenericTableSchema> dangling = new Update<>(table("Bridge"));
        dangling.set(
                table("Bridge").multiValuedColumn("ports", UUID.class),
                Set.of(new UUID("01234567-89ab-cdef-0123-456789abcdef")));
        Select<GenericTableSchema> unknown = new Select<>(ports);
        unknown.setColumns(List.of("nonsense"));
        Operation<?> fine = new Select<>(ports).column(ports.column("name", String.class));

        assertThatExceptionOfType(OvsdbTransactionException.class)
                .isThrownBy(() -> client.transact(List.of(fine, dangling), soon()))
                .satisfies(e -> {
                    assertThat(e.kind()).isEqualTo(Kind.REFERENTIAL_INTEGRITY_VIOLATION);
                    assertThat(e.operation()).isEqualTo(2);
                    assertThat(e.details()).isNotEmpty();
                });
        assertThatExceptionOfType(OvsdbTransactionException.class)
                .isThrownBy(() -> client.transact(List.of(fine, unknown, fine), soon()))
                .satisfies(e -> {
                    assertThat(e.error()).isEqualTo("syntax error");
                    assertThat(e.kind()).isEqualTo(Kind.SYNTAX_ERROR);
                    assertThat(e.operation()).isEqualTo(1);
                });
    }

    @Test
    void stringsOfAllKindsComeBackAsTheyWent() throws Exception {
        startServer();
        Map<String, String> values = Map.of(
                "backslash", "ends in \\",
                "two", "\\\\",
                "quotes", "\"{[\"\\u0000\\",
                "control", "\u0001\n\t\u007f",
                "words", "Grüße, 世界, 🦆, e\u0301",
                "", "",
                "brackets", "}}]]",
                "big", "ü\\\"".repeat(1 << 18));

        local.addVhostUserPort(new VhostUserPort("br0", "p\\", "/s\\", OptionalInt.empty(), values), soon());

        assertThat(local.port("p\\").orElseThrow().externalIds()).isEqualTo(values);
        assertThat(add("after", soon()).name()).isEqualTo("after");
        assertThat(client.generation()).isEqualTo(1);
        assertReplicaEqualsDatabase();
    }

    @Test
    void stringsThatOvsdbCannotHoldAreRefusedBeforeTheyHarmAnybody() throws Exception {
        startServer();

        for (String bad : List.of("a\u0000b", "half a pair \ud83e", "\ud83e half", "\udd86\ud83e", "\\\u0000")) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> local.addVhostUserPort(
                            new VhostUserPort("br0", "p1", "/s", OptionalInt.empty(), Map.of("k", bad)), soon()));
        }

        add("p2", soon());
        assertThat(client.generation()).isEqualTo(1);
    }

    @Test
    void closedClientFailsWhoeverWaits() throws Exception {
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<PendingPort> addition = threads.submit(() -> add("p1", soon()));
            Future<?> waiter = threads.submit(() -> client.await(Optional::empty, soon()));

            client.close();

            assertThat(addition)
                    .failsWithin(Duration.ofSeconds(5))
                    .withThrowableThat()
                    .withCauseInstanceOf(OvsdbUnavailableException.class);
            assertThat(waiter)
                    .failsWithin(Duration.ofSeconds(5))
                    .withThrowableThat()
                    .withCauseInstanceOf(OvsdbUnavailableException.class);
        }
        assertThat(Thread.getAllStackTraces().keySet())
                .extracting(Thread::getName)
                .doesNotContain("ovsdb-reader");
    }

    @Test
    void interruptedCallerReturnsWithItsFlagSet() throws Exception {
        startServer();
        server.suspend();
        Set<Class<?>> failures = ConcurrentHashMap.newKeySet();
        AtomicBoolean flag = new AtomicBoolean();
        Thread caller = Thread.ofVirtual().start(() -> {
            try {
                Thread.currentThread().interrupt();
                add("p1", soon());
            } catch (OvsdbException e) {
                failures.add(e.getClass());
                flag.set(Thread.currentThread().isInterrupted());
            }
        });

        assertThat(caller.join(Duration.ofSeconds(5))).isTrue();
        server.resume();

        assertThat(failures).hasSize(1).isSubsetOf(OvsdbUnavailableException.class, OvsdbOutcomeUnknownException.class);
        assertThat(flag).isTrue();
    }

    /** Every replicated column of every row, against a fresh select of the whole table. */
    private void assertReplicaEqualsDatabase() throws OvsdbException {
        for (String name : LocalSwitch.TABLES.columns().keySet()) {
            GenericTableSchema table = table(name);
            Select<GenericTableSchema> select = new Select<>(table);
            select.column(table.column("_uuid", UUID.class));
            LocalSwitch.TABLES.columns().get(name).forEach(column -> select.column(table.column(column, Object.class)));
            OperationResult result = client.transact(List.of(select), soon()).getFirst();

            Map<Object, Map<String, Object>> selected = new HashMap<>();
            for (Row<GenericTableSchema> row : result.getRows()) {
                Map<String, Object> values = new HashMap<>();
                row.getColumns().forEach(column -> values.put(column.getSchema().getName(), column.getData()));
                selected.put(values.remove("_uuid"), values);
            }
            assertThat(client.replica().rows(name).stream()
                            .collect(Collectors.toMap(row -> (Object) row.uuid(), ReplicaRow::values)))
                    .isEqualTo(selected);
            if (!name.equals("Open_vSwitch")) {
                assertThat(selected.values())
                        .allSatisfy(values -> assertThat(client.replica().named(name, (String) values.get("name")))
                                .isPresent());
            }
        }
    }

    private void startServer() throws Exception {
        server.start();
        server.vsctl("--no-wait", "init");
        server.vsctl("--no-wait", "add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=netdev");
        client.awaitSynchronised(soon());
        client.await(() -> local.bridge("br0"), soon()).orElseThrow();
    }

    private GenericTableSchema table(String name) throws OvsdbException {
        return client.schema(soon()).table(name, GenericTableSchema.class);
    }

    private PendingPort add(String name, Deadline deadline) throws OvsdbException {
        return local.addVhostUserPort(
                new VhostUserPort("br0", name, "/" + name, OptionalInt.empty(), Map.of("name", name)), deadline);
    }

    private static Deadline soon() {
        return Deadline.after(Duration.ofSeconds(15));
    }
}
