package io.ovsdpdk.e2e;

import static io.ovsdpdk.e2e.Replies.added;
import static io.ovsdpdk.e2e.Replies.addedMac;
import static io.ovsdpdk.e2e.Replies.done;
import static io.ovsdpdk.e2e.Replies.failed;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.MacAddress;
import io.ovsdpdk.api.Reply;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The switch's database server goes and comes back, and attachments are whole all the same. */
class OvsdbRestartTest {
    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final String IFNAME = "net1";

    @AutoClose
    private Node node;

    @BeforeEach
    void startNode() throws IOException {
        node = Node.start();
    }

    @Test
    void addsOnBothSidesOfRestartAreOnOneSwitch() throws Exception {
        MacAddress before = addedMac(node.ask(node.add("before", IFNAME)));

        node.ovs().database().kill();
        node.ovs().database().start();
        MacAddress after = addedMac(node.ask(node.add("after", IFNAME)));

        try (VhostUserGuest a = guest("before", before);
                VhostUserGuest b = guest("after", after)) {
            assertThat(PingPong.play(a, b, 20).completed()).isEqualTo(20);
        }
        assertThat(node.attachedContainers()).containsExactly("after", "before");
        done(node.ask(node.delete("before", IFNAME)));
        done(node.ask(node.delete("after", IFNAME)));
        assertThat(node.remains()).isEmpty();
    }

    @Test
    @Tag("long")
    void framesPassAndAddWaitsWhileDatabaseIsAway() throws Exception {
        MacAddress alice = addedMac(node.ask(node.add("alice", IFNAME)));
        MacAddress bob = addedMac(node.ask(node.add("bob", IFNAME)));
        try (VhostUserGuest a = guest("alice", alice);
                VhostUserGuest b = guest("bob", bob);
                Crowd crowd = new Crowd()) {
            PingPong.play(a, b, 1);

            node.ovs().database().kill();
            Future<Reply> waiting = crowd.begin(() -> node.ask(node.add("waiting", IFNAME)));
            PingPong meanwhile = PingPong.play(a, b, 100);
            boolean answered = waiting.isDone();
            node.ovs().database().start();

            assertThat(meanwhile.completed()).isEqualTo(100);
            assertThat(answered).isFalse();
            added(Crowd.result(waiting));
            assertThat(a.connected()).isTrue();
        }
    }

    /** 8 callers ADD one container after the other while the server is killed and started three times. */
    @Test
    @Tag("long")
    void noAddIsHalfDoneWhenDatabaseIsKilledUnderIt() throws Exception {
        Map<String, Reply> replies = new ConcurrentHashMap<>();
        AtomicBoolean enough = new AtomicBoolean();
        try (Crowd crowd = new Crowd()) {
            List<Future<Void>> callers = crowd.begin(8, caller -> () -> {
                for (int i = 0; !enough.get(); i++) {
                    String container = "c%d-%d".formatted(caller, i);
                    replies.put(
                            container,
                            node.ask(node.add(
                                    container, IFNAME, node.network("1.1.0", "dpdk-net"), Duration.ofSeconds(2))));
                }
                return null;
            });
            for (int restart = 0; restart < 3; restart++) {
                int answered = replies.size();
                await().atMost(PATIENCE).until(() -> replies.size() >= answered + 12);
                node.ovs().database().kill();
                node.ovs().database().start();
            }
            enough.set(true);
            Crowd.results(callers);
        }

        List<String> made = new TreeMap<>(replies)
                .entrySet().stream()
                        .filter(reply -> reply.getValue() instanceof Reply.Added)
                        .map(Map.Entry::getKey)
                        .toList();
        assertThat(made).hasSizeGreaterThan(10);
        replies.values().stream()
                .filter(reply -> !(reply instanceof Reply.Added))
                .forEach(reply -> failed(reply, ErrorCode.TRY_AGAIN));
        await().atMost(PATIENCE).untilAsserted(() -> {
            assertThat(node.attachedContainers()).isEqualTo(made);
            assertThat(node.ports()).hasSameSizeAs(made);
            assertThat(node.mounts()).hasSameSizeAs(made);
        });
        try (VhostUserGuest a = guest(made.getFirst(), addedMac(replies.get(made.getFirst())));
                VhostUserGuest b = guest(made.getLast(), addedMac(replies.get(made.getLast())))) {
            assertThat(PingPong.play(a, b, 20).completed()).isEqualTo(20);
        }
        System.out.printf("killed under ADDs: %d made, %d failed%n", made.size(), replies.size() - made.size());

        Crowd.of(made.size(), i -> () -> node.ask(node.delete(made.get(i), IFNAME)))
                .forEach(Replies::done);

        assertThat(node.remains()).isEmpty();
    }

    private VhostUserGuest guest(String container, MacAddress mac) throws IOException {
        VhostUserGuest guest = VhostUserGuest.listen(node.workloadSocket(container, IFNAME), mac);
        guest.awaitConnection(PATIENCE);
        return guest;
    }
}
