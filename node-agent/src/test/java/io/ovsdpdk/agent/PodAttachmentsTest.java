package io.ovsdpdk.agent;

import static io.ovsdpdk.agent.TestAgent.exists;
import static io.ovsdpdk.agent.TestAgent.newId;
import static io.ovsdpdk.agent.TestAgent.run;
import static io.ovsdpdk.agent.TestAgent.sibling;
import static io.ovsdpdk.agent.TestAgent.soon;
import static io.ovsdpdk.agent.kubernetes.testbed.Pods.pod;
import static io.ovsdpdk.agent.kubernetes.testbed.Pods.withVolume;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.ovsdpdk.agent.kubernetes.ApiServerAccess;
import io.ovsdpdk.agent.kubernetes.Cluster;
import io.ovsdpdk.agent.kubernetes.NodePods;
import io.ovsdpdk.agent.kubernetes.testbed.ApiServer;
import io.ovsdpdk.api.Attached;
import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.AttachmentRequest;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.PodIdentity;
import io.ovsdpdk.ovsdb.Deadline;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Attachments of pods, in volumes that a kubelet would have made. */
class PodAttachmentsTest extends AttachmentsOnASwitch {
    private static final String NODE = "node-a";
    private static final String EMPTY_DIR = "\"emptyDir\": {}";

    @TempDir
    private Path folder;

    private ApiServer server;
    private KubernetesClient client;
    private NodePods pods;

    @Override
    TestAgent newAgent() throws Exception {
        server = ApiServer.start();
        client = new ApiServerAccess.OfKubeconfig(server.writeKubeconfig(folder.resolve("kubeconfig"), "")).client();
        pods = new NodePods(client, NODE);
        pods.start();
        await().atMost(Duration.ofSeconds(20)).until(pods::isWatching);
        return new TestAgent(ovs.socket(), Cluster.of(pods));
    }

    @AfterEach
    void leaveCluster() throws Exception {
        pods.close();
        client.close();
        server.close();
    }

    /** As kubelet has it when the sandbox is made: the pod is known, its volume is there. */
    private Pod start(Pod pod) throws IOException {
        Pod created = server.create(pod);
        for (var volume : pod.getSpec().getVolumes()) {
            if (volume.getEmptyDir() != null) {
                Path path = Files.createDirectories(volume(created, volume.getName()));
                Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rwxrwxrwx"));
            }
        }
        return created;
    }

    private Path volume(Pod pod, String name) {
        return agent.kubelet()
                .resolve("pods/" + pod.getMetadata().getUid() + "/volumes/kubernetes.io~empty-dir/" + name);
    }

    private ObjectNode network() {
        ObjectNode network = agent.network();
        network.remove("sharedDir");
        return network;
    }

    private static AttachmentRequest request(AttachmentId id, Pod pod, ObjectNode network) {
        return request(id, pod.getMetadata().getName(), pod.getMetadata().getUid(), network);
    }

    private static AttachmentRequest request(AttachmentId id, String name, String uid, ObjectNode network) {
        return new AttachmentRequest(
                id, "/run/netns/test", new PodIdentity("default", name, uid), Optional.empty(), network);
    }

    private Attached add(AttachmentId id, Pod pod, ObjectNode network) throws Exception {
        return agent.attachments.add(request(id, pod, network), Json.object(), soon());
    }

    private static String modeAndOwner(Path path) throws IOException {
        return "%04o %s:%s"
                .formatted(
                        (int) Files.getAttribute(path, "unix:mode", LinkOption.NOFOLLOW_LINKS) & 07777,
                        Files.getAttribute(path, "unix:uid", LinkOption.NOFOLLOW_LINKS),
                        Files.getAttribute(path, "unix:gid", LinkOption.NOFOLLOW_LINKS));
    }

    /** What the switch reaches is the socket that the workload makes at this path of the host. */
    private void assertSwitchReaches(Path socket) throws IOException {
        Files.createFile(socket);
        Path mounted = Path.of(agent.localSwitch
                .interfaceOf(PortName.of(id))
                .orElseThrow()
                .options()
                .get("vhost-server-path"));
        assertThat(Files.isSameFile(mounted, socket)).isTrue();
    }

