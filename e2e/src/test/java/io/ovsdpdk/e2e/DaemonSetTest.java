package io.ovsdpdk.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.fabric8.mockwebserver.http.MockResponse;
import io.ovsdpdk.e2e.ClusterNode.RunningPod;
import io.ovsdpdk.e2e.ClusterNode.Switch;
import io.ovsdpdk.e2e.Containerd.Executed;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The image and the manifests on a node with a real containerd and a real Open vSwitch. */
@Tag("native")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class DaemonSetTest {
    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final String NEXT_IMAGE = "localhost/ovs-dpdk-cni/agent:next";

    private Path image;
    private ClusterNode node;

    @BeforeAll
    void buildImage(@TempDir Path work) throws IOException {
        image = work.resolve("agent.tar");
        ClusterNode.buildImage(work.resolve("work"), image);
        node = ClusterNode.start(Switch.ON_THE_NODE, image);
    }

    @AfterEach
    void drain() throws IOException {
        node.drain();
    }

    @AfterAll
    void close() throws IOException {
        node.close();
    }

    private static VhostUserGuest guest(ClusterNode node, RunningPod pod) throws IOException {
        VhostUserGuest guest = VhostUserGuest.listen(pod.socket(), node.macOf(pod));
        guest.awaitConnection(PATIENCE);
        return guest;
    }

    @Test
    void podsOfANodeSeeEachOthersFramesAndLeaveNothing() throws Exception {
        connectTwoPods(node, "base");
    }

    @Test
    void podsSeeEachOthersFramesThroughASwitchThatRunsInAPod() throws Exception {
        try (ClusterNode other = ClusterNode.start(Switch.IN_A_POD, image)) {
            connectTwoPods(other, "overlays/ovs-in-pod");
        }
    }

    private static void connectTwoPods(ClusterNode node, String manifests) throws Exception {
        AgentPod agent = node.startReadyAgent(Manifests.rendered(manifests));
        RunningPod first = node.startPod("first");
        RunningPod second = node.startPod("second");

        try (VhostUserGuest a = guest(node, first);
                VhostUserGuest b = guest(node, second)) {
            assertThat(PingPong.play(a, b, 100).completed()).isEqualTo(100);
        }

        node.delete(first);
        node.delete(second);
        assertThat(node.remains()).isEmpty();
        assertThat(agent.delete()).as("exit status").isZero();
    }

    /** kubelet makes them 0755. */
    @Test
    void foldersThatKubeletMadeAreOpenToNobodyElse() throws Exception {
        node.startReadyAgent(Manifests.rendered("base"));

        assertThat(mode("/run/ovs-dpdk-cni")).isEqualTo("rwx--x--x");
        for (String folder :
                List.of("/run/ovs-dpdk-cni/agent", "/var/lib/ovs-dpdk-cni", "/var/lib/ovs-dpdk-cni/attachments")) {
            assertThat(mode(folder)).as(folder).isEqualTo("rwx------");
        }
    }

    /** As installers of clusters leave it. */
    @Test
    void pluginIsInstalledInAFolderOfAnotherUserByAContainerThatMayDoLittleElse() throws Exception {
        Path plugins = node.files().path("/opt/cni/bin");
        Files.setAttribute(plugins, "unix:uid", 1000);
        try {
            JsonNode install = node.startReadyAgent(Manifests.rendered("base")).initSpecification();

            for (String set : List.of("bounding", "effective", "permitted")) {
                assertThat(install.at("/process/capabilities").path(set).valueStream())
                        .as(set)
                        .extracting(JsonNode::asText)
                        .containsExactly("CAP_DAC_OVERRIDE");
            }
            assertThat(install.at("/process/noNewPrivileges").asBoolean()).isTrue();
            assertThat(install.at("/root/readonly").asBoolean()).isTrue();
            assertThat(install.at("/linux/seccomp/defaultAction").asText()).isEqualTo("SCMP_ACT_ERRNO");
        } finally {
            Files.setAttribute(plugins, "unix:uid", 0);
        }
    }

    private String mode(String folder) throws IOException {
        return PosixFilePermissions.toString(
                Files.getPosixFilePermissions(node.files().path(folder)));
    }

    @Test
    void agentIsReadyOnlyWhenItHasSeenThePodsOfItsNode() throws Exception {
        node.apiServer().answerWith(_ -> Optional.of(new MockResponse().setResponseCode(503)));
        AgentPod agent = node.startAgent(Manifests.rendered("base"));
        await().atMost(PATIENCE).until(agent::isLive);

        boolean readyWithoutPods = agent.isReady();
        node.apiServer().answerWell();

        assertThat(readyWithoutPods).isFalse();
        await().atMost(PATIENCE).until(agent::isReady);
    }

    @Test
    void agentIsNotReadyAndStaysAliveWhileTheDatabaseIsAway() throws Exception {
        AgentPod agent = node.startReadyAgent(Manifests.rendered("base"));

        node.ovs().database().kill();
        await().atMost(PATIENCE).until(() -> !agent.isReady());
        boolean live = agent.isLive();
        node.startDatabase();

        assertThat(live).isTrue();
        await().atMost(PATIENCE).until(agent::isReady);
        assertThat(agent.exitStatus()).isEmpty();
    }

    /** What a mount shows of it is the removed one, for good. The runtime makes a folder that is not there. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void folderOfTheDatabaseMayBeRemovedWithTheService(boolean backBeforeTheAgent) throws Exception {
        AgentPod agent = node.startReadyAgent(Manifests.rendered("base"));
        RunningPod first = node.startPod("first");
        RunningPod leaving = node.startPod("leaving");
        node.stopDatabaseWithItsFolder();
        if (backBeforeTheAgent) {
            node.startDatabase();
        }
        await().atMost(PATIENCE).until(() -> agent.exitStatus().isPresent());
        int status = agent.exitStatus().getAsInt();

        agent.restart();
        await().atMost(PATIENCE).until(agent::isLive);
        if (!backBeforeTheAgent) {
            node.startDatabase();
        }
        await().atMost(PATIENCE).until(agent::isReady);
        node.delete(leaving);
        RunningPod second = node.startPod("second");

        assertThat(status).isEqualTo(69);
        assertThat(agent.log()).contains("the folder of the switch's database was removed");
        assertThat(node.attachedContainers()).containsExactlyInAnyOrder(first.sandbox(), second.sandbox());
        try (VhostUserGuest a = guest(node, first);
                VhostUserGuest b = guest(node, second)) {
            assertThat(PingPong.play(a, b, 100).completed()).isEqualTo(100);
        }
        assertThat(agent.exitStatus()).as("ends once").isEmpty();
    }

    @Test
    void nothingOfTheImageCanBeChanged() throws Exception {
        AgentPod agent = node.startReadyAgent(Manifests.rendered("base"));

        Executed installed = agent.execute("/usr/bin/ovs-dpdk", "install", "--to", "/usr/bin");
        Executed status = agent.execute("ovs-dpdk", "status");

        assertThat(installed.status()).isEqualTo(1);
        assertThat(installed.output()).contains("Read-only file system");
        assertThat(status.status()).as(status.output()).isZero();
    }

    /** As the DaemonSet's controller does it: the old pod goes, then the new one comes. */
    @Test
    void podsComeAndGoDuringAnUpgradeAndRunningOnesKeepTheirFrames(@TempDir Path work) throws Exception {
        Path nextImage = work.resolve("next.tar");
        Path nextBuild = OtherBuild.ofVersion("99.0.0", work.resolve("build"));
        ClusterNode.buildImage(nextBuild, NEXT_IMAGE, work.resolve("work"), nextImage);
        node.containerd().importImage(nextImage);
        Manifests manifests = Manifests.rendered("base");
        AgentPod old = node.startReadyAgent(manifests);
        RunningPod first = node.startPod("first");
        RunningPod second = node.startPod("second");
        RunningPod leaving = node.startPod("leaving");
        try (VhostUserGuest a = guest(node, first);
                VhostUserGuest b = guest(node, second);
                Crowd kubelet = new Crowd()) {
            PingPong.play(a, b, 1);
            int status = old.delete();

            Future<RunningPod> coming = kubelet.begin(() -> node.startPod("coming"));
            node.delete(leaving);
            long withoutAgent = PingPong.play(a, b, 100).completed();
            AgentPod next = node.startReadyAgent(manifests, NEXT_IMAGE);
            RunningPod come = Crowd.result(coming);

            assertThat(status).isZero();
            assertThat(withoutAgent).isEqualTo(100);
            assertThat(PingPong.play(a, b, 100).completed()).isEqualTo(100);
            assertThat(next.isLive()).isTrue();
            assertThat(next.execute("ovs-dpdk", "status").output()).contains("99.0.0");
            assertThat(node.attachedContainers())
                    .containsExactlyInAnyOrder(first.sandbox(), second.sandbox(), come.sandbox());
        }
    }

    @Test
    void uninstallationTakesThePluginAwayAndLeavesRunningPorts() throws Exception {
        AgentPod agent = node.startReadyAgent(Manifests.rendered("base"));
        node.startPod("stays");
        List<String> before = node.remains();
        agent.delete();

        AgentPod last = node.startReadyAgent(Manifests.rendered("overlays/uninstall"));
        boolean pluginIsLeft = Files.exists(node.files().path("/opt/cni/bin/ovs-dpdk"));
        List<String> left = node.remains();
        last.delete();
        node.startReadyAgent(Manifests.rendered("base"));

        assertThat(last.initLog()).contains("removed /host/opt/cni/bin/ovs-dpdk", "1 attachment is left");
        assertThat(pluginIsLeft).isFalse();
        assertThat(left).isEqualTo(before).isNotEmpty();
    }
}
