package io.ovsdpdk.ovsdb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.ovsdpdk.ovsdb.OvsdbTransactionException.Kind;
import io.ovsdpdk.ovsdb.testbed.OvsDpdk;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Against a real ovsdb-server and a real OVS-DPDK. */
class LocalSwitchTest {

    private static OvsDpdk ovs;
    private static OvsdbClient client;
    private static LocalSwitch local;

    @BeforeAll
    static void start() throws Exception {
        ovs = OvsDpdk.start();
        ovs.addBridge("br0");
        ovs.vsctl("--no-wait", "add-br", "brsys");
        client = new OvsdbClient(ovs.socket(), LocalSwitch.TABLES, OvsdbOptions.DEFAULT);
        local = new LocalSwitch(client);
        client.awaitSynchronised(soon());
    }

    @AfterAll
    static void stop() throws Exception {
        client.close();
        ovs.close();
    }

    @AfterEach
    void deleteWhatIsLeft() throws Exception {
        List<String> left = local.ports().stream()
                .map(Port::name)
                .filter(name -> !name.startsWith("br"))
                .toList();
        local.deletePorts(left, soon());
    }

    @Test
    void stateShowsDpdk() {
        SwitchState state = local.state();

        assertThat(state.dpdkInitialized()).isTrue();
        assertThat(state.ifaceTypes()).contains(LocalSwitch.VHOST_USER_CLIENT);
        assertThat(state.dpdkVersion()).startsWith("DPDK");
        assertThat(state.curCfg()).isEqualTo(state.nextCfg());
    }

    @Test
    void addedPortIsMadeByTheSwitch() throws Exception {
        VhostUserPort wanted = new VhostUserPort(
                "br0", "vhu1", socket("vhu1"), OptionalInt.of(1400), Map.of("owner", "we", "odd key", "ü\\"));

        PendingPort pending = local.addVhostUserPort(wanted, soon());
        Interface made = local.awaitApplied(pending, soon());

        assertThat(made.ofport().orElseThrow()).isPositive();
        assertThat(made.error()).isEmpty();
        assertThat(made.type()).isEqualTo("dpdkvhostuserclient");
        assertThat(made.options()).isEqualTo(Map.of("vhost-server-path", socket("vhu1")));
        assertThat(made.externalIds()).isEqualTo(wanted.externalIds());
        assertThat(made.mtuRequest()).isEqualTo(OptionalLong.of(1400));
        assertThat(made.uuid()).isEqualTo(pending.iface());
        assertThat(local.interfaceOf("vhu1")).contains(made);
        Port port = local.port("vhu1").orElseThrow();
        assertThat(port.uuid()).isEqualTo(pending.port());
        assertThat(port.bridge()).contains("br0");
        assertThat(port.externalIds()).isEqualTo(wanted.externalIds());
        assertThat(port.interfaces()).containsExactly(pending.iface());
        assertThat(local.bridge("br0").orElseThrow().ports()).contains(pending.port());
        assertThat(local.ports()).contains(port);
        assertThat(local.interfaces()).contains(made);
        assertThat(ovs.vsctl("get", "Interface", "vhu1", "ofport"))
                .isEqualTo(String.valueOf(made.ofport().orElseThrow()));
    }

    @Test
    void replicaShowsTransactionWhenItsAnswerIsThere() throws Exception {
        for (int i = 0; i < 20; i++) {
            PendingPort pending = add("vhu" + i);

            assertThat(local.interfaceOf(pending.name()).map(Interface::uuid)).contains(pending.iface());
            assertThat(local.state().nextCfg())
                    .isGreaterThanOrEqualTo(pending.configuration().number());
        }
    }

    @Test
    void deletedPortIsGone() throws Exception {
        local.awaitApplied(add("vhu1"), soon());

        boolean deleted = local.deletePort("vhu1", soon());

        assertThat(deleted).isTrue();
        assertThat(local.port("vhu1")).isEmpty();
        assertThat(local.interfaceOf("vhu1")).isEmpty();
        assertThat(local.state().curCfg()).isEqualTo(local.state().nextCfg());
        assertThat(ovs.vsctl("list-ports", "br0")).isEmpty();
    }

