package io.ovsdpdk.agent;

import static io.ovsdpdk.agent.TestAgent.newId;
import static io.ovsdpdk.agent.TestAgent.request;
import static io.ovsdpdk.agent.TestAgent.sibling;
import static io.ovsdpdk.agent.TestAgent.soon;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

import io.ovsdpdk.api.Attached;
import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.ovsdb.Deadline;
import java.nio.file.Files;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** An agent that comes after another one, and a database that comes back. */
class ResumeTest extends AttachmentsOnASwitch {

    @Test
    void nextAgentKnowsWhatWasMade() throws Exception {
        Attached attached = agent.add(id);

        agent.restart();

        assertThat(agent.check(id)).isEqualTo(attached);
        assertThat(agent.add(id)).isEqualTo(attached);
        agent.attachments.delete(id);
        agent.assertNothingOf(id);
    }

    @Test
    void nextAgentTakesDownWhatWasBeingMadeOrRemoved() throws Exception {
        AttachmentId removing = newId();
        agent.add(id);
        agent.add(removing);
        for (AttachmentId each : List.of(id, removing)) {
            agent.leaveUnfinished(each);
        }

        agent.restart();

        await().untilAsserted(() -> agent.assertNothingOf(id));
        agent.assertNothingOf(removing);
    }

    /** The switch's database has its ports still, /run has nothing. */
    @Test
    void whatWasMadeBeforeTheNodesRestartIsTakenDown() throws Exception {
        agent.add(id);
        agent.add(sibling(id));
        agent.boot = "second";
        agent.unmountAll();

        agent.restart();

        await().untilAsserted(() -> agent.assertNothingOf(id));
        agent.assertNothingOf(sibling(id));
    }

    @Test
    void unfinishedInterfaceGoesAndTheOtherOneOfItsContainerKeepsTheFolder() throws Exception {
        List<AttachmentId> containers =
                Stream.generate(TestAgent::newId).limit(8).toList();
        for (AttachmentId made : containers) {
            agent.add(made);
            agent.add(sibling(made));
            agent.leaveUnfinished(sibling(made));
        }

        agent.restart();

        await().until(() -> agent.attachments.count() == containers.size());
        for (AttachmentId made : containers) {
            assertThat(agent.hasPort(sibling(made))).isFalse();
            assertThat(agent.check(made)).isNotNull();
        }
    }

    @Test
    void nextAgentUnmountsWhatBelongsToNobody() throws Exception {
        agent.add(id);
        vsctl("del-port", PortName.of(id));
        Files.delete(agent.checkpointOf(id));

        agent.restart();

        assertThat(agent.mountsInUse()).isEmpty();
    }

    @Test
    void nextAgentWithAnotherRunDirCanStillDelete() throws Exception {
        agent.add(id);
        agent.restart(TestAgent.socketFolders(agent.folder.resolve("q")));

        agent.attachments.delete(id);

        assertThat(agent.hasPort(id)).isFalse();
        assertThat(agent.folderOf(id)).doesNotExist();
        assertThat(agent.checkpointOf(id)).doesNotExist();
    }

    @Test
    void leftoverMountWaitsForASwitchThatIsAway() throws Exception {
        agent.add(id);
        vsctl("del-port", PortName.of(id));
        Files.delete(agent.checkpointOf(id));
        ovs.database().kill();
        await().until(() -> !agent.ports.areKnown());

        agent.restart();

        assertThat(agent.mountsInUse()).hasSize(1);
        ovs.database().start();
        await().untilAsserted(() -> assertThat(agent.mountsInUse()).isEmpty());
    }

    @Test
    void deletionWhileTheDatabaseIsAwayIsDoneWhenItIsBack() throws Exception {
        AttachmentId lost = newId();
        agent.add(id);
        agent.add(lost);
        Files.delete(agent.checkpointOf(lost));
        agent.restart();
        ovs.database().kill();
        await().until(() -> !agent.ports.areKnown());
        Future<?> deletion = threads.submit(() -> {
            agent.attachments.delete(id);
            return null;
        });

        assertFails(ErrorCode.TRY_AGAIN, "nothing is written down", () -> agent.attachments.delete(lost));
        ovs.database().start();
        deletion.get();

        await().untilAsserted(() -> agent.assertNothingOf(id));
        await().untilAsserted(() -> agent.assertNothingOf(lost));
    }

    @Test
    void addWhileTheDatabaseIsAwayIsToBeTriedAgain() throws Exception {
        ovs.database().kill();
        await().until(() -> !agent.ports.areKnown());

        assertFails(
                ErrorCode.TRY_AGAIN,
                "is away",
                () -> agent.attachments.add(
                        request(id, agent.network()), Json.object(), Deadline.after(Duration.ofMillis(100))));
        assertThatExceptionOfType(CniException.class)
                .isThrownBy(() -> agent.ports.checkStatus())
                .satisfies(e -> assertThat(e.code()).isEqualTo(ErrorCode.NOT_AVAILABLE.code()));
        ovs.database().start();

        agent.ports.awaitReady(soon());
        agent.assertNothingOf(id);
    }
}
