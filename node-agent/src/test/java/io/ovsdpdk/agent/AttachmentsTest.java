package io.ovsdpdk.agent;

import static io.ovsdpdk.agent.TestAgent.newId;
import static io.ovsdpdk.agent.TestAgent.request;
import static io.ovsdpdk.agent.TestAgent.run;
import static io.ovsdpdk.agent.TestAgent.sibling;
import static io.ovsdpdk.agent.TestAgent.soon;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.agent.kubernetes.Cluster;
import io.ovsdpdk.api.Attached;
import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.Json;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** ADD, its announcement, CHECK, GC and STATUS. */
class AttachmentsTest extends AttachmentsOnASwitch {

    @Test
    void addMakesFolderMountPortAndCheckpoint() throws Exception {
        Attached attached = agent.add(id, agent.network().put("mtu", 1400));

        var iface = agent.localSwitch.interfaceOf(PortName.of(id)).orElseThrow();
        assertThat(attached.socketPath())
                .isEqualTo(agent.folderOf(id).resolve("net1.sock").toString());
        assertThat(iface.ofport().orElseThrow()).isPositive();
        assertThat(iface.mtuRequest()).isEqualTo(OptionalLong.of(1400));
        assertThat(agent.mountsInUse()).hasSize(1);
        assertThat(iface.options())
                .containsEntry("vhost-server-path", agent.mountsInUse().getFirst() + "/net1.sock");
        assertThat(iface.externalIds())
                .containsEntry("container-id", id.containerId())
                .containsEntry("ifname", "net1")
                .containsEntry("pod-name", "pod");
        assertThat(agent.checkpointOf(id)).exists();
        assertThat(agent.unfinishedCheckpointOf(id)).doesNotExist();
    }

    @Test
    void equalAddGivesTheSameResultAndTouchesNothing() throws Exception {
        Attached first = agent.add(id);
        var port = agent.localSwitch.port(PortName.of(id)).orElseThrow();

        Attached second = agent.add(id);

        assertThat(second).isEqualTo(first);
        assertThat(agent.localSwitch.port(PortName.of(id)).orElseThrow().uuid()).isEqualTo(port.uuid());
    }

    @Test
    void addWithAnotherConfigurationIsRefused() throws Exception {
        agent.add(id);

        assertFails(
                ErrorCode.CONFIGURATION,
                "another configuration",
                () -> agent.add(id, agent.network().put("mtu", 9000)));
        assertThat(agent.check(id)).isNotNull();
    }

    @Test
    void addOfATakenInterfaceNameInAnotherNetworkIsRefused() throws Exception {
        agent.add(id);

        assertFails(
                ErrorCode.CONFIGURATION,
                "belongs to network \"blue\"",
                () -> agent.add(id, agent.network().put("name", "red")));
    }

    @Test
    void whatTheSwitchCanNotHaveIsRefusedBeforeAnythingIsMade() throws Exception {
        assertFails(
                ErrorCode.BRIDGE_MISSING,
                "\"none\"",
                () -> agent.add(id, agent.network().put("bridge", "none")));
        assertFails(
                ErrorCode.BRIDGE_NOT_NETDEV,
                "\"system\"",
                () -> agent.add(id, agent.network().put("bridge", "brsys")));
        assertFails(
                ErrorCode.CONFIGURATION,
                "not a folder that this node allows",
                () -> agent.add(id, agent.network().put("sharedDir", "/etc")));
        assertFails(
                ErrorCode.CONFIGURATION,
                "bytes",
                () -> agent.add(id, agent.network().put("sharedDir", agent.root() + "/" + "x".repeat(100))));

        agent.assertNothingOf(id);
        assertThat(agent.root()).doesNotExist();
    }

    @Test
    void portNameOfAnotherIsRefusedAndLeftAlone() throws Exception {
        vsctl("add-port", "br0", PortName.of(id), "--", "set", "Interface", PortName.of(id), "type=internal");

        assertFails(ErrorCode.CONFIGURATION, "port name", () -> agent.add(id));

        assertThat(agent.hasPort(id)).isTrue();
        assertThat(agent.folderOf(id)).doesNotExist();
    }