    @Test
    void deletionOfUnknownPortTellsSo() throws Exception {
        assertThat(local.deletePort("nobody", soon())).isFalse();
    }

    @Test
    void severalPortsGoInOneTransaction() throws Exception {
        add("vhu1");
        add("vhu2");
        long before = local.state().nextCfg();

        int deleted = local.deletePorts(List.of("vhu1", "nobody", "vhu2", "vhu1"), soon());

        assertThat(deleted).isEqualTo(2);
        assertThat(local.state().nextCfg()).isEqualTo(before + 1);
    }

    @Test
    void missingBridgeIsRefusedAndNothingChanged() {
        long before = local.state().nextCfg();

        assertThatExceptionOfType(BridgeMissingException.class)
                .isThrownBy(() -> local.addVhostUserPort(port("nobridge", "vhu1"), soon()))
                .withMessageContaining("nobridge");
        assertThat(local.port("vhu1")).isEmpty();
        assertThat(local.state().nextCfg()).isEqualTo(before);
    }

    @Test
    void bridgeOfTheKernelIsRefusedAndNothingChanged() {
        assertThatExceptionOfType(BridgeNotNetdevException.class)
                .isThrownBy(() -> local.addVhostUserPort(port("brsys", "vhu1"), soon()))
                .withMessageContaining("brsys");
        assertThat(local.port("vhu1")).isEmpty();
    }

    @Test
    void nameThatIsTakenViolatesAConstraint() throws Exception {
        PendingPort first = add("vhu1");

        assertThatExceptionOfType(OvsdbTransactionException.class)
                .isThrownBy(() -> add("vhu1"))
                .satisfies(e -> {
                    assertThat(e.kind()).isEqualTo(Kind.CONSTRAINT_VIOLATION);
                    assertThat(e.operation()).isEqualTo(7);
                    assertThat(e.details()).contains("vhu1");
                });
        assertThat(local.port("vhu1").orElseThrow().uuid()).isEqualTo(first.port());
    }

    @Test
    void suspendedSwitchIsSilent() throws Exception {
        ovs.suspendSwitch();
        try {
            PendingPort pending = add("vhu1");

            assertThatExceptionOfType(SwitchSilentException.class)
                    .isThrownBy(() -> local.awaitApplied(pending, Deadline.after(Duration.ofMillis(200))))
                    .satisfies(e -> {
                        assertThat(e.awaited())
                                .isEqualTo(pending.configuration().number());
                        assertThat(e.reached()).isLessThan(e.awaited());
                    });
            assertThatExceptionOfType(SwitchSilentException.class)
                    .isThrownBy(() -> local.probe(Deadline.after(Duration.ofMillis(200))));
            assertThatExceptionOfType(SwitchSilentException.class)
                    .isThrownBy(() -> local.deletePort("vhu1", Deadline.after(Duration.ofMillis(200))));
            assertThat(local.port("vhu1")).isEmpty();
        } finally {
            ovs.resumeSwitch();
        }
        assertThat(local.probe(soon())).isPositive();
    }

    @Test
    void probeReachesTheSwitch() throws Exception {
        long before = local.state().nextCfg();

        assertThat(local.probe(soon())).isEqualTo(before + 1);
        assertThat(local.state().curCfg()).isEqualTo(before + 1);
    }

