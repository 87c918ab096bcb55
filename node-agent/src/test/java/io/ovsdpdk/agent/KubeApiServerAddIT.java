package io.ovsdpdk.agent;

import static io.ovsdpdk.agent.TestAgent.run;
import static io.ovsdpdk.agent.kubernetes.testbed.Pods.pod;
import static io.ovsdpdk.agent.kubernetes.testbed.Pods.withVolume;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.ovsdpdk.agent.kubernetes.Cluster;
import io.ovsdpdk.agent.kubernetes.ClusterNode;
import io.ovsdpdk.agent.kubernetes.NodePods;
import io.ovsdpdk.agent.kubernetes.testbed.KubeApiServer;
import io.ovsdpdk.api.AttachmentRequest;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.PodIdentity;
import io.ovsdpdk.api.Reply;
import io.ovsdpdk.api.Request;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.awaitility.core.ConditionFactory;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * ADDs for pods of a real API server, on a real switch, with the rights and the token of the DaemonSet's ServiceAccount.
 * Run by {@code make test-apiserver}.
 */
class KubeApiServerAddIT extends AttachmentsOnASwitch {
    private static final String NODE = "node-a";
    private static final String STATUS = "k8s.v1.cni.cncf.io/network-status";
    private static final String NETWORKS = "k8s.v1.cni.cncf.io/networks";
    private static final String NAMESPACE = "ovs-dpdk-cni";
    private static final AtomicInteger PODS = new AtomicInteger();

    @TempDir
    private static Path folder;

    private static KubeApiServer server;
    private static KubernetesClient admin;

    @TempDir
    private Path serviceAccount;

    /** That the agent's token is bound to. */
    private String secret;

    private Cluster cluster;
    private Agent asked;

    @BeforeAll
    static void startServer() throws IOException {
        server = new KubeApiServer(Path.of(System.getProperty("kube-apiserver")), folder);
        admin = server.client("admin");
        try (InputStream rights = Files.newInputStream(Path.of("../daemonset/base/20-rbac.yaml"))) {
            admin.load(rights).create();
        }
        post("/api/v1/namespaces", "{\"metadata\": {\"name\": \"" + NAMESPACE + "\"}}");
        post(inNamespace("serviceaccounts"), "{\"metadata\": {\"name\": \"ovs-dpdk-agent\"}}");
    }

    @AfterAll
    static void stopServer() throws IOException {
        admin.close();
        server.close();
    }

    private static String post(String path, String body) {
        return admin.raw(path, "POST", body);
    }

    private static String inNamespace(String resource) {
        return "/api/v1/namespaces/" + NAMESPACE + "/" + resource;
    }

    /** It is good for as long as a Secret of this name is there. */
    private static String token(String secret) throws IOException {
        String uid = json(post(inNamespace("secrets"), "{\"metadata\": {\"name\": \"" + secret + "\"}}"))
                .at("/metadata/uid")
                .asText();
        return json(post(inNamespace("serviceaccounts/ovs-dpdk-agent/token"), """
                        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
                         "spec": {"expirationSeconds": 3600,
                          "boundObjectRef": {"apiVersion": "v1", "kind": "Secret", "name": "%s", "uid": "%s"}}}
                        """.formatted(secret, uid)))
                .at("/status/token")
                .asText();
    }

    private static JsonNode json(String text) throws IOException {
        return new ObjectMapper().readTree(text);
    }

    private static ConditionFactory inTime() {
        return await().atMost(Duration.ofSeconds(60)).pollInterval(Duration.ofMillis(20));
    }

    @Override
    TestAgent newAgent() throws Exception {
        useNewToken();
        cluster = Cluster.join(new ClusterNode(NODE, server.accessOfPod(serviceAccount)));
        inTime().until(() -> pods().isWatching());
        return use(new TestAgent(ovs.socket(), cluster));
    }

    private void useNewToken() throws IOException {
        secret = "secret-" + PODS.incrementAndGet();
        Files.writeString(serviceAccount.resolve("token"), token(secret));
    }

    private TestAgent use(TestAgent started) throws IOException {
        cluster.announce(pod -> started.attachments.in(pod));
        asked = started.asked();
        return started;
    }

    @AfterEach
    void leaveCluster() {
        cluster.close();
    }

    private NodePods pods() {
        return cluster.pods().orElseThrow();
    }

    private enum Kind {
        EMPTY_DIR,
        MEMORY,
        HOST_PATH,
        SUB_PATH,
        VM
    }

    /** As kubelet has it when the sandbox is made. */
    private Pod schedule(Kind kind) throws IOException {
        String name = "pod-" + PODS.incrementAndGet();
        Pod pod =
                switch (kind) {
                    case EMPTY_DIR -> withVolume(name, NODE, "shared-dir", "\"emptyDir\": {}");
                    case MEMORY -> withVolume(name, NODE, "shared-dir", "\"emptyDir\": {\"medium\": \"Memory\"}");
                    case HOST_PATH ->
                        withVolume(
                                name,
                                NODE,
                                "shared-dir",
                                "\"hostPath\": {\"path\": \""
                                        + Files.createDirectories(agent.root().resolve(name)) + "\"}");
                    case SUB_PATH ->
                        pod(
                                name,
                                NODE,
                                "\"volumes\": [{\"name\": \"shared-dir\", \"emptyDir\": {}}]",
                                "\"volumeMounts\": [{\"name\": \"shared-dir\", \"mountPath\": \"/sockets\","
                                        + " \"subPath\": \"a/b\"}]");
                    case VM ->
                        pod(
                                name,
                                NODE,
                                "\"volumes\": [{\"name\": \"hook-sidecar-sockets\", \"emptyDir\": {}}]",
                                "\"volumeMounts\": [{\"name\": \"hook-sidecar-sockets\","
                                        + " \"mountPath\": \"/var/run/kubevirt-hooks\"}]");
                };
        pod.getMetadata().setAnnotations(Map.of(NETWORKS, "fast"));
        Pod created = admin.resource(pod).create();
        for (var volume : created.getSpec().getVolumes()) {
            if (volume.getEmptyDir() != null) {
                Path path = Files.createDirectories(agent.kubelet()
                        .resolve("pods/" + created.getMetadata().getUid() + "/volumes/kubernetes.io~empty-dir/"
                                + volume.getName()));
                if (kind == Kind.MEMORY) {
                    run("mount", "-t", "tmpfs", "none", path.toString());
                }
            }
        }
        return created;
    }