    @Test
    void pathOfAnotherPortIsRefused() throws Exception {
        vsctl(
                "add-port",
                "br0",
                "theirs",
                "--",
                "set",
                "Interface",
                "theirs",
                "type=dpdkvhostuserclient",
                "options:vhost-server-path=" + agent.folderOf(id).resolve("net1.sock"));

        assertFails(ErrorCode.CONFIGURATION, "is taken by port \"theirs\"", () -> agent.add(id));

        agent.assertNothingOf(id);
    }

    @Test
    void folderOfAnotherContainerWithTheSameFirstTwelveIsRefused() throws Exception {
        agent.add(id);

        assertFails(
                ErrorCode.CONFIGURATION,
                "is taken by container",
                () -> agent.add(new AttachmentId(id.containerId() + "x", "net1")));
    }

    @Test
    void folderInsideOrAroundAnotherContainersFolderIsRefused() throws Exception {
        AttachmentId inner = newId();
        AttachmentId outer = newId();
        agent.add(id);
        agent.add(
                newId(), agent.network().put("sharedDir", agent.folderOf(outer).toString()));

        assertFails(
                ErrorCode.CONFIGURATION,
                "is taken by container",
                () -> agent.add(inner, agent.network().put("sharedDir", agent.folderOf(id) + "/net1.sock")));
        assertFails(ErrorCode.CONFIGURATION, "is taken by container", () -> agent.add(outer));

        assertThat(agent.folderOf(id)).isEmptyDirectory();
    }

    /** The end of one would be the other's. */
    @Test
    void folderInsideOrAroundAnotherFolderOfTheSameContainerIsRefused() throws Exception {
        ObjectNode inside = agent.network().put("sharedDir", agent.folderOf(id).toString());
        agent.add(id);

        assertFails(ErrorCode.CONFIGURATION, "itself, for net1", () -> agent.add(sibling(id), inside));
        agent.attachments.delete(id);
        agent.add(sibling(id), inside);
        assertFails(ErrorCode.CONFIGURATION, "itself, for net2", () -> agent.add(id));

        assertThat(agent.attachments.check(request(sibling(id), inside), soon()))
                .isNotNull();
    }

    @Test
    void portThatVanishedIsMadeAnewByAnEqualAdd() throws Exception {
        Attached first = agent.add(id);
        vsctl("del-port", PortName.of(id));

        assertThat(agent.add(id)).isEqualTo(first);

        assertThat(agent.check(id)).isEqualTo(first);
    }

    @Test
    void folderAndMountThatVanishedAreMadeAnewByAnEqualAdd() throws Exception {
        agent.add(id);
        run("umount", agent.mountsInUse().getFirst());
        run("rm", "-r", agent.folderOf(id).toString());

        agent.add(id);

        assertThat(agent.check(id)).isNotNull();
        assertThat(agent.folderOf(id)).isDirectory();
    }

    @Test
    void portThatWasChangedIsMadeAnewByAnEqualAdd() throws Exception {
        agent.add(id);
        vsctl("set", "Interface", PortName.of(id), "options:vhost-server-path=/tmp/elsewhere");

        agent.add(id);

        assertThat(agent.check(id)).isNotNull();
    }

    /** ovs-vswitchd ignores another path under a name that it has: it must see the port go first. */
    @Test
    void portOfOursWithAnotherPathIsLetGoByTheSwitchBeforeItIsMadeAnew() throws Exception {
        vsctl(
                "add-port",
                "br0",
                PortName.of(id),
                "--",
                "set",
                "Port",
                PortName.of(id),
                "external_ids:owner=ovs-dpdk-cni",
                "--",
                "set",
                "Interface",
                PortName.of(id),
                "type=dpdkvhostuserclient",
                "options:vhost-server-path=/tmp/elsewhere");
        var old = agent.localSwitch.port(PortName.of(id)).orElseThrow().uuid();
        ovs.suspendSwitch();
        Future<Attached> added = threads.submit(() -> agent.add(id));
        await().until(() -> agent.localSwitch
                .port(PortName.of(id))
                .filter(port -> port.uuid().equals(old))
                .isEmpty());
        ovs.resumeSwitch();
        added.get();

        assertThat(ovs.switchLog())
                .contains("using client socket '" + agent.mountsInUse().getFirst() + "/net1.sock'");
    }

