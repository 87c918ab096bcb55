package io.ovsdpdk.agent;

import static io.ovsdpdk.agent.TestAgent.newId;
import static io.ovsdpdk.agent.TestAgent.request;
import static io.ovsdpdk.agent.TestAgent.run;
import static io.ovsdpdk.agent.TestAgent.sibling;
import static io.ovsdpdk.agent.TestAgent.soon;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;
import static org.mockito.ArgumentMatchers.any;
import static org.mockito.Mockito.doAnswer;
import static org.mockito.Mockito.doThrow;
import static org.mockito.Mockito.never;
import static org.mockito.Mockito.spy;
import static org.mockito.Mockito.verify;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.api.Attached;
import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.ovsdb.Deadline;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;

/** What an ADD leaves that fails at one point or another: nothing, and nothing less than there was. */
class FailedAddTest extends AttachmentsOnASwitch {

    @Test
    void fileInTheWayIsAConfigurationErrorAndStays() throws Exception {
        Ports watched = spy(agent.ports);
        agent.use(watched);
        Files.createDirectories(agent.root());
        Files.writeString(agent.folderOf(id), "theirs");

        assertFails(ErrorCode.CONFIGURATION, "can't make the socket folder", () -> agent.add(id));

        assertThat(agent.folderOf(id)).hasContent("theirs");
        assertThat(agent.attachments.footprint()).isZero();
        verify(watched, never()).make(any(), any(), any());
    }

    @Test
    void mountInTheWayIsRefusedBeforeThereIsAPort() throws Exception {
        Ports watched = spy(agent.ports);
        agent.use(watched);
        Path mounted = Files.createDirectories(agent.folderOf(id));
        run("mount", "-t", "tmpfs", "none", mounted.toString());

        assertFails(ErrorCode.CONFIGURATION, "can't make the socket folder", () -> agent.add(id));

        verify(watched, never()).make(any(), any(), any());
        assertThat(agent.attachments.footprint()).isZero();
    }

    /** Through the mount of its sibling the switch would connect to it. */
    @Test
    void whatStandsInTheSocketsPlaceGoesBeforeThePortComes() throws Exception {
        agent.add(id);
        Path theirs = Files.writeString(agent.folderOf(id).resolve("net2.sock"), "theirs");
        Ports watched = spy(agent.ports);
        AtomicBoolean gone = new AtomicBoolean();
        doAnswer(call -> {
                    gone.set(Files.notExists(theirs));
                    return call.callRealMethod();
                })
                .when(watched)
                .make(any(), any(), any());
        agent.use(watched);
        agent.attachments.resume();

        agent.add(sibling(id));

        assertThat(gone).isTrue();
        assertThat(agent.check(sibling(id))).isNotNull();
    }

    @Test
    void fullDiskBeforeAnythingIsMadeTouchesNothing() throws Exception {
        limitCheckpoints("4k");
        Files.write(agent.checkpoints().resolve("filler"), new byte[4096]);
        Path folder = Files.createDirectories(agent.folderOf(id));
        Files.writeString(folder.resolve("theirs"), "");

        assertFails(ErrorCode.IO, "can't write the checkpoint", () -> agent.add(id));

        assertThat(folder.resolve("theirs")).exists();
        assertThat(agent.attachments.footprint()).isZero();
        assertThat(agent.checkpointOf(id)).doesNotExist();
    }

    @Test
    void checkpointThatCanNotBeFinishedRollsEverythingBack() throws Exception {
        Files.createDirectory(agent.checkpointOf(id));

        assertFails(
                ErrorCode.IO,
                "can't write the checkpoint",
                () -> agent.add(id, agent.network().put("sharedDir", agent.root() + "/new/dir")));

        agent.assertNothingOf(id);
        assertThat(agent.root()).doesNotExist();
    }

    @Test
    void silentSwitchIsRolledBackAndToBeTriedAgain() throws Exception {
        ovs.suspendSwitch();

        assertFails(
                ErrorCode.TRY_AGAIN,
                "ovs-vswitchd does not follow",
                () -> agent.attachments.add(
                        request(id, agent.network()), Json.object(), Deadline.after(Duration.ofMillis(300))));
        ovs.resumeSwitch();

        agent.assertNothingOf(id);
        assertThat(agent.root()).doesNotExist();
    }

    /** Its transaction is on its way all the same, and makes the port once the server is back. */
    @Test
    void databaseThatDoesNotAnswerLeavesNothingWhenItDoesAgain() throws Exception {
        ovs.database().suspend();

        assertFails(
                ErrorCode.TRY_AGAIN,
                "did not answer in time",
                () -> agent.attachments.add(
                        request(id, agent.network()), Json.object(), Deadline.after(Duration.ofMillis(200))));
        ovs.database().resume();

        await().untilAsserted(() -> agent.assertNothingOf(id));
        agent.localSwitch.probe(soon());
        assertThat(agent.hasPort(id)).isFalse();
    }

    @Test
    void bugInTheMiddleRollsEverythingBack() throws Exception {
        Ports broken = spy(agent.ports);
        doAnswer(call -> {
                    call.callRealMethod();
                    throw new IllegalStateException("a bug");
                })
                .when(broken)
                .make(any(), any(), any());
        agent.use(broken);

        assertThatExceptionOfType(IllegalStateException.class).isThrownBy(() -> agent.add(id));

        agent.assertNothingOf(id);
    }

