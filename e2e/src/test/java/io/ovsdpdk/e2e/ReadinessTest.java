package io.ovsdpdk.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.Request;
import java.io.IOException;
import java.time.Duration;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What kubelet's probes learn of an agent. */
class ReadinessTest {
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    @AutoClose
    private Node node;

    @BeforeEach
    void startNode() throws IOException {
        node = Node.start();
    }

    @Test
    void agentIsReadyAsLongAsItIsInSyncWithTheDatabase() throws IOException {
        await().atMost(PATIENCE).untilAsserted(() -> Replies.done(node.ask(new Request.Ready())));

        node.ovs().database().kill();
        await().atMost(PATIENCE)
                .untilAsserted(() -> Replies.failed(node.ask(new Request.Ready()), ErrorCode.NOT_AVAILABLE));

        node.ovs().database().start();
        await().atMost(PATIENCE).untilAsserted(() -> Replies.done(node.ask(new Request.Ready())));
    }

    @Test
    void changeIsLoggedOnceHoweverOftenAProbeAsks() throws IOException {
        await().atMost(PATIENCE).untilAsserted(() -> Replies.done(node.ask(new Request.Ready())));
        node.ovs().database().kill();
        await().atMost(PATIENCE)
                .untilAsserted(() -> Replies.failed(node.ask(new Request.Ready()), ErrorCode.NOT_AVAILABLE));

        for (int i = 0; i < 10; i++) {
            node.ask(new Request.Ready());
        }

        await().untilAsserted(() -> assertThat(node.agentLog().lines().filter(line -> line.contains("request=ready")))
                .hasSizeBetween(1, 2));
        node.ovs().database().start();
        await().atMost(PATIENCE).untilAsserted(() -> Replies.done(node.ask(new Request.Ready())));
        await().untilAsserted(() -> assertThat(node.agentLog().lines().filter(line -> line.endsWith(" ready")))
                .hasSizeBetween(1, 2));
    }

    /** It is not the agent's restart that helps then. */
    @Test
    void switchThatHangsChangesNothing() throws IOException {
        node.ovs().suspendSwitch();
        int change = nextConfiguration();

        Replies.done(node.ask(new Request.Ready()));

        assertThat(nextConfiguration()).as("nothing is asked of the switch").isEqualTo(change);
    }

    private int nextConfiguration() throws IOException {
        return node.rows("Open_vSwitch").getFirst().get("next_cfg").asInt();
    }
}