    /** Likewise when the old port is out of the database already, and only ovs-vswitchd has not seen that. */
    @Test
    void portThatTheSwitchHasNotLetGoOfIsAwaitedBeforeOneOfItsNameIsMade() throws Exception {
        agent.add(id);
        Attachment leaving =
                new Checkpoints(agent.checkpoints(), agent.boot).readAll().getFirst();
        ovs.suspendSwitch();
        agent.ports.deleteWithoutWaiting(leaving, soon());
        agent.attachments.delete(id);
        Path elsewhere = agent.root().resolve("elsewhere");
        Future<Attached> added =
                threads.submit(() -> agent.add(id, agent.network().put("sharedDir", elsewhere.toString())));
        // It is being made, and waits with the port
        await().until(() -> agent.attachments.count() == 1);
        await().during(Duration.ofMillis(200)).until(() -> !agent.hasPort(id));
        ovs.resumeSwitch();
        added.get();

        assertThat(ovs.switchLog())
                .contains("using client socket '" + agent.mountsInUse().getFirst() + "/net1.sock'");
    }

    @Test
    void rootBehindALinkThatIsNotThereYetIsMountedUnderItsFinalName() throws Exception {
        Files.createDirectories(agent.folder.resolve("disk"));
        Files.createSymbolicLink(agent.folder.resolve("link"), agent.folder.resolve("disk"));
        Path root = agent.folder.resolve("link/s");
        try (Attachments attachments = new Attachments(
                agent.ports,
                agent.folders,
                new SocketPlaces(new SharedRoots(List.of(root)), agent.kubelet(), Cluster.NONE),
                new Checkpoints(agent.checkpoints(), agent.boot),
                agent.clock::get)) {
            ObjectNode network = agent.network().put("sharedDir", root.toString());

            attachments.add(request(id, network), Json.object(), soon());

            assertThat(attachments.check(request(id, network), soon())).isNotNull();
            assertThat(agent.localSwitch
                            .interfaceOf(PortName.of(id))
                            .orElseThrow()
                            .options())
                    .containsEntry("vhost-server-path", agent.mountsInUse().getFirst() + "/net1.sock");
            attachments.delete(id);
            agent.assertNothingOf(id);
        }
    }

    @Test
    void secondAnnouncementWaitsForTheFirst() throws Exception {
        assertThat(agent.announce(id)).isEmpty();

        assertFails(ErrorCode.TRY_AGAIN, "another ADD", () -> agent.announce(id));
    }

    @Test
    void ofManyAnnouncementsAtOnceOneIsAccepted() throws Exception {
        List<Future<Boolean>> announced = IntStream.range(0, 16)
                .mapToObj(_ -> threads.submit(() -> {
                    try {
                        return agent.announce(id).isEmpty();
                    } catch (CniException e) {
                        return false;
                    }
                }))
                .toList();
        int accepted = 0;
        for (Future<Boolean> one : announced) {
            accepted += one.get() ? 1 : 0;
        }

        assertThat(accepted).isOne();
    }

    @Test
    void announcementEndsAfterTwoMinutes() throws Exception {
        agent.announce(id);
        agent.clock.addAndGet(Announcements.LIFE.minusNanos(1).toNanos());
        assertFails(ErrorCode.TRY_AGAIN, "another ADD", () -> agent.announce(id));
        agent.clock.addAndGet(1);

        assertThat(agent.announce(id)).isEmpty();
    }

    @Test
    void announcementsThatAreOverAreForgotten() throws Exception {
        for (int i = 0; i < 5; i++) {
            agent.announce(newId());
        }
        agent.clock.addAndGet(Announcements.LIFE.toNanos());

        agent.announce(id);

        assertThat(agent.attachments.footprint()).isOne();
    }

    @Test
    void announcementEndsWithItsAddOrDelete() throws Exception {
        agent.announce(id);
        agent.attachments.delete(id);
        assertThat(agent.announce(id)).isEmpty();

        Attached attached = agent.add(id);

        assertThat(agent.announce(id)).contains(attached);
        assertThat(agent.attachments.footprint()).isOne();
    }