    private static Pod launcher() {
        return pod(
                "virt-launcher-vm",
                NODE,
                "\"volumes\": [{\"name\": \"hook-sidecar-sockets\", \"emptyDir\": {}}]",
                "\"volumeMounts\": [{\"name\": \"hook-sidecar-sockets\", \"mountPath\": \"/var/run/kubevirt-hooks\"}]");
    }

    @Test
    void socketOfAPodIsInItsVolumeAndLeavesNothingBehind() throws Exception {
        Pod pod = start(withVolume("app", NODE, "shared-dir", EMPTY_DIR));

        Attached attached = add(id, pod, network());

        assertThat(attached.socketPath()).isEqualTo("/sockets/net1.sock");
        assertSwitchReaches(volume(pod, "shared-dir").resolve("net1.sock"));
        assertThat(modeAndOwner(volume(pod, "shared-dir"))).isEqualTo("0777 0:0");
        agent.attachments.delete(id);
        assertThat(volume(pod, "shared-dir")).isEmptyDirectory();
        agent.assertNothingOf(id);
    }

    @Test
    void socketOfAVmIsWhereTheBindingLooksForIt() throws Exception {
        Pod pod = start(launcher());

        Attached attached = add(id, pod, network());

        Path volume = volume(pod, "hook-sidecar-sockets");
        assertThat(attached.socketPath()).isEqualTo("/var/run/kubevirt-hooks/ovs-dpdk/sockets/net1.sock");
        assertThat(modeAndOwner(volume.resolve("ovs-dpdk"))).isEqualTo("0755 0:0");
        assertThat(modeAndOwner(volume.resolve("ovs-dpdk/sockets"))).isEqualTo("0770 107:107");
        assertSwitchReaches(volume.resolve("ovs-dpdk/sockets/net1.sock"));
        agent.attachments.delete(id);
        assertThat(volume).isEmptyDirectory();
        agent.assertNothingOf(id);
    }

    @ParameterizedTest
    @ValueSource(strings = {"sharedDir", "socketVolume"})
    void vmsSocketIsNeverElsewhere(String key) throws Exception {
        Pod pod = start(launcher());
        await().until(() -> pods.find("default", "virt-launcher-vm").isPresent());
        ObjectNode network =
                network().put(key, key.equals("sharedDir") ? agent.root().toString() : "other");

        assertFails(ErrorCode.CONFIGURATION, "is a VM's", () -> add(id, pod, network));
        agent.assertNothingOf(id);
    }

    @Test
    void volumeInMemoryMustBeMounted() throws Exception {
        Pod pod = start(withVolume("app", NODE, "fast", "\"emptyDir\": {\"medium\": \"Memory\"}"));
        ObjectNode network = network().put("socketVolume", "fast");

        assertFails(ErrorCode.TRY_AGAIN, "which is not mounted", () -> add(id, pod, network));
        run("mount", "-t", "tmpfs", "none", volume(pod, "fast").toString());
        add(id, pod, network);

        assertSwitchReaches(volume(pod, "fast").resolve("net1.sock"));
    }

    @Test
    void hostPathBelowASharedRootIsAVolume() throws Exception {
        Path shared = Files.createDirectories(agent.root().resolve("tenant"));
        Pod pod = start(withVolume("app", NODE, "shared-dir", "\"hostPath\": {\"path\": \"" + shared + "\"}"));

        add(id, pod, network());

        assertSwitchReaches(shared.resolve("net1.sock"));
        agent.attachments.delete(id);
        assertThat(shared).isEmptyDirectory();
    }

    @ParameterizedTest
    @ValueSource(strings = {"/etc", "/", "/var/lib/kubelet"})
    void hostPathElsewhereIsRefused(String path) throws Exception {
        Pod pod = start(withVolume("app", NODE, "shared-dir", "\"hostPath\": {\"path\": \"" + path + "\"}"));

        assertFails(ErrorCode.CONFIGURATION, "not below a folder that this node allows", () -> add(id, pod, network()));
    }

