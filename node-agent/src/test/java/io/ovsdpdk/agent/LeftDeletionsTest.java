package io.ovsdpdk.agent;

import static io.ovsdpdk.agent.TestAgent.newId;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.DeletionQueue;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What plugins left in the queue stays there until nothing of it can be lost. */
class LeftDeletionsTest extends AttachmentsOnASwitch {
    private static final Duration PATIENCE = Duration.ofSeconds(5);

    private DeletionQueue queue;

    @BeforeEach
    void makeQueue() {
        queue = new DeletionQueue(agent.folder.resolve("r/deletions"));
    }

    private void leave(AttachmentId left) throws IOException {
        try (DeletionQueue.Held held = queue.lock(PATIENCE)) {
            queue.leave(left, held);
        }
    }

    private void loseCheckpoint() throws IOException {
        Files.delete(agent.checkpointOf(id));
        agent.restart();
    }

    private void killDatabase() throws Exception {
        ovs.database().kill();
        await().until(() -> !agent.ports.areKnown());
    }

    @Test
    void deletionIsCarriedOutAndTakenOff() throws Exception {
        agent.add(id);
        leave(id);

        try (LeftDeletions left = new LeftDeletions(queue, agent.attachments)) {
            left.carryOut();
        }

        agent.assertNothingOf(id);
        assertThat(queue.read().entries()).isEmpty();
    }

    @Test
    void deletionOutlivesAgentWithoutCheckpoint() throws Exception {
        agent.add(id);
        loseCheckpoint();
        killDatabase();
        leave(id);
        try (LeftDeletions left = new LeftDeletions(queue, agent.attachments)) {
            left.carryOut();
        }
        assertThat(queue.read().entries()).hasSize(1);

        agent.restart();
        ovs.database().start();
        agent.ports.awaitReady(TestAgent.soon());
        try (LeftDeletions left = new LeftDeletions(queue, agent.attachments)) {
            left.carryOut();
        }

        agent.assertNothingOf(id);
        assertThat(queue.read().entries()).isEmpty();
    }

    @Test
    void deletionIsTakenOffAsSoonAsItIsDoneAndHoldsUpNoOther() throws Exception {
        AttachmentId written = newId();
        agent.add(id);
        agent.add(written);
        loseCheckpoint();
        killDatabase();
        leave(id);
        try (LeftDeletions left = new LeftDeletions(queue, agent.attachments)) {
            left.follow();
            await().until(() -> agent.attachments.leftovers() == 1);

            leave(written);

            await().until(() -> queue.read().entries().size() == 1);
            assertThat(queue.read().entries().getFirst().id()).isEqualTo(id);
            ovs.database().start();
            await().until(() -> queue.read().entries().isEmpty());
        }
        await().untilAsserted(() -> agent.assertNothingOf(written));
        await().untilAsserted(() -> agent.assertNothingOf(id));
    }

    @Test
    void watcherGoesOnWhateverIsInTheFolderAndClearsWhatAKilledPluginLeft() throws Exception {
        agent.add(id);
        Path half = Files.writeString(queue.folder().resolve("x.new"), "{");
        Files.createDirectories(queue.folder().resolve("0.json/full"));
        try (LeftDeletions left = new LeftDeletions(queue, agent.attachments)) {
            left.follow();
            await().until(() -> Files.notExists(half));
            Path second = Files.writeString(queue.folder().resolve("y.new"), "{");

            leave(id);

            await().until(() -> queue.read().entries().isEmpty() && Files.notExists(second));
        }
        await().untilAsserted(() -> agent.assertNothingOf(id));
    }
}
