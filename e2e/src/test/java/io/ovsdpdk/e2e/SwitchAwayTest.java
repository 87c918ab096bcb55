package io.ovsdpdk.e2e;

import static io.ovsdpdk.e2e.Replies.added;
import static io.ovsdpdk.e2e.Replies.done;
import static io.ovsdpdk.e2e.Replies.failed;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.Reply;
import java.io.IOException;
import java.time.Duration;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * A part of the switch is away while it is needed: its database server, or ovs-vswitchd. An ADD leaves nothing; a DEL
 * succeeds after the 10 s for which it waits, because nobody would repeat it.
 */
class SwitchAwayTest {
    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final String IFNAME = "net1";

    @AutoClose
    private Node node;

    @BeforeEach
    void startNode() throws IOException {
        node = Node.start();
    }

    @Test
    @Tag("long")
    void addFailsAndLeavesNothingWhenDatabaseStaysAway() throws Exception {
        node.ovs().database().kill();

        Reply reply = node.ask(node.add("early", IFNAME, node.network("1.1.0", "dpdk-net"), Duration.ofSeconds(1)));

        failed(reply, ErrorCode.TRY_AGAIN);
        node.ovs().database().start();
        added(node.ask(node.add("late", IFNAME)));
        assertThat(node.attachedContainers()).containsExactly("late");
        done(node.ask(node.delete("late", IFNAME)));
        assertThat(node.remains()).isEmpty();
    }

    @Test
    @Tag("long")
    void deletedPortGoesWhenDatabaseIsBack() throws Exception {
        added(node.ask(node.add("c1", IFNAME)));
        node.ovs().database().kill();

        done(node.ask(node.delete("c1", IFNAME)));

        node.ovs().database().start();
        await().atMost(PATIENCE).untilAsserted(() -> assertThat(node.remains()).isEmpty());
    }

    @Test
    @Tag("long")
    void deletedPortGoesWhenDatabaseIsBackUnderAnotherAgent() throws Exception {
        added(node.ask(node.add("c1", IFNAME)));
        node.ovs().database().kill();

        done(node.ask(node.delete("c1", IFNAME)));

        node.killAgent();
        node.startAgent();
        node.ovs().database().start();
        await().atMost(PATIENCE).untilAsserted(() -> assertThat(node.remains()).isEmpty());
    }

    @Test
    @Tag("long")
    void deleteSucceedsWhileVswitchdIsDown() throws Exception {
        added(node.ask(node.add("c1", IFNAME)));
        node.ovs().stopSwitch();

        done(node.ask(node.delete("c1", IFNAME)));

        assertThat(node.remains()).isEmpty();
        node.ovs().startSwitch();
        added(node.ask(node.add("c1", IFNAME)));
        assertThat(node.attachedContainers()).containsExactly("c1");
    }

    /** One that hangs is worse than one that is down: its connections stay. */
    @Test
    void addFailsAndLeavesNothingWhileVswitchdHangs() throws Exception {
        node.ovs().suspendSwitch();

        Reply reply = node.ask(node.add("c1", IFNAME, node.network("1.1.0", "dpdk-net"), Duration.ofSeconds(1)));

        failed(reply, ErrorCode.TRY_AGAIN);
        assertThat(node.remains()).isEmpty();
        node.ovs().resumeSwitch();
        added(node.ask(node.add("c2", IFNAME)));
        assertThat(node.attachedContainers()).containsExactly("c2");
    }
}