    /** There the folders of all others are. */
    @Test
    void hostPathThatIsASharedRootIsRefused() throws Exception {
        Path another = Files.createDirectories(agent.root().resolve("net1.sock"));
        String root = agent.root().toString();
        Pod pod = start(withVolume("app", NODE, "shared-dir", "\"hostPath\": {\"path\": \"" + root + "\"}"));

        assertFails(ErrorCode.CONFIGURATION, "not below a folder that this node allows", () -> add(id, pod, network()));

        assertThat(another).exists();
        agent.assertNothingOf(id);
    }

    @Test
    void hostPathThatIsALinkIsRefused() throws Exception {
        Path target = Files.createDirectories(agent.folder.resolve("target"));
        Files.createDirectories(agent.root());
        Files.createSymbolicLink(agent.root().resolve("link"), target);
        Files.createDirectories(target.resolve("deep"));
        Pod pod = start(
                withVolume("app", NODE, "shared-dir", "\"hostPath\": {\"path\": \"" + agent.root() + "/link/deep\"}"));

        assertFails(ErrorCode.CONFIGURATION, "can't make the socket folder", () -> add(id, pod, network()));
        assertThat(target.resolve("deep")).isEmptyDirectory();
        agent.assertNothingOf(id);
    }

    @Test
    void subPathIsMadeForThePodAndStays() throws Exception {
        Pod pod = start(pod(
                "app",
                NODE,
                "\"securityContext\": {\"runAsUser\": 1000, \"fsGroup\": 2000},"
                        + " \"volumes\": [{\"name\": \"shared-dir\", \"emptyDir\": {}}]",
                "\"volumeMounts\": [{\"name\": \"shared-dir\", \"mountPath\": \"/s\", \"subPath\": \"a/b\"}]"));

        Attached attached = add(id, pod, network());

        Path made = volume(pod, "shared-dir").resolve("a/b");
        assertThat(attached.socketPath()).isEqualTo("/s/net1.sock");
        assertThat(modeAndOwner(made)).isEqualTo("0770 1000:2000");
        assertSwitchReaches(made.resolve("net1.sock"));
        agent.attachments.delete(id);
        assertThat(made).as("a container may have it mounted").isEmptyDirectory();
    }

    @Test
    void interfacesOfAPodShareItsVolume() throws Exception {
        Pod pod = start(withVolume("app", NODE, "shared-dir", EMPTY_DIR));
        add(id, pod, network());
        add(sibling(id), pod, network());
        Files.createFile(volume(pod, "shared-dir").resolve("net1.sock"));
        Files.createFile(volume(pod, "shared-dir").resolve("net2.sock"));

        agent.attachments.delete(id);

        assertThat(agent.mountsInUse()).hasSize(1);
        assertThat(volume(pod, "shared-dir").resolve("net1.sock")).doesNotExist();
        assertThat(volume(pod, "shared-dir").resolve("net2.sock")).exists();
        assertThat(agent.attachments
                        .check(request(sibling(id), pod, network()), soon())
                        .socketPath())
                .isEqualTo("/sockets/net2.sock");
    }

    @Test
    void restartedSandboxFindsAFreePlaceWhateverThePodHasPutThere() throws Exception {
        Pod pod = start(launcher());
        Path volume = volume(pod, "hook-sidecar-sockets");
        Path canary = Files.createDirectories(agent.folder.resolve("canary"));
        Files.createFile(canary.resolve("precious"));
        add(id, pod, network());
        Path sockets = volume.resolve("ovs-dpdk/sockets");
        Files.createSymbolicLink(sockets.resolve("net1.sock"), canary.resolve("precious"));
        Files.createSymbolicLink(sockets.resolve("elsewhere"), canary);
        run("mkfifo", sockets.resolve("pipe").toString());
        Files.createDirectories(sockets.resolve("deep/deeper"));
        agent.attachments.delete(id);
        Files.createSymbolicLink(volume.resolve("ovs-dpdk"), canary);

        id = newId();
        add(id, pod, network());

        assertThat(exists(sockets.resolve("net1.sock"))).isFalse();
        assertSwitchReaches(sockets.resolve("net1.sock"));
        assertThat(canary.resolve("precious")).exists();
        assertThat(canary).isDirectoryNotContaining(path -> !path.endsWith("precious"));
    }

