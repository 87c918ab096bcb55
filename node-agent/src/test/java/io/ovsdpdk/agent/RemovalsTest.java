package io.ovsdpdk.agent;

import static io.ovsdpdk.agent.TestAgent.request;
import static io.ovsdpdk.agent.TestAgent.run;
import static io.ovsdpdk.agent.TestAgent.sibling;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.mockito.ArgumentMatchers.any;
import static org.mockito.Mockito.doAnswer;
import static org.mockito.Mockito.spy;

import io.ovsdpdk.api.Attached;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.ovsdb.Deadline;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** DEL, at any moment. */
class RemovalsTest extends AttachmentsOnASwitch {

    @Test
    void deleteLeavesNothing() throws Exception {
        agent.add(id);
        Files.writeString(agent.folderOf(id).resolve("net1.sock"), "");

        agent.attachments.delete(id);

        agent.assertNothingOf(id);
    }

    @Test
    void deleteOfUnknownSucceeds() throws Exception {
        agent.attachments.delete(id);

        agent.assertNothingOf(id);
    }

    @Test
    void deleteLeavesTheFolderToTheOtherInterface() throws Exception {
        agent.add(id);
        agent.add(sibling(id));
        Files.writeString(agent.folderOf(id).resolve("net1.sock"), "");
        Files.writeString(agent.folderOf(id).resolve("net2.sock"), "");

        agent.attachments.delete(id);

        assertThat(agent.folderOf(id).resolve("net1.sock")).doesNotExist();
        assertThat(agent.folderOf(id).resolve("net2.sock")).exists();
        assertThat(agent.check(sibling(id))).isNotNull();
        agent.attachments.delete(sibling(id));
        agent.assertNothingOf(id);
    }

    @Test
    void deleteSucceedsWhateverVanishedBefore() throws Exception {
        agent.add(id);
        vsctl("del-port", PortName.of(id));
        run("umount", agent.mountsInUse().getFirst());
        run("rm", "-r", agent.folderOf(id).toString());
        Files.delete(agent.checkpointOf(id));

        agent.attachments.delete(id);

        agent.assertNothingOf(id);
    }

    @Test
    void deleteFindsByExternalIdsWhatHasNoCheckpoint() throws Exception {
        agent.add(id);
        Files.delete(agent.checkpointOf(id));
        agent.restart();
        assertThat(agent.attachments.count()).isZero();
        assertThat(agent.mountsInUse()).as("a port uses it").hasSize(1);

        agent.attachments.delete(id);

        agent.assertNothingOf(id);
    }

    @Test
    void portWithADamagedIdentityIsDeletedAloneAndNoFolderOutsideIsTouched() throws Exception {
        Path outside = Files.createDirectories(
                agent.folder.resolve("o").resolve(agent.folderOf(id).getFileName()));
        Files.writeString(outside.resolve("net1.sock"), "precious");
        agent.add(id);
        vsctl("set", "Port", PortName.of(id), "external_ids:socket-path=" + outside.resolve("net1.sock"));
        Files.delete(agent.checkpointOf(id));
        agent.restart();

        agent.attachments.delete(id);

        assertThat(agent.hasPort(id)).isFalse();
        assertThat(outside.resolve("net1.sock")).hasContent("precious");
    }

    @Test
    void portOfAnotherUnderOurNameIsNotDeleted() throws Exception {
        vsctl("add-port", "br0", PortName.of(id), "--", "set", "Interface", PortName.of(id), "type=internal");

        agent.attachments.delete(id);

        assertThat(agent.hasPort(id)).isTrue();
    }

    @Test
    void deleteDuringAnAddLeavesNothing() throws Exception {
        ovs.suspendSwitch();
        Future<Attached> added = threads.submit(() -> agent.add(id));
        await().until(() -> agent.hasPort(id));
        Future<?> deleted = threads.submit(() -> {
            agent.attachments.delete(id);
            return null;
        });
        await().until(() -> agent.attachments.footprint() == 2);
        ovs.resumeSwitch();
        deleted.get();

        assertThat(added).failsWithin(Duration.ofSeconds(5)).withThrowableThat().withMessageContaining("was deleted");
        agent.assertNothingOf(id);
    }

    /** The next one must not be refused for an announcement that its deletion took back. */
    @Test
    void deleteDuringAnAnnouncementTakesItBack() throws Exception {
        Ports slow = spy(agent.ports);
        CountDownLatch admitting = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        doAnswer(call -> {
                    admitting.countDown();
                    goOn.await();
                    return call.callRealMethod();
                })
                .doCallRealMethod()
                .when(slow)
                .admit(any(), any());
        agent.use(slow);
        Future<?> announced = threads.submit(() -> agent.announce(id));
        admitting.await();
        Future<?> deleted = threads.submit(() -> {
            agent.attachments.delete(id);
            return null;
        });
        await().until(() -> agent.attachments.footprint() == 1);
        goOn.countDown();
        announced.get();
        deleted.get();

        assertThat(agent.announce(id)).isEmpty();
    }

    /** It is refused, or comes after the deletion; in no case is it told of a port that goes a moment later. */
    @Test
    void addAfterADeleteThatStillWaitsIsMadeAnew() throws Exception {
        ovs.suspendSwitch();
        Future<Attached> first = threads.submit(() -> agent.add(id));
        await().until(() -> agent.hasPort(id));
        Future<?> deleted = threads.submit(() -> {
            agent.attachments.delete(id);
            return null;
        });
        await().until(() -> agent.attachments.footprint() == 2);
        Future<Attached> second = threads.submit(() -> await().ignoreExceptionsInstanceOf(CniException.class)
                .until(() -> agent.add(id, agent.network().put("mtu", 9000)), Objects::nonNull));
        ovs.resumeSwitch();
        deleted.get();

        assertThat(second.get().mtu()).hasValue(9000);
        assertThat(first).isDone();
        assertThat(agent.check(id).mtu()).hasValue(9000);
    }

