package io.ovsdpdk.e2e;

import static io.ovsdpdk.agent.kubernetes.testbed.Pods.pod;
import static io.ovsdpdk.agent.kubernetes.testbed.Pods.withVolume;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.mockwebserver.http.MockResponse;
import io.ovsdpdk.agent.kubernetes.testbed.ApiServer;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.MacAddress;
import io.ovsdpdk.api.Reply;
import io.ovsdpdk.api.Request;
import io.ovsdpdk.ovsdb.testbed.OvsDpdk;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Guests of pods: the plugin, the agent and the switch, with an API server and the folders that kubelet makes. */
@Tag("long")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class PodVolumesTest {
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    private final AtomicInteger pods = new AtomicInteger();
    private KubernetesNode cluster;
    private Node node;
    private ObjectNode network;
    private String container;

    @BeforeAll
    void startNode() throws IOException {
        OvsDpdk ovs = OvsDpdk.start();
        ovs.addBridge("br0");
        cluster = KubernetesNode.start(ovs);
        node = cluster.node;
        await().atMost(PATIENCE).until(() -> cluster.apiServer.watches() > 0);
    }

    @BeforeEach
    void newContainer() {
        network = node.network("1.1.0", "fast");
        network.remove("sharedDir");
        container = node.newContainer();
    }

    @AfterEach
    void removeAttachments() throws IOException {
        cluster.apiServer.answerWell();
        node.ask(new Request.Collect("fast", Set.of()));
    }

    @AfterAll
    void closeNode() throws IOException {
        cluster.close();
    }

    private enum Kind {
        EMPTY_DIR,
        MEMORY,
        HOST_PATH,
        SUB_PATH,
        VM
    }

    private Pod podWith(Kind kind) throws IOException {
        String name = "pod-" + pods.incrementAndGet();
        return cluster.schedule(
                switch (kind) {
                    case EMPTY_DIR -> withVolume(name, KubernetesNode.NAME, "shared-dir", "\"emptyDir\": {}");
                    case MEMORY ->
                        withVolume(name, KubernetesNode.NAME, "shared-dir", "\"emptyDir\": {\"medium\": \"Memory\"}");
                    case HOST_PATH ->
                        withVolume(
                                name,
                                KubernetesNode.NAME,
                                "shared-dir",
                                "\"hostPath\": {\"path\": \""
                                        + Files.createDirectory(
                                                node.sharedRoot().resolve(name)) + "\"}");
                    case SUB_PATH ->
                        pod(
                                name,
                                KubernetesNode.NAME,
                                "\"volumes\": [{\"name\": \"shared-dir\", \"emptyDir\": {}}]",
                                "\"volumeMounts\": [{\"name\": \"shared-dir\", \"mountPath\": \"/sockets\", \"subPath\":"
                                        + " \"a/b\"}]");
                    case VM ->
                        pod(
                                name,
                                KubernetesNode.NAME,
                                "\"volumes\": [{\"name\": \"hook-sidecar-sockets\", \"emptyDir\": {}}]",
                                "\"volumeMounts\": [{\"name\": \"hook-sidecar-sockets\", \"mountPath\":"
                                        + " \"/var/run/kubevirt-hooks\"}]");
                });
    }

    /** The folder of the host that the workload sees as the socket's. */
    private Path folderOf(Pod pod, Kind kind) {
        return switch (kind) {
            case EMPTY_DIR, MEMORY -> cluster.volume(pod, "shared-dir");
            case HOST_PATH -> node.sharedRoot().resolve(pod.getMetadata().getName());
            case SUB_PATH -> cluster.volume(pod, "shared-dir").resolve("a/b");
            case VM -> cluster.volume(pod, "hook-sidecar-sockets").resolve("ovs-dpdk/sockets");
        };
    }

    private PluginCall.Outcome add(String sandbox, Pod pod) throws IOException {
        PluginCall.Outcome add = cluster.call("ADD", sandbox, pod, network).run();
        assertThat(add.status()).as("%s", add).isZero();
        return add;
    }

    private VhostUserGuest guest(String sandbox, Pod pod, Kind kind) throws IOException {
        PluginCall.Outcome add = add(sandbox, pod);
        assertThat(add.json().at("/interfaces/0/socketPath").asText())
                .isEqualTo(
                        kind == Kind.VM ? "/var/run/kubevirt-hooks/ovs-dpdk/sockets/net1.sock" : "/sockets/net1.sock");
        Path mounted = kind == Kind.VM
                ? cluster.mountLikeAContainer(cluster.volume(pod, "hook-sidecar-sockets"))
                        .resolve("ovs-dpdk/sockets")
                : cluster.mountLikeAContainer(folderOf(pod, kind));
        return VhostUserGuest.listen(
                mounted.resolve("net1.sock"),
                new MacAddress(add.json().at("/interfaces/0/mac").asText()));
    }

    @ParameterizedTest
    @EnumSource
    void guestInEachKindOfVolumeExchangesFramesAndLeavesNothing(Kind kind) throws IOException {
        Pod pod = podWith(kind);
        Pod peer = podWith(Kind.EMPTY_DIR);
        try (VhostUserGuest a = guest(container, pod, kind);
                VhostUserGuest b = guest(node.newContainer(), peer, Kind.EMPTY_DIR)) {
            a.awaitConnection(PATIENCE);
            b.awaitConnection(PATIENCE);

            assertThat(PingPong.play(a, b, 20).completed()).isEqualTo(20);

            PluginCall.Outcome del =
                    cluster.call("DEL", container, pod, network).run();
            assertThat(del.status()).as("%s", del).isZero();
            a.awaitDisconnection(PATIENCE);
            assertThat(folderOf(pod, kind).resolve("net1.sock")).doesNotExist();
            assertThat(cluster.call("DEL", container, pod, network)
                            .with("CNI_NETNS", "")
                            .run()
                            .status())
                    .isZero();
        }
    }

    /** Forks of KubeVirt mount the volume there, and read the socket's place from whichever annotation they know. */
    @Test
    void podOfAForkOfKubeVirtIsToldOfItsSocket() throws IOException {
        network.put("legacyAnnotations", true);
        Pod pod = cluster.schedule(pod(
                "virt-launcher-fork",
                KubernetesNode.NAME,
                "\"volumes\": [{\"name\": \"shared-dir\", \"emptyDir\": {}}]",
                "\"volumeMounts\": [{\"name\": \"shared-dir\", \"mountPath\": \"/var/lib/cni/usrcni/\"}]"));

        PluginCall.Outcome add = add(container, pod);

        assertThat(add.json().at("/interfaces/0/socketPath").asText()).isEqualTo("/var/lib/cni/usrcni/net1.sock");
        await().atMost(PATIENCE).untilAsserted(() -> {
            assertThat(cluster.annotation(pod, "k8s.v1.cni.cncf.io/network-status")
                            .at("/0/device-info/vhost-user/path")
                            .asText())
                    .isEqualTo("/var/lib/cni/usrcni/net1.sock");
            assertThat(cluster.annotation(pod, "userspace/configuration-data")
                            .at("/0/config/vhost/socketfile")
                            .asText())
                    .isEqualTo("net1.sock");
            // with its last slash, for readers join the two as they are
            assertThat(cluster.annotations(pod)).containsEntry("userspace/mapped-dir", "/var/lib/cni/usrcni/");
        });
    }

    @Test
    void restartedSandboxWorksInTheSameVolumeAndTheAgentInBetween() throws IOException {
        Pod pod = podWith(Kind.VM);
        try (VhostUserGuest first = guest(container, pod, Kind.VM)) {
            first.awaitConnection(PATIENCE);
        }
        node.killAgent();
        cluster.startAgent();
        assertThat(cluster.call("DEL", container, pod, network).run().status()).isZero();

        try (VhostUserGuest second = guest(node.newContainer(), pod, Kind.VM)) {
            second.awaitConnection(PATIENCE);
            assertThat(second.connected()).isTrue();
        }
    }

    @Test
    void podIsFoundWhileTheWatchIsBrokenAndAfterItWasTooOld() throws Exception {
        cluster.apiServer.answerWith(request -> request.getPath().startsWith("/api/v1/pods")
                ? Optional.of(new MockResponse().setResponseCode(500))
                : Optional.empty());
        cluster.apiServer.breakWatches();
        add(container, podWith(Kind.EMPTY_DIR));

        AtomicInteger refusals = new AtomicInteger(1);
        cluster.apiServer.answerWith(request -> ApiServer.isWatch(request) && refusals.getAndDecrement() > 0
                ? Optional.of(ApiServer.gone())
                : Optional.empty());
        await().atMost(Duration.ofSeconds(60)).until(() -> refusals.get() < 0 && cluster.apiServer.watches() > 0);
        Pod later = podWith(Kind.EMPTY_DIR);
        awaitPodsKnown(later);
        cluster.apiServer.forgetRequests();
        add(node.newContainer(), later);

        assertThat(cluster.apiServer.requests())
                .noneMatch(request -> request.startsWith("GET ") && request.contains("/pods/pod-"));
    }

    /** The agent tells how many pods it follows. */
    private void awaitPodsKnown(Pod newest) {
        int all = cluster.apiServer
                .client()
                .pods()
                .inAnyNamespace()
                .list()
                .getItems()
                .size();
        await(newest.getMetadata().getName()).atMost(PATIENCE).untilAsserted(() -> assertThat(
                        node.ask(new Request.Inspect()))
                .isInstanceOfSatisfying(
                        Reply.Inspected.class,
                        inspected -> assertThat(inspected.node().cluster()).hasValueSatisfying(view -> {
                            assertThat(view.node()).isEqualTo(KubernetesNode.NAME);
                            assertThat(view.pods()).isEqualTo(all);
                            assertThat(view.synchronised() && view.following()).isTrue();
                        })));
    }

    @Test
    void apiServerThatIsAwayFailsOnlyTheAddThatNeedsIt() throws IOException {
        Pod known = podWith(Kind.EMPTY_DIR);
        awaitPodsKnown(known);
        cluster.apiServer.stop();
        try {
            add(container, known);
            PluginCall.Outcome unknown =
                    node.call("ADD", node.newContainer(), "net1", network).run();
            PluginCall.Outcome plain = node.call("ADD", node.newContainer(), "net1", node.network("1.1.0", "fast"))
                    .run();

            assertThat(unknown.code()).as("%s", unknown).isEqualTo(ErrorCode.TRY_AGAIN.code());
            assertThat(unknown.json().get("msg").asText()).contains("can't ask the API server");
            assertThat(plain.status()).as("%s", plain).isZero();
        } finally {
            cluster.apiServer.restart();
        }
        await().atMost(Duration.ofSeconds(60)).until(() -> cluster.apiServer.watches() > 0);
    }
}