    @Test
    void staleSocketOfAnEarlierSandboxIsGoneSoThatAServerCanBind() throws Exception {
        Pod pod = start(withVolume("app", NODE, "shared-dir", EMPTY_DIR));
        Path stale = Files.createDirectories(volume(pod, "shared-dir").resolve("net1.sock"));
        Files.createFile(stale.resolve("inside"));
        Path other = Files.createFile(volume(pod, "shared-dir").resolve("data"));

        add(id, pod, network());

        assertThat(exists(stale)).isFalse();
        assertThat(other).exists();
    }

    @Test
    void repeatedAddIsAnsweredWithoutTheApiServerAndLeavesTheSocket() throws Exception {
        Pod pod = start(withVolume("app", NODE, "shared-dir", EMPTY_DIR));
        Attached first = add(id, pod, network());
        Path socket = Files.createFile(volume(pod, "shared-dir").resolve("net1.sock"));
        server.client().resource(pod).delete();
        await().until(() -> pods.find("default", "app").isEmpty());
        server.stop();

        assertThat(add(id, pod, network())).isEqualTo(first);
        assertThat(socket).exists();
        server.restart();
    }

    @Test
    void uidThatTheRuntimeLeavesOutComesFromThePod() throws Exception {
        Pod pod = start(withVolume("app", NODE, "shared-dir", EMPTY_DIR));

        agent.attachments.add(request(id, "app", "", network()), Json.object(), soon());

        assertThat(agent.localSwitch.interfaceOf(PortName.of(id)).orElseThrow().externalIds())
                .containsEntry("pod-uid", pod.getMetadata().getUid())
                .containsEntry("socket-folder", volume(pod, "shared-dir").toString());
    }

    @Test
    void staticPodWithoutUidIsTheOneThatKubeletKnows() throws Exception {
        Pod pod = withVolume("static-node", NODE, "shared-dir", EMPTY_DIR);
        pod.getMetadata().setAnnotations(Map.of("kubernetes.io/config.mirror", "5ca1ab1e"));
        Pod mirror = start(pod);
        Path ofKubelet = agent.kubelet().resolve("pods/5ca1ab1e");
        Files.move(agent.kubelet().resolve("pods/" + mirror.getMetadata().getUid()), ofKubelet);

        agent.attachments.add(request(id, "static-node", "", network()), Json.object(), soon());

        assertThat(agent.localSwitch.interfaceOf(PortName.of(id)).orElseThrow().externalIds())
                .containsEntry("pod-uid", "5ca1ab1e");
    }

    /** The kernel takes the connections, as of a server that hangs or a load balancer with nobody behind it. */
    @Test
    void apiServerThatNeverAnswersHoldsUpNothingButPodsThatNobodyKnows() throws Exception {
        Pod pod = start(withVolume("app", NODE, "shared-dir", EMPTY_DIR));
        await().until(() -> pods.has(identity(pod)));
        server.stop();
        try (ServerSocket silent = new ServerSocket(server.port(), 64, InetAddress.getLoopbackAddress())) {
            AttachmentId stranger = TestAgent.newId();

            add(id, pod, network());
            Deadline late = Deadline.after(Duration.ofSeconds(5));
            assertFails(
                    ErrorCode.TRY_AGAIN,
                    "",
                    () -> agent.attachments.add(
                            request(stranger, "stranger", "u-9", network()),
                            Json.object(),
                            Deadline.after(Duration.ofSeconds(1))));
            agent.attachments.delete(stranger);
            agent.attachments.delete(id);

            assertThat(late.expired()).isFalse();
            assertThat(agent.hasPort(id)).isFalse();
            assertThat(agent.attachments.footprint()).isZero();
            assertThat(silent.isClosed()).isFalse();
        }
        server.restart();
    }