    private Reply add(Pod pod, Duration timeout) {
        ObjectNode network = agent.network();
        network.remove("sharedDir");
        return asked.apply(new Request.Add(
                new AttachmentRequest(
                        id,
                        "/run/netns/test",
                        new PodIdentity(
                                pod.getMetadata().getNamespace(),
                                pod.getMetadata().getName(),
                                pod.getMetadata().getUid()),
                        Optional.empty(),
                        network),
                Json.object(),
                timeout));
    }

    private String added(Pod pod) {
        return socket(add(pod, Duration.ofSeconds(10)));
    }

    private static String socket(Reply reply) {
        assertThat(reply).isInstanceOf(Reply.Added.class);
        return ((Reply.Added) reply).attached().socketPath();
    }

    private static void multusWrites(Pod pod) {
        admin.resource(pod).editStatus(before -> new PodBuilder(before)
                .editMetadata()
                .addToAnnotations(STATUS, "[{\"interface\": \"eth0\"}, {\"interface\": \"net1\", \"keep\": 1}]")
                .endMetadata()
                .build());
    }

    private static void awaitTold(Pod pod, String socket) {
        inTime().untilAsserted(() -> {
            JsonNode entry = json(admin.resource(pod)
                            .get()
                            .getMetadata()
                            .getAnnotations()
                            .getOrDefault(STATUS, "[]"))
                    .path(1);
            assertThat(entry.at("/device-info/vhost-user/path").asText()).isEqualTo(socket);
            assertThat(entry.path("keep").asInt()).isEqualTo(1);
        });
    }

    @ParameterizedTest
    @EnumSource
    void podIsServedInEachKindOfVolumeAndTold(Kind kind) throws IOException {
        Pod pod = schedule(kind);

        String socket = added(pod);
        multusWrites(pod);

        assertThat(socket)
                .isEqualTo(
                        kind == Kind.VM ? "/var/run/kubevirt-hooks/ovs-dpdk/sockets/net1.sock" : "/sockets/net1.sock");
        awaitTold(pod, socket);
        assertThat(asked.apply(new Request.Delete(id))).isEqualTo(new Reply.Done());
        assertThat(agent.mountsInUse()).isEmpty();
    }

    @Test
    void apiServerThatIsAwayDuringTheAddIsNotNeededForAPodThatWasSeen() throws IOException {
        Pod pod = schedule(Kind.EMPTY_DIR);
        inTime().until(() -> pods().find("default", pod.getMetadata().getName()).isPresent());
        server.kill();

        String socket;
        try {
            socket = added(pod);
        } finally {
            server.start();
        }

        multusWrites(pod);
        awaitTold(pod, socket);
    }

    @Test
    void addForAPodThatWasNotSeenWaitsForTheApiServer() throws Exception {
        Pod pod = schedule(Kind.EMPTY_DIR);
        cluster.close();
        server.kill();
        Future<Reply> reply;
        try {
            cluster = Cluster.join(new ClusterNode(NODE, server.accessOfPod(serviceAccount)));
            agent.cluster = cluster;
            agent.restart();
            use(agent);
            reply = threads.submit(() -> add(pod, Duration.ofSeconds(60)));
        } finally {
            server.start();
        }

        String socket = socket(reply.get(60, TimeUnit.SECONDS));

        multusWrites(pod);
        awaitTold(pod, socket);
    }

    /** Then the list is read anew. */
    @Test
    void watchThatIsTooOldIsBegunAnew() throws IOException {
        String version = schedule(Kind.EMPTY_DIR).getMetadata().getResourceVersion();
        server.kill();
        server.compact();
        server.start();
        assertThat(json(admin.raw("/api/v1/pods?watch=1&timeoutSeconds=5&resourceVersion=" + version))
                        .at("/object/code")
                        .asInt())
                .as("410 Gone")
                .isEqualTo(410);

        Pod pod = schedule(Kind.EMPTY_DIR);

        inTime().until(() -> pods().find("default", pod.getMetadata().getName()).isPresent());
        String socket = added(pod);
        multusWrites(pod);
        awaitTold(pod, socket);
    }

    /** As kubelet does; the old token is refused from then on. */
    @Test
    void tokenIsReplaced(@TempDir Path before) throws IOException {
        Files.copy(serviceAccount.resolve("token"), before.resolve("token"));
        String old = secret;
        useNewToken();
        admin.raw(inNamespace("secrets/" + old), "DELETE", null);
        server.kill();
        server.start();
        try (KubernetesClient refused = server.accessOfPod(before).client()) {
            assertThatExceptionOfType(KubernetesClientException.class)
                    .isThrownBy(() -> refused.pods().inAnyNamespace().list())
                    .satisfies(e -> assertThat(e.getCode()).isEqualTo(401));
        }

        Pod pod = schedule(Kind.EMPTY_DIR);

        inTime().until(() -> pods().find("default", pod.getMetadata().getName()).isPresent());
        String socket = added(pod);
        multusWrites(pod);
        awaitTold(pod, socket);
    }
}