    @Test
    void portThatSomebodyDeletesWhileItIsAwaitedVanishes() throws Exception {
        ovs.suspendSwitch();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            PendingPort pending = add("vhu1");
            Future<Interface> waiter = threads.submit(() -> local.awaitApplied(pending, soon()));

            ovs.vsctl("--no-wait", "del-port", "br0", "vhu1");

            assertThat(waiter)
                    .failsWithin(Duration.ofSeconds(5))
                    .withThrowableThat()
                    .withCauseInstanceOf(PortVanishedException.class);
        } finally {
            ovs.resumeSwitch();
        }
    }

    @Test
    void pendingPortCanBeFoundByName() throws Exception {
        PendingPort pending = add("vhu1");

        PendingPort found = local.pendingPort("vhu1").orElseThrow();

        assertThat(found.port()).isEqualTo(pending.port());
        assertThat(found.iface()).isEqualTo(pending.iface());
        assertThat(local.awaitApplied(found, soon()).ofport().orElseThrow()).isPositive();
        assertThat(local.pendingPort("nobody")).isEmpty();
    }

    @Test
    void changesOfOthersAreSeen() throws Exception {
        ovs.vsctl(
                "--no-wait",
                "add-port",
                "br0",
                "p1",
                "tag=7",
                "trunks=1,2,3",
                "--",
                "set",
                "Interface",
                "p1",
                "type=internal",
                "external_ids:a=1",
                "external_ids:b=2");
        Port added = local.await(() -> local.port("p1"), soon()).orElseThrow();
        ovs.vsctl("--no-wait", "set", "Port", "p1", "trunks=2,3,4095");
        ovs.vsctl("--no-wait", "clear", "Port", "p1", "tag");
        ovs.vsctl(
                "--no-wait",
                "remove",
                "Interface",
                "p1",
                "external_ids",
                "a",
                "--",
                "set",
                "Interface",
                "p1",
                "external_ids:b=3",
                "external_ids:c=4");
        Map<String, String> expected = Map.of("b", "3", "c", "4");
        Optional<Interface> changed = local.await(
                () -> local.interfaceOf("p1").filter(i -> i.externalIds().equals(expected)), soon());

        assertThat(added.tag()).isEqualTo(OptionalLong.of(7));
        assertThat(added.trunks()).containsExactlyInAnyOrder(1L, 2L, 3L);
        assertThat(changed).isPresent();
        assertThat(local.port("p1").orElseThrow().trunks()).containsExactlyInAnyOrder(2L, 3L, 4095L);
        assertThat(local.port("p1").orElseThrow().tag()).isEmpty();

        ovs.vsctl("--no-wait", "del-port", "p1");

        assertThat(local.await(() -> local.port("p1").isEmpty() ? Optional.of("gone") : Optional.empty(), soon()))
                .isPresent();
    }

    @Test
    void warmUpChangesNothing() throws Exception {
        SwitchState before = local.state();

        local.warmUp(soon());

        assertThat(local.state()).isEqualTo(before);
    }

    @Test
    void manyAddAndDeleteAtOnce() throws Exception {
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Callable<Interface>> additions = IntStream.range(0, 64)
                    .mapToObj(i -> (Callable<Interface>) () -> local.awaitApplied(add("vhu" + i), soon()))
                    .toList();
            List<Long> ofports = threads.invokeAll(additions).stream()
                    .map(Future::resultNow)
                    .map(i -> i.ofport().orElseThrow())
                    .toList();
            List<Callable<Boolean>> deletions = IntStream.range(0, 64)
                    .mapToObj(i -> (Callable<Boolean>) () -> local.deletePort("vhu" + i, soon()))
                    .toList();
            List<Boolean> deleted =
                    threads.invokeAll(deletions).stream().map(Future::resultNow).toList();

            assertThat(ofports).hasSize(64).doesNotHaveDuplicates().allMatch(ofport -> ofport > 0);
            assertThat(deleted).hasSize(64).containsOnly(true);
            assertThat(ovs.vsctl("list-ports", "br0")).isEmpty();
        }
    }

    private static PendingPort add(String name) throws OvsdbException {
        return local.addVhostUserPort(port("br0", name), soon());
    }

    private static VhostUserPort port(String bridge, String name) {
        return new VhostUserPort(bridge, name, socket(name), OptionalInt.empty(), Map.of());
    }

    private static String socket(String name) {
        return ovs.folder().resolve(name + ".sock").toString();
    }

    private static Deadline soon() {
        return Deadline.after(Duration.ofSeconds(15));
    }
}