    @Test
    void addWhoseAnnouncementWasDeletedIsRefused() throws Exception {
        ObjectNode addresses = Json.object();
        addresses.putArray("ips").addObject().put("address", "10.1.0.5/16");
        agent.announce(id);
        agent.attachments.delete(id);

        assertFails(
                ErrorCode.TRY_AGAIN,
                "was deleted",
                () -> agent.attachments.add(request(id, agent.network()), addresses, soon()));
        agent.assertNothingOf(id);
        assertThat(agent.announce(id)).isEmpty();
        assertThat(agent.attachments.add(request(id, agent.network()), addresses, soon()))
                .isNotNull();
    }

    @Test
    void announcementOfWhatCanNotBeIsRefusedAndNotKept() {
        assertFails(
                ErrorCode.BRIDGE_MISSING,
                "no bridge",
                () -> agent.attachments.announce(
                        request(id, agent.network().put("bridge", "none")), Duration.ofSeconds(10)));

        agent.assertNothingOf(id);
    }

    @Test
    void checkGivesWhatWasPromised() throws Exception {
        Attached attached = agent.add(id);

        assertThat(agent.check(id)).isEqualTo(attached);
    }

    @Test
    void checkOfUnknownIsAnUnknownContainer() {
        assertFails(ErrorCode.UNKNOWN_CONTAINER, "is not attached", () -> agent.check(id));
    }

    @Test
    void checkFindsEveryDeviationOfThePort() throws Exception {
        String port = PortName.of(id);
        agent.add(id, agent.network().put("mtu", 1400));
        String path = agent.mountsInUse().getFirst() + "/net1.sock";

        vsctl("set", "Interface", port, "options:vhost-server-path=/tmp/elsewhere");
        assertFails(ErrorCode.CONFIGURATION, "vhost-server-path \"/tmp/elsewhere\"", () -> agent.check(id));
        vsctl("set", "Interface", port, "options:vhost-server-path=" + path, "mtu_request=1500");
        assertFails(ErrorCode.CONFIGURATION, "mtu_request", () -> agent.check(id));
        vsctl("set", "Interface", port, "mtu_request=1400");
        vsctl("set", "Port", port, "external_ids:container-id=other");
        assertFails(ErrorCode.CONFIGURATION, "container-id \"other\"", () -> agent.check(id));
        vsctl("set", "Port", port, "external_ids:container-id=" + id.containerId());
        assertThat(agent.check(id)).isNotNull();
        String uuid = vsctl("get", "Port", port, "_uuid");
        vsctl("remove", "Bridge", "br0", "ports", uuid, "--", "add", "Bridge", "br1", "ports", uuid);
        assertFails(ErrorCode.CONFIGURATION, "bridge \"br1\"", () -> agent.check(id));
        vsctl("del-port", port);
        assertFails(ErrorCode.CONFIGURATION, "the switch has no port " + port, () -> agent.check(id));
    }

    @Test
    void checkTellsWhatTheSwitchSaysOfAPortThatBroke() throws Exception {
        agent.add(id);
        ovs.suspendSwitch();
        vsctl("--no-wait", "set", "Interface", PortName.of(id), "error=broken");

        assertThatExceptionOfType(CniException.class)
                .isThrownBy(() -> agent.check(id))
                .satisfies(e -> assertThat(e.code()).isEqualTo(ErrorCode.PORT_REFUSED.code()))
                .satisfies(e -> assertThat(e.details()).isEqualTo("broken"));
        vsctl("--no-wait", "clear", "Interface", PortName.of(id), "error", "ofport");
        assertFails(ErrorCode.TRY_AGAIN, "no ofport", () -> agent.check(id));
        ovs.resumeSwitch();
    }

    /** Who took it away did not tell ovs-vswitchd, which would find out at the next change only. */
    @Test
    void repeatedAddGetsTheSwitchToGiveAnOfportAgain() throws Exception {
        agent.add(id);
        vsctl("--no-wait", "clear", "Interface", PortName.of(id), "ofport");

        agent.add(id);

        assertThat(agent.check(id)).isNotNull();
    }