    private static PodIdentity identity(Pod pod) {
        return new PodIdentity(
                "default", pod.getMetadata().getName(), pod.getMetadata().getUid());
    }

    @Test
    void attachmentGoesWithoutItsCheckpoint() throws Exception {
        Pod pod = start(launcher());
        add(id, pod, network());
        Files.createFile(volume(pod, "hook-sidecar-sockets").resolve("ovs-dpdk/sockets/net1.sock"));
        Files.delete(agent.checkpointOf(id));
        agent.restart();

        agent.attachments.delete(id);

        assertThat(volume(pod, "hook-sidecar-sockets")).isEmptyDirectory();
        agent.assertNothingOf(id);
    }

    @Test
    void attachmentGoesAfterItsVolume() throws Exception {
        Pod pod = start(withVolume("app", NODE, "shared-dir", EMPTY_DIR));
        add(id, pod, network());
        run("rm", "-rf", agent.kubelet().resolve("pods").toString());

        agent.attachments.delete(id);

        agent.assertNothingOf(id);
        assertThat(agent.kubelet()).isEmptyDirectory();
    }

    @Test
    void attachmentIsTakenOverByTheNextAgent() throws Exception {
        Pod pod = start(withVolume("app", NODE, "shared-dir", EMPTY_DIR));
        Attached attached = add(id, pod, network());

        agent.restart();

        assertThat(agent.attachments.check(request(id, pod, network()), soon())).isEqualTo(attached);
        agent.attachments.delete(id);
        agent.assertNothingOf(id);
        assertThat(volume(pod, "shared-dir")).exists();
    }

    @Test
    void failedAddTakesAwayTheFolderThatItMadeInTheVolume() throws Exception {
        Pod pod = start(pod(
                "app",
                NODE,
                "\"volumes\": [{\"name\": \"shared-dir\", \"emptyDir\": {}}]",
                "\"volumeMounts\": [{\"name\": \"shared-dir\", \"mountPath\": \"/s\", \"subPath\": \"a/b\"}]"));
        ovs.suspendSwitch();

        assertFails(
                ErrorCode.TRY_AGAIN,
                "",
                () -> agent.attachments.add(
                        request(id, pod, network()), Json.object(), Deadline.after(Duration.ofMillis(300))));

        ovs.resumeSwitch();
        await().atMost(Duration.ofSeconds(10))
                .untilAsserted(() -> assertThat(volume(pod, "shared-dir")).isEmptyDirectory());
    }

    @Test
    void podWhoseVolumeIsNotHereIsTriedAgainAndNothingIsMade() throws Exception {
        Pod pod = server.create(withVolume("app", NODE, "shared-dir", EMPTY_DIR));

        assertFails(ErrorCode.TRY_AGAIN, "has no folder", () -> add(id, pod, network()));
        assertThat(agent.kubelet()).doesNotExist();
        agent.assertNothingOf(id);
    }

    @Test
    void addThatNeedsThePodSaysThatTheApiServerIsAway() throws Exception {
        Pod pod = start(withVolume("app", NODE, "shared-dir", EMPTY_DIR));
        await().until(() -> pods.find("default", "app").isPresent());
        server.stop();

        assertThat(add(id, pod, network()).socketPath()).as("it is in memory").isEqualTo("/sockets/net1.sock");
        assertFails(
                ErrorCode.TRY_AGAIN,
                "can't ask the API server",
                () -> agent.attachments.add(
                        request(newId(), "unknown", "u", network()),
                        Json.object(),
                        Deadline.after(Duration.ofMillis(300))));
        assertThat(agent.add(newId()).socketPath()).as("plain sharedDir").startsWith(agent.root() + "/");
        server.restart();
    }