    @Test
    void bugInARemovalDoesNotKeepItFromBeingTriedAgain() throws Exception {
        Ports broken = spy(agent.ports);
        doThrow(new IllegalStateException("a bug"))
                .doCallRealMethod()
                .when(broken)
                .deletePatiently(any(), any());
        agent.use(broken);
        agent.add(id);

        agent.attachments.delete(id);

        await().untilAsserted(() -> agent.assertNothingOf(id));
    }

    @Test
    void interruptedAddEndsAtOnceAndTheNextAgentTakesItDown() throws Exception {
        ovs.suspendSwitch();
        Future<Attached> added = threads.submit(() -> agent.attachments.add(
                request(id, agent.network()), Json.object(), Deadline.after(Duration.ofMinutes(1))));
        await().until(() -> agent.hasPort(id));
        threads.shutdownNow();
        assertThat(added).failsWithin(Duration.ofSeconds(5));
        ovs.resumeSwitch();

        agent.restart();

        await().untilAsserted(() -> agent.assertNothingOf(id));
    }

    @Test
    void folderThatWasThereBeforeAFailedAddStays() throws Exception {
        Path folder = Files.createDirectories(agent.folderOf(id));
        Files.writeString(folder.resolve("theirs"), "");
        Files.createDirectory(agent.checkpointOf(id));

        assertFails(ErrorCode.IO, "can't write the checkpoint", () -> agent.add(id));

        assertThat(folder.resolve("theirs")).exists();
        assertThat(agent.mountsInUse()).isEmpty();
    }

    @Test
    void ofTwoFailedAddsInOneNewFolderTheLastTakesItAway() throws Exception {
        ObjectNode network = agent.network().put("sharedDir", agent.root() + "/new/dir");
        failTogether(id, sibling(id), network);

        assertThat(agent.root()).doesNotExist();
        assertThat(agent.mountsInUse()).isEmpty();
        assertThat(agent.attachments.footprint()).isZero();
    }

    @Test
    void ofTwoFailedAddsInOneNewSharedDirTheLastTakesItAway() throws Exception {
        ObjectNode network = agent.network().put("sharedDir", agent.root() + "/new/dir");
        failTogether(id, newId(), network);

        assertThat(agent.root()).doesNotExist();
    }

    @Test
    void failedAddLeavesTheFolderToTheOneThatSucceeded() throws Exception {
        agent.add(id);
        ovs.suspendSwitch();
        assertFails(
                ErrorCode.TRY_AGAIN,
                "does not follow",
                () -> agent.attachments.add(
                        request(sibling(id), agent.network()), Json.object(), Deadline.after(Duration.ofMillis(200))));
        ovs.resumeSwitch();

        assertThat(agent.check(id)).isNotNull();
    }

    /** One began first and ends first; the other was in its folder meanwhile. */
    private void failTogether(AttachmentId one, AttachmentId other, ObjectNode network) throws Exception {
        ovs.suspendSwitch();
        Future<Attached> first = threads.submit(() ->
                agent.attachments.add(request(one, network), Json.object(), Deadline.after(Duration.ofMillis(500))));
        await().until(() -> agent.hasPort(one));
        Future<Attached> second = threads.submit(() ->
                agent.attachments.add(request(other, network), Json.object(), Deadline.after(Duration.ofMillis(700))));
        await().until(() -> agent.hasPort(other));
        assertThat(first).failsWithin(Duration.ofSeconds(5));
        assertThat(second).failsWithin(Duration.ofSeconds(5));
        ovs.resumeSwitch();
    }

    @Test
    void portThatCanNotBeMadeAnewLeavesTheAttachmentAsItWas() throws Exception {
        agent.add(id);
        Files.writeString(agent.folderOf(id).resolve("net1.sock"), "theirs");
        vsctl("del-port", PortName.of(id));
        ovs.suspendSwitch();

        assertFails(
                ErrorCode.TRY_AGAIN,
                "does not follow",
                () -> agent.attachments.add(
                        request(id, agent.network()), Json.object(), Deadline.after(Duration.ofMillis(200))));
        ovs.resumeSwitch();

        assertThat(agent.hasPort(id)).isFalse();
        assertThat(agent.folderOf(id).resolve("net1.sock")).hasContent("theirs");
        agent.add(id);
        assertThat(agent.check(id)).isNotNull();
    }

    /** As while ovs-vswitchd starts with many ports: the guest behind it must not lose it to a repeated ADD. */
    @Test
    void portThatTheSwitchIsSlowToTakeUpStaysWhenARepeatedAddFails() throws Exception {
        agent.add(id);
        var port = agent.localSwitch.port(PortName.of(id)).orElseThrow().uuid();
        ovs.suspendSwitch();
        vsctl("--no-wait", "clear", "Interface", PortName.of(id), "ofport");

        assertFails(
                ErrorCode.TRY_AGAIN,
                "no ofport",
                () -> agent.attachments.add(
                        request(id, agent.network()), Json.object(), Deadline.after(Duration.ofMillis(200))));

        assertThat(agent.localSwitch.port(PortName.of(id)).orElseThrow().uuid()).isEqualTo(port);
    }
}
