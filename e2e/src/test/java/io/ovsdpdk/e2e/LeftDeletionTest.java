package io.ovsdpdk.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.DeletionQueue;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/** A DEL that finds no agent is carried out by the next one. */
@Tag("plugin")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class LeftDeletionTest {
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    private Node node;
    private ObjectNode network;

    @BeforeAll
    void start() throws IOException {
        node = Node.start();
        network = node.network("1.1.0", "net");
    }

    @AfterAll
    void stop() throws IOException {
        node.close();
    }

    private PluginCall.Outcome call(String command, String container) throws IOException {
        return node.call(command, container, "net1", network).run();
    }

    private Path queue() {
        return node.runDir().resolve("deletions");
    }

    private boolean queueIsEmpty() throws IOException {
        try (Stream<Path> files = Files.list(queue())) {
            return files.allMatch(file -> file.endsWith(".lock"));
        }
    }

    @Test
    void deletionWithoutAnAgentSucceedsAndTheNextAgentCarriesItOutBeforeItServes() throws IOException {
        assertThat(call("ADD", "away").succeeded()).isTrue();
        node.stopAgent();

        PluginCall.Outcome outcome = call("DEL", "away");

        assertThat(outcome.status()).as(outcome.stdout()).isZero();
        assertThat(outcome.stdout()).isEmpty();
        assertThat(node.ports()).hasSize(1);
        assertThat(queueIsEmpty()).isFalse();
        node.startAgent();
        assertThat(call("ADD", "away").succeeded()).isTrue();
        assertThat(node.ports()).hasSize(1);
        assertThat(call("DEL", "away").succeeded()).isTrue();
        assertThat(node.remains()).isEmpty();
        assertThat(queueIsEmpty()).isTrue();
    }

    @Test
    void deletionThatIsLeftWhileAnAgentRunsIsCarriedOut() throws Exception {
        assertThat(call("ADD", "busy").succeeded()).isTrue();
        DeletionQueue queue = new DeletionQueue(queue());

        try (DeletionQueue.Held held = queue.lock(PATIENCE)) {
            queue.leave(new AttachmentId("busy", "net1"), held);
        }

        await().atMost(PATIENCE).until(() -> node.remains().isEmpty() && queueIsEmpty());
    }

    @Test
    void deletionOfSomethingUnknownIsTakenOffTheQueue() throws Exception {
        node.stopAgent();
        assertThat(call("DEL", "unknown").succeeded()).isTrue();

        node.startAgent();

        await().atMost(PATIENCE).until(this::queueIsEmpty);
    }

    /** The agent can't know whether there is anything to delete, and dies before it learns. */
    @Test
    void deletionThatTheAgentCouldNotWriteDownIsLeftForTheNextOne() throws Exception {
        assertThat(call("ADD", "lost").succeeded()).isTrue();
        node.stopAgent();
        try (Stream<Path> checkpoints = Files.list(node.stateDir().resolve("attachments"))) {
            for (Path checkpoint : checkpoints.toList()) {
                Files.delete(checkpoint);
            }
        }
        node.startAgent();
        node.ovs().database().kill();

        PluginCall.Outcome outcome = call("DEL", "lost");

        assertThat(outcome.status()).as(outcome.stdout()).isZero();
        assertThat(queueIsEmpty()).isFalse();
        node.killAgent();
        node.ovs().database().start();
        node.startAgent();
        await().atMost(PATIENCE).until(() -> node.remains().isEmpty() && queueIsEmpty());
    }

    @Test
    void queueMakesItsFolderWhenTheAgentNeverRan() throws IOException {
        node.stopAgent();
        try (Stream<Path> files = Files.list(queue())) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
        }
        Files.delete(queue());

        assertThat(call("DEL", "early").succeeded()).isTrue();

        assertThat(queueIsEmpty()).isFalse();
        node.startAgent();
    }
}
