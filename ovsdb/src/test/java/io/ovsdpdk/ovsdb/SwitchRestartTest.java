package io.ovsdpdk.ovsdb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.ovsdpdk.ovsdb.testbed.OvsDpdk;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Real processes that end and come back while somebody waits for them. */
class SwitchRestartTest {

    @Test
    void portAddedWithoutVswitchdIsMadeWhenItStarts() throws Exception {
        try (OvsDpdk ovs = withBridge(OvsDpdk.start());
                OvsdbClient client = client(ovs);
                ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            LocalSwitch local = new LocalSwitch(client);
            client.awaitSynchronised(soon());
            ovs.killSwitch();
            PendingPort pending = add(local, "vhu1");

            assertThatExceptionOfType(SwitchSilentException.class)
                    .isThrownBy(() -> local.awaitApplied(pending, Deadline.after(Duration.ofMillis(100))))
                    .withMessageContaining("vhu1");
            Future<Interface> waiter = threads.submit(() -> local.awaitApplied(pending, soon()));
            ovs.startSwitch();

            assertThat(waiter.get().ofport().orElseThrow()).isPositive();
        }
    }

    @Test
    void waitsGoOnOverRestartsOfTheDatabaseServer() throws Exception {
        try (OvsDpdk ovs = withBridge(OvsDpdk.start());
                OvsdbClient client = client(ovs);
                ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            LocalSwitch local = new LocalSwitch(client);
            client.awaitSynchronised(soon());
            ovs.suspendSwitch();
            List<Future<Interface>> waiters = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                PendingPort pending = add(local, "vhu" + i);
                waiters.add(threads.submit(() -> local.awaitApplied(pending, soon())));
            }

            ovs.database().kill();
            ovs.database().start();
            ovs.resumeSwitch();

            for (Future<Interface> waiter : waiters) {
                assertThat(waiter.get().ofport().orElseThrow()).isPositive();
            }
            assertThat(client.generation()).isGreaterThan(1);
        }
    }

    @Test
    @Tag("long")
    void portsAreAddedAndDeletedWhileTheDatabaseServerIsKilledAgainAndAgain() throws Exception {
        try (OvsDpdk ovs = withBridge(OvsDpdk.start());
                OvsdbClient client = client(ovs)) {
            LocalSwitch local = new LocalSwitch(client);
            client.awaitSynchronised(soon());
            Map<String, Object> made = new ConcurrentHashMap<>();
            try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
                for (int i = 0; i < 24; i++) {
                    String name = "vhu" + i;
                    threads.submit(() -> made.put(name, stubbornly(client, local, name)));
                }
                for (int run = 0; run < 3; run++) {
                    int wanted = 4 + 4 * run;
                    Deadline deadline = soon();
                    client.await(() -> made.size() >= wanted ? Optional.of(true) : Optional.empty(), deadline);
                    ovs.database().kill();
                    ovs.database().start();
                }
            }
            client.awaitSynchronised(soon());

            assertThat(made).hasSize(24);
            assertThat(made.values()).allSatisfy(each -> assertThat(each).isInstanceOf(Interface.class));
            assertThat(local.deletePorts(made.keySet(), soon())).isEqualTo(24);
            assertThat(ovs.vsctl("list-ports", "br0")).isEmpty();
        }
    }

    /** What a caller makes of the exceptions: repeat what wasn't sent, look first where the outcome is unknown. */
    private static Object stubbornly(OvsdbClient client, LocalSwitch local, String name) {
        Deadline deadline = soon();
        while (true) {
            try {
                client.awaitSynchronised(deadline);
                PendingPort pending = local.pendingPort(name).isPresent()
                        ? local.pendingPort(name).orElseThrow()
                        : add(local, name);
                return local.awaitApplied(pending, deadline);
            } catch (OvsdbUnavailableException | OvsdbOutcomeUnknownException e) {
                if (deadline.expired()) {
                    return e;
                }
            } catch (OvsdbException e) {
                return e;
            }
        }
    }

    @Test
    void switchWithoutDpdkRefusesThePortInItsOwnWords() throws Exception {
        try (OvsDpdk ovs = withBridge(OvsDpdk.startWithoutDpdk());
                OvsdbClient client = client(ovs)) {
            LocalSwitch local = new LocalSwitch(client);
            client.awaitSynchronised(soon());
            PendingPort pending = add(local, "vhu1");

            assertThatExceptionOfType(PortRefusedException.class)
                    .isThrownBy(() -> local.awaitApplied(pending, soon()))
                    .satisfies(e -> {
                        assertThat(e.words()).contains("could not open network device vhu1");
                        assertThat(e.port()).isEqualTo("vhu1");
                    });
            assertThat(local.state().dpdkInitialized()).isFalse();
            assertThat(local.state().ifaceTypes()).doesNotContain(LocalSwitch.VHOST_USER_CLIENT);
            assertThat(local.deletePort(pending.name(), soon())).isTrue();
            assertThat(local.port("vhu1")).isEmpty();
        }
    }

    private static OvsDpdk withBridge(OvsDpdk ovs) throws Exception {
        ovs.addBridge("br0");
        return ovs;
    }

    private static OvsdbClient client(OvsDpdk ovs) {
        return new OvsdbClient(ovs.socket(), LocalSwitch.TABLES, OvsdbOptions.DEFAULT);
    }

    private static PendingPort add(LocalSwitch local, String name) throws OvsdbException {
        return local.addVhostUserPort(
                new VhostUserPort("br0", name, "/tmp/" + name, OptionalInt.empty(), Map.of()), soon());
    }

    private static Deadline soon() {
        return Deadline.after(Duration.ofSeconds(15));
    }
}