    @Test
    void checkFindsAMountThatIsGoneAndAFolderThatWasReplaced() throws Exception {
        agent.add(id);
        Path folder = agent.folderOf(id);
        Files.move(folder, folder.resolveSibling("moved"));
        assertFails(ErrorCode.CONFIGURATION, "gone or was replaced", () -> agent.check(id));
        Files.createSymbolicLink(folder, folder.resolveSibling("moved"));
        assertFails(ErrorCode.CONFIGURATION, "gone or was replaced", () -> agent.check(id));
        Files.delete(folder);
        Files.createDirectory(folder);
        assertFails(ErrorCode.CONFIGURATION, "is not the folder", () -> agent.check(id));
        run("umount", agent.mountsInUse().getFirst());

        assertFails(ErrorCode.CONFIGURATION, "nothing is mounted", () -> agent.check(id));
    }

    @Test
    void collectRemovesWhatIsNotValidOfThatNetworkOnly() throws Exception {
        AttachmentId valid = newId();
        AttachmentId other = newId();
        AttachmentId lost = newId();
        agent.add(id);
        agent.add(valid);
        agent.add(other, agent.network().put("name", "red"));
        agent.add(lost);
        Files.delete(agent.checkpointOf(lost));
        vsctl("add-port", "br0", "theirs", "--", "set", "Interface", "theirs", "type=internal");
        agent.restart();

        agent.attachments.collect("blue", Set.of(valid), soon());

        assertThat(agent.localSwitch.ports().stream().map(port -> port.name()))
                .contains(PortName.of(valid), PortName.of(other), "theirs")
                .doesNotContain(PortName.of(id), PortName.of(lost));
        assertThat(agent.mountsInUse()).hasSize(2);
        assertThat(agent.attachments.count()).isEqualTo(2);
    }

    @Test
    void collectLeavesAloneWhatIsBeingMade() throws Exception {
        ovs.suspendSwitch();
        Future<Attached> added = threads.submit(() -> agent.add(id));
        await().until(() -> agent.hasPort(id));

        agent.attachments.collect("blue", Set.of(), soon());
        ovs.resumeSwitch();

        assertThat(added.get()).isEqualTo(agent.check(id));
    }

    @Test
    void statusTellsASilentSwitchFromAWorkingOne() throws Exception {
        agent.ports.checkStatus();
        ovs.suspendSwitch();

        assertFails(ErrorCode.NOT_AVAILABLE_AND_LIMITED, "does not follow", () -> agent.ports.checkStatus());
        ovs.resumeSwitch();

        agent.ports.checkStatus();
    }

    /** Without Kubernetes the runtime's word is all there is. */
    @Test
    void podHasOneSandboxAtATime() throws Exception {
        AttachmentId next = newId();
        agent.attachments.add(TestAgent.request(id, "u-1", agent.network()), Json.object(), soon());
        agent.attachments.add(TestAgent.request(sibling(id), "u-1", agent.network()), Json.object(), soon());

        agent.attachments.add(TestAgent.request(next, "u-1", agent.network()), Json.object(), soon());

        assertThat(agent.hasPort(id)).isFalse();
        assertThat(agent.hasPort(next)).isTrue();
        assertThat(agent.hasPort(sibling(id))).as("it is in nobody's way").isTrue();
    }

    @Test
    void manyAddsAndDeletesAtOnceLeaveNothing() throws Exception {
        List<AttachmentId> ids = IntStream.range(0, 24)
                .mapToObj(_ -> newId())
                .flatMap(each -> java.util.stream.Stream.of(each, sibling(each)))
                .toList();
        List<Future<?>> done = ids.stream()
                .<Future<?>>map(each -> threads.submit(() -> {
                    agent.add(each);
                    agent.check(each);
                    agent.attachments.delete(each);
                    return null;
                }))
                .toList();
        for (Future<?> one : done) {
            one.get();
        }

        agent.assertNothingOf(id);
        assertThat(agent.root()).isEmptyDirectory();
    }

    @Test
    void portsOfAnotherAgentAreNotCollected() throws Exception {
        agent.add(id);
        Path state = Files.createDirectories(agent.folder.resolve("c2"));
        try (Attachments other = new Attachments(
                agent.ports,
                TestAgent.socketFolders(agent.folder.resolve("p2")),
                new SocketPlaces(new SharedRoots(List.of(agent.root())), agent.kubelet(), agent.cluster),
                new Checkpoints(state, "first"),
                agent.clock::get)) {
            other.resume();
            other.collect("blue", Set.of(), soon());
        }

        assertThat(agent.hasPort(id)).isTrue();
        assertThat(agent.check(id)).isNotNull();
    }
}