    @Test
    void deletionThatFailsGoesOnInTheBackground() throws Exception {
        agent.add(id);
        Path mounted = Files.createDirectories(agent.folderOf(id).resolve("m"));
        run("mount", "-t", "tmpfs", "none", mounted.toString());

        agent.attachments.delete(id);

        assertThat(agent.hasPort(id)).isFalse();
        assertThat(agent.unfinishedCheckpointOf(id)).exists();
        assertThat(agent.checkpointOf(id)).doesNotExist();
        agent.attachments.delete(id);
        run("umount", mounted.toString());
        await().untilAsserted(() -> agent.assertNothingOf(id));
    }

    /** A runtime repeats its DEL for as long as the switch is away, also of what nobody knows. */
    @Test
    void repeatedDeletionsGoOnInTheBackgroundOnce() throws Exception {
        ovs.database().kill();
        await().until(() -> !agent.client.synchronised());

        for (int i = 0; i < 4; i++) {
            assertFails(ErrorCode.TRY_AGAIN, "is not removed yet", () -> agent.attachments.delete(id));
        }

        await().atMost(Duration.ofSeconds(20)).until(() -> agent.attachments.leftovers() == 1);
        ovs.database().start();
        await().atMost(Duration.ofSeconds(60)).until(() -> agent.attachments.leftovers() == 0);
        agent.assertNothingOf(id);
    }

    /** It could be anything: whether there is a port, only the switch could tell. */
    @Test
    void deletionWithoutCheckpointIsNotAnsweredWhileTheDatabaseIsAway() throws Exception {
        agent.add(id);
        Files.delete(agent.checkpointOf(id));
        agent.restart();
        ovs.database().kill();
        await().until(() -> !agent.ports.areKnown());

        assertFails(ErrorCode.TRY_AGAIN, "nothing is written down", () -> agent.attachments.delete(id));

        ovs.database().start();
        await().untilAsserted(() -> agent.assertNothingOf(id));
    }

    /** Its checkpoint tells the next agent, which finds no port in the database that is away. */
    @Test
    void answeredDeletionIsWrittenDown() throws Exception {
        agent.add(id);
        ovs.database().kill();
        await().until(() -> !agent.ports.areKnown());

        Future<?> deletion = agent.attachments.beginDeletion(id);

        await().until(() -> agent.attachments.isSettled(id, deletion));
        assertThat(agent.unfinishedCheckpointOf(id)).exists();
        ovs.database().start();
        await().untilAsserted(() -> agent.assertNothingOf(id));
    }

    @Test
    void deletionThatWaitsForAnAddIsInMemoryOnly() throws Exception {
        ovs.suspendSwitch();
        Future<Attached> added = threads.submit(() -> agent.add(id));
        await().until(() -> agent.hasPort(id));

        Future<?> deletion = agent.attachments.beginDeletion(id);

        assertThat(agent.attachments.isSettled(id, deletion)).isFalse();
        ovs.resumeSwitch();
        await().until(() -> agent.attachments.isSettled(id, deletion));
        assertThat(added).failsWithin(Duration.ofSeconds(5));
        await().untilAsserted(() -> agent.assertNothingOf(id));
    }

    @Test
    @Tag("long")
    void deletionThatWaitsForTooLongIsNotAnswered() throws Exception {
        ovs.suspendSwitch();
        threads.submit(() -> agent.attachments.add(
                request(id, agent.network()), Json.object(), Deadline.after(Duration.ofSeconds(60))));
        await().until(() -> agent.hasPort(id));

        assertFails(ErrorCode.TRY_AGAIN, "nothing is written down", () -> agent.attachments.delete(id));

        ovs.resumeSwitch();
        await().untilAsserted(() -> agent.assertNothingOf(id));
    }

    /** An ADD takes down first what was left, and the deletion is done by that. */
    @Test
    void deletionThatAnAddCameAfterIsSettled() throws Exception {
        ovs.database().kill();
        await().until(() -> !agent.ports.areKnown());
        Future<?> deletion = agent.attachments.beginDeletion(id);
        await().until(() -> agent.attachments.leftovers() == 1);
        ovs.database().start();

        agent.add(id);

        assertThat(agent.attachments.isSettled(id, deletion)).isTrue();
        assertThat(agent.check(id)).isNotNull();
    }

    @Test
    void addTakesDownFirstWhatADeletionCouldNot() throws Exception {
        agent.add(id);
        Path mounted = Files.createDirectories(agent.folderOf(id).resolve("m"));
        run("mount", "-t", "tmpfs", "none", mounted.toString());
        agent.attachments.delete(id);

        assertFails(ErrorCode.TRY_AGAIN, "can't be removed yet", () -> agent.add(id));
        run("umount", mounted.toString());
        agent.add(id);

        assertThat(agent.check(id)).isNotNull();
    }

    @Test
    void deleteWithAFullDiskLeavesNothing() throws Exception {
        limitCheckpoints("8k");
        agent.add(id);
        Files.write(agent.checkpoints().resolve("filler"), new byte[4096]);

        agent.attachments.delete(id);

        agent.assertNothingOf(id);
    }
}
