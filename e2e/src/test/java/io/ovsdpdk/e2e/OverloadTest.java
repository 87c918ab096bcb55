package io.ovsdpdk.e2e;

import static io.ovsdpdk.e2e.Replies.added;
import static io.ovsdpdk.e2e.Replies.done;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.Reply;
import io.ovsdpdk.api.Request;
import io.ovsdpdk.api.Wire;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Far more clients than the agent serves at once, and a switch that does not follow. */
@Tag("long")
class OverloadTest {
    private static final int CLIENTS = 2000;

    /** How many of them try again until they have their port. */
    private static final int PERSISTENT = 100;

    /** For an ADD; the agent's answer comes at most two seconds later, when it rolled back. */
    private static final Duration TIMEOUT = Duration.ofSeconds(5);

    private static final Duration PATIENCE = Duration.ofSeconds(120);
    private static final int SERVED_AT_ONCE = 256;
    private static final String IFNAME = "net1";

    /** Blocking calls to a full socket need threads of the platform. */
    private final ExecutorService clients = Executors.newCachedThreadPool(
            Thread.ofPlatform().daemon().name("client-", 0).factory());

    @AutoClose
    private Node node;

    @BeforeEach
    void startNode() throws IOException {
        node = Node.start();
    }

    @AfterEach
    void stopClients() {
        clients.shutdownNow();
    }

    @Test
    void twoThousandClientsOfASwitchThatHangsAreAnsweredAndAfterwardsServed() throws Exception {
        Footprint first = footprintAfterAStorm();
        Footprint second = footprintAfterAStorm();

        assertThat(second.descriptors()).isLessThanOrEqualTo(first.descriptors() + 2);
        assertThat(second.liveBytes()).isLessThan(first.liveBytes() + (2 << 20));
    }

    private Footprint footprintAfterAStorm() throws Exception {
        Footprint before = Footprint.of(node);
        node.ovs().suspendSwitch();
        List<Future<Reply>> calls = new ArrayList<>();
        for (int i = 0; i < CLIENTS; i++) {
            String container = container(i);
            calls.add(
                    clients.submit(() -> ask(node.add(container, IFNAME, node.network("1.1.0", "dpdk-net"), TIMEOUT))));
        }
        await().atMost(PATIENCE).until(() -> Footprint.of(node).ioThreads() > SERVED_AT_ONCE / 2);
        Footprint during = Footprint.of(node);

        List<String> refusals = new ArrayList<>();
        for (Future<Reply> call : calls) {
            CniException refusal = refusal(call.get(PATIENCE.toSeconds(), TimeUnit.SECONDS));
            assertThat(refusal.code()).as(refusal.getMessage()).isEqualTo(ErrorCode.TRY_AGAIN.code());
            refusals.add(refusal.getMessage());
        }
        node.ovs().resumeSwitch();

        // A thread gives its slot back a moment before it is free for the next client
        assertThat(during.ioThreads()).isLessThanOrEqualTo(SERVED_AT_ONCE + 16);
        assertThat(during.otherThreads()).isLessThan(before.otherThreads() + 16);
        assertThat(refusals)
                .anyMatch(message -> message.contains("serving 256 requests already"))
                .anyMatch(message -> !message.contains("serving 256 requests already"));
        assertServed();
        Footprint after = Footprint.of(node);
        System.out.printf("before: %s%nduring: %s%nafter: %s%n", before, during, after);
        return after;
    }

    /** As runtimes go on: the DEL of each failed ADD; some try anew. */
    private void assertServed() throws Exception {
        List<Future<Reply>> attempts = new ArrayList<>();
        for (int i = 0; i < CLIENTS; i++) {
            String container = container(i);
            boolean again = i < PERSISTENT;
            attempts.add(clients.submit(() -> {
                done(untilServed(node.delete(container, IFNAME)));
                return again ? untilServed(node.add(container, IFNAME)) : new Reply.Done();
            }));
        }
        for (int i = 0; i < CLIENTS; i++) {
            Reply reply = attempts.get(i).get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
            if (i < PERSISTENT) {
                added(reply);
            }
        }
        assertThat(node.attachedContainers()).hasSize(PERSISTENT);
        for (int i = 0; i < PERSISTENT; i++) {
            done(node.ask(node.delete(container(i), IFNAME)));
        }
        await().atMost(PATIENCE).untilAsserted(() -> assertThat(node.remains()).isEmpty());
    }

    /** Reads no more than the answer's line: who is refused is not listened to, and gets a reset behind it. */
    private Reply ask(Request request) throws IOException, CniException {
        try (RawClient client = RawClient.connect(node.agentSocket())) {
            String line = client.send(Wire.encode(request)).answer(PATIENCE);
            return Wire.decodeReply(line.getBytes(StandardCharsets.UTF_8));
        }
    }

    /** As long as it is told to come again; at most {@link #PATIENCE}. */
    private Reply untilServed(Request request) {
        return await().atMost(PATIENCE)
                .pollInterval(Duration.ofMillis(100))
                .until(
                        () -> ask(request),
                        reply -> !(reply instanceof Reply.Failed failed
                                && failed.error().is(ErrorCode.TRY_AGAIN)));
    }

    private static CniException refusal(Reply reply) {
        assertThat(reply).isInstanceOf(Reply.Failed.class);
        return ((Reply.Failed) reply).error();
    }

    private static String container(int number) {
        return "c-%010d".formatted(number);
    }
}