    @Test
    void longPathOfTheWorkloadIsRefused() throws Exception {
        Pod pod = start(pod(
                "app",
                NODE,
                "\"volumes\": [{\"name\": \"shared-dir\", \"emptyDir\": {}}]",
                "\"volumeMounts\": [{\"name\": \"shared-dir\", \"mountPath\": \"/" + "x".repeat(100) + "\"}]"));

        assertFails(ErrorCode.CONFIGURATION, "can have 107", () -> add(id, pod, network()));
    }

    private static Pod withSubPath() {
        return pod(
                "app",
                NODE,
                "\"volumes\": [{\"name\": \"shared-dir\", \"emptyDir\": {}}]",
                "\"volumeMounts\": [{\"name\": \"shared-dir\", \"mountPath\": \"/s\", \"subPath\": \"a/b\"}]");
    }

    static Map<String, Pod> podsWithVolumes() {
        return Map.of(
                "", withVolume("app", NODE, "shared-dir", EMPTY_DIR),
                "a/b", withSubPath(),
                "ovs-dpdk/sockets", launcher());
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "a/b", "ovs-dpdk/sockets"})
    void lateDelOfASandboxBeforeTakesNothingOfTheNewOne(String below) throws Exception {
        Pod pod = start(podsWithVolumes().get(below));
        Path sockets =
                volume(pod, pod.getSpec().getVolumes().getFirst().getName()).resolve(below);
        AttachmentId before = id;
        add(before, pod, network());
        add(sibling(before), pod, network());
        Files.createFile(sockets.resolve("net1.sock"));

        id = newId();
        Attached attached = add(id, pod, network());

        assertThat(agent.hasPort(before)).isFalse();
        assertThat(agent.hasPort(sibling(before))).isFalse();
        assertThat(agent.checkpointOf(before)).doesNotExist();
        assertSwitchReaches(sockets.resolve("net1.sock"));
        agent.attachments.delete(before);
        agent.attachments.delete(sibling(before));
        assertThat(sockets.resolve("net1.sock")).exists();
        assertThat(agent.mountsInUse()).hasSize(1);
        assertThat(agent.attachments.check(request(id, pod, network()), soon())).isEqualTo(attached);
        assertThat(agent.attachments.count()).isEqualTo(1);
    }

    @Test
    void sandboxBeforeIsFoundWithoutItsCheckpoint() throws Exception {
        Pod pod = start(launcher());
        AttachmentId before = id;
        add(before, pod, network());
        Files.delete(agent.checkpointOf(before));
        agent.restart();

        id = newId();
        add(id, pod, network());

        assertThat(agent.hasPort(before)).isFalse();
        assertSwitchReaches(volume(pod, "hook-sidecar-sockets").resolve("ovs-dpdk/sockets/net1.sock"));
    }

    @Test
    void sandboxBeforeThatIsStillBeingAttachedGivesWay() throws Exception {
        Pod pod = start(withVolume("app", NODE, "shared-dir", EMPTY_DIR));
        AttachmentId before = id;
        ovs.suspendSwitch();
        Future<Attached> late = threads.submit(() -> add(before, pod, network()));
        await().until(() -> agent.hasPort(before));
        id = newId();
        Future<Attached> next = threads.submit(() -> add(id, pod, network()));
        await().until(() -> agent.attachments.footprint() == 2);

        ovs.resumeSwitch();

        assertThat(next.get(10, TimeUnit.SECONDS).socketPath()).isEqualTo("/sockets/net1.sock");
        assertThatThrownBy(() -> late.get(10, TimeUnit.SECONDS))
                .hasMessageContaining("deleted while it was being made");
        assertThat(agent.hasPort(before)).isFalse();
        assertSwitchReaches(volume(pod, "shared-dir").resolve("net1.sock"));
    }

    /** Its plugin was held up until kubelet had given up. */
    @ParameterizedTest
    @ValueSource(strings = {"deleted", "replaced"})
    void addThatComesAfterTheEndOfItsSandboxTakesNothingOfTheNextOne(String end) throws Exception {
        Pod pod = start(withVolume("app", NODE, "shared-dir", EMPTY_DIR));
        AttachmentId before = id;
        if (end.equals("deleted")) {
            agent.attachments.delete(before);
        } else {
            add(before, pod, network());
        }
        id = newId();
        add(id, pod, network());

        assertFails(ErrorCode.TRY_AGAIN, "has had another sandbox since", () -> add(before, pod, network()));

        assertThat(agent.hasPort(before)).isFalse();
        assertSwitchReaches(volume(pod, "shared-dir").resolve("net1.sock"));
    }

    @Test
    void containerThatWasDeletedBeforeTakesThePlaceOfAnOlderOneAllTheSame() throws Exception {
        Pod pod = start(withVolume("app", NODE, "shared-dir", EMPTY_DIR));
        AttachmentId before = id;
        add(before, pod, network());
        id = newId();
        agent.attachments.delete(id);

        add(id, pod, network());

        assertThat(agent.hasPort(before)).isFalse();
        assertSwitchReaches(volume(pod, "shared-dir").resolve("net1.sock"));
    }

    /** Its DEL is lost, and its IPAM plugin ends only now. */
    @Test
    void secondHalfOfAnAddForASandboxBeforeComesTooLate() throws Exception {
        Pod pod = start(withVolume("app", NODE, "shared-dir", EMPTY_DIR));
        AttachmentId before = id;
        ObjectNode ipam = Json.object().put("cniVersion", "1.1.0");
        agent.attachments.announce(request(before, pod, network()), Duration.ofSeconds(10));
        id = newId();
        agent.attachments.announce(request(id, pod, network()), Duration.ofSeconds(10));
        agent.attachments.add(request(id, pod, network()), ipam, soon());

        assertFails(
                ErrorCode.TRY_AGAIN,
                "deleted while the IPAM plugin ran",
                () -> agent.attachments.add(request(before, pod, network()), ipam, soon()));

        assertSwitchReaches(volume(pod, "shared-dir").resolve("net1.sock"));
    }

    @Test
    void sandboxBeforeThatCannotBeRemovedInTimeMeansTryAgain() throws Exception {
        Pod pod = start(withVolume("app", NODE, "shared-dir", EMPTY_DIR));
        AttachmentId before = id;
        add(before, pod, network());
        ovs.database().suspend();
        id = newId();

        assertFails(
                ErrorCode.TRY_AGAIN,
                "had another sandbox before, whose interface net1 is not removed yet",
                () -> agent.attachments.add(
                        request(id, pod, network()), Json.object(), Deadline.after(Duration.ofMillis(300))));

        ovs.database().resume();
        add(id, pod, network());
        assertThat(agent.hasPort(before)).isFalse();
        assertSwitchReaches(volume(pod, "shared-dir").resolve("net1.sock"));
    }

    @Test
    void folderOfAnotherPodIsTakenWhateverThatOneIsCalled() throws Exception {
        Path shared = Files.createDirectories(agent.root().resolve("tenant"));
        String hostPath = "\"hostPath\": {\"path\": \"" + shared + "\"}";
        Attached first = add(id, start(withVolume("app", NODE, "shared-dir", hostPath)), network());
        Pod other = start(withVolume("other", NODE, "shared-dir", hostPath));

        assertFails(ErrorCode.CONFIGURATION, "is taken by container", () -> add(newId(), other, network()));

        assertThat(agent.hasPort(id)).isTrue();
        assertThat(first.socketPath()).isEqualTo("/sockets/net1.sock");
    }

    /** The runtime says a UID, and neither memory nor the API server knows of it. */
    @Test
    void uidThatNobodyConfirmsTakesNothingAway() throws Exception {
        agent.attachments.add(TestAgent.request(id, "u-1", agent.network()), Json.object(), soon());
        AttachmentId second = newId();

        agent.attachments.add(TestAgent.request(second, "u-1", agent.network()), Json.object(), soon());

        assertThat(agent.hasPort(id)).isTrue();
        assertThat(agent.hasPort(second)).isTrue();
    }

    @ParameterizedTest
    @ValueSource(strings = {"/a=b", "/a b", "/a\\b", "/a\"b"})
    void pathThatAPodCanNotBeToldIsRefused(String path) throws Exception {
        Pod pod = withVolume("app", NODE, "shared-dir", EMPTY_DIR);
        pod.getSpec().getContainers().getFirst().getVolumeMounts().getFirst().setMountPath(path);
        Pod started = start(pod);

        assertFails(ErrorCode.CONFIGURATION, "can't be told to a pod", () -> add(id, started, network()));

        agent.assertNothingOf(id);
    }

    /** It would be told to each pod that has the name in the course of time. */
    @Test
    void attachmentOfAPodThatIsNotKnownForSureIsNobodys() throws Exception {
        agent.attachments.add(request(id, "web-0", "", agent.network()), Json.object(), soon());

        assertThat(agent.attachments.in(start(withVolume("web-0", NODE, "shared-dir", EMPTY_DIR))))
                .isEmpty();
    }

    @Test
    void uidThatTheRuntimeLeavesOutIsFoundForASharedDirToo() throws Exception {
        Pod pod = start(withVolume("web-0", NODE, "shared-dir", EMPTY_DIR));

        agent.attachments.add(request(id, "web-0", "", agent.network()), Json.object(), soon());

        assertThat(agent.attachments.in(pod)).hasSize(1);
        assertThat(agent.localSwitch.interfaceOf(PortName.of(id)).orElseThrow().externalIds())
                .containsEntry("pod-uid", pod.getMetadata().getUid());
    }

    @Test
    void addWithoutUidNeedsNoApiServerForAPodInMemory() throws Exception {
        start(withVolume("app", NODE, "shared-dir", EMPTY_DIR));
        await().until(() -> pods.find("default", "app").isPresent());
        server.stop();
        await().atMost(Duration.ofSeconds(10)).until(() -> !pods.isWatching());

        Attached attached = agent.attachments.add(request(id, "app", "", network()), Json.object(), soon());

        assertThat(attached.socketPath()).isEqualTo("/sockets/net1.sock");
        server.restart();
    }

    @Test
    void foldersThatThePodHasTakenAreNotRememberedAfterAFailedAdd() throws Exception {
        Pod pod = start(withSubPath());
        ovs.suspendSwitch();
        Future<Attached> failing = threads.submit(() -> agent.attachments.add(
                request(id, pod, network()), Json.object(), Deadline.after(Duration.ofMillis(500))));
        Path parent = volume(pod, "shared-dir").resolve("a");
        await().until(() -> Files.exists(parent.resolve("b")) && agent.hasPort(id));
        Files.createFile(parent.resolve("of-the-pod"));

        assertThatThrownBy(() -> failing.get(10, TimeUnit.SECONDS)).hasMessageContaining("ovs-vswitchd");

        ovs.resumeSwitch();
        await().until(() -> agent.attachments.footprint() == 0);
        assertThat(agent.attachments.unfinishedFolders()).isZero();
        assertThat(parent).isDirectoryContaining(path -> path.endsWith("of-the-pod"));
    }

    @Test
    void networkWithoutAPlaceNeedsKubernetesAndAPod() throws Exception {
        assertFails(
                ErrorCode.CONFIGURATION,
                "the runtime names no pod",
                () -> agent.attachments.add(
                        new AttachmentRequest(id, "/run/netns/test", PodIdentity.NONE, Optional.empty(), network()),
                        Json.object(),
                        soon()));
        try (TestAgent plain = new TestAgent(ovs.socket())) {
            assertFails(
                    ErrorCode.CONFIGURATION,
                    "the network configuration has no sharedDir, and the agent of this node runs without Kubernetes",
                    () -> plain.add(id, network()));
            assertFails(
                    ErrorCode.CONFIGURATION,
                    "socketVolume \"v\" is the volume of a pod",
                    () -> plain.add(id, network().put("socketVolume", "v")));
        }
    }
}
