package io.ovsdpdk.agent.kubernetes;

import static io.ovsdpdk.agent.kubernetes.Recorded.json;
import static io.ovsdpdk.agent.kubernetes.Recorded.networkStatus;
import static io.ovsdpdk.agent.kubernetes.Recorded.ours;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.dsl.base.PatchContext;
import io.fabric8.kubernetes.client.dsl.base.PatchType;
import io.ovsdpdk.agent.kubernetes.testbed.KubeApiServer;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.PodIdentity;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.awaitility.core.ConditionFactory;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The agent's part in a cluster on a real API server, with the rights that the DaemonSet gives it and no more. Run by
 * {@code make test-apiserver}, which builds the server.
 */
class KubeApiServerIT {
    private static final String NODE = "node-a";
    private static final PodInterface NET1 = ours("net1", "/var/run/vhost/net1.sock");

    @TempDir
    private static Path folder;

    private static KubeApiServer server;
    private static KubernetesClient admin;

    private final Set<String> attached = ConcurrentHashMap.newKeySet();
    private KubernetesClient client;
    private NodePods pods;
    private Announcer announcer;

    @BeforeAll
    static void startServer() throws IOException {
        server = new KubeApiServer(Path.of(System.getProperty("kube-apiserver")), folder);
        admin = server.client("admin");
        try (InputStream rights = Files.newInputStream(Path.of("../daemonset/base/20-rbac.yaml"))) {
            admin.load(rights).create();
        }
    }

    @AfterAll
    static void stopServer() throws IOException {
        admin.close();
        server.close();
    }

    @BeforeEach
    void startAgent() throws IOException {
        client = server.client("agent");
        pods = new NodePods(client, NODE);
        announcer = new Announcer(
                client, pods, pod -> attached.contains(pod.getMetadata().getName()) ? List.of(NET1) : List.of());
        pods.start();
        inTime().until(pods::isWatching);
    }

    @AfterEach
    void stopAgent() {
        announcer.close();
        pods.close();
        client.close();
    }

    private static ConditionFactory inTime() {
        return await().atMost(Duration.ofSeconds(30)).pollInterval(Duration.ofMillis(20));
    }

    private static Pod create(String name, Map<String, String> annotations) {
        return admin.resource(new PodBuilder()
                        .withNewMetadata()
                        .withNamespace("default")
                        .withName(name)
                        .withAnnotations(annotations)
                        .endMetadata()
                        .withNewSpec()
                        .withNodeName(NODE)
                        .withAutomountServiceAccountToken(false)
                        .addNewContainer()
                        .withName("c")
                        .withImage("none")
                        .endContainer()
                        .endSpec()
                        .build())
                .create();
    }

    private void attach(Pod pod) {
        attached.add(pod.getMetadata().getName());
        announcer.attached(new PodIdentity(
                "default", pod.getMetadata().getName(), pod.getMetadata().getUid()));
    }

    private static boolean isTold(Pod pod) {
        Map<String, String> annotations =
                admin.resource(pod).get().getMetadata().getAnnotations();
        return annotations != null
                && json(annotations.getOrDefault(NetworkStatus.ANNOTATION, "[]"))
                        .findValuesAsText("path")
                        .contains("/var/run/vhost/net1.sock");
    }

    @Test
    void podWithoutAnyAnnotationIsTold() {
        Pod pod = create("bare", Map.of());

        attach(pod);

        inTime().until(() -> isTold(pod));
    }

    @Test
    void statusThatMultusWroteIsCompleted() {
        Pod pod = create("multus", Map.of(NetworkStatus.NETWORKS, "rec-simple"));
        attach(pod);

        admin.resource(pod).editStatus(before -> new PodBuilder(before)
                .editMetadata()
                .addToAnnotations(NetworkStatus.ANNOTATION, networkStatus("p-noid"))
                .endMetadata()
                .build());

        inTime().until(() -> isTold(pod));
    }

    @Test
    void nothingIsLostInAHundredRaces() throws Exception {
        try (KubernetesClient agents = server.client("agent");
                AnnouncerRaces races = new AnnouncerRaces(
                        admin, agents, pod -> admin.resource(pod).create())) {
            races.run(100);
        }
    }

    @Test
    void apiServerThatWasKilledIsToldWhenItIsBack() throws IOException {
        Pod pod = create("patient", Map.of());
        inTime().until(() -> pods.find("default", "patient").isPresent());
        server.kill();

        attach(pod);
        server.start();

        inTime().until(() -> isTold(pod));
        Pod later = create("later", Map.of());
        inTime().until(() -> pods.find("default", "later").isPresent());
        attach(later);
        inTime().until(() -> isTold(later));
    }

    @Test
    void testThatFailsAnswers422AndChangesNothing() throws Exception {
        Pod pod = create("tested", Map.of("key", "now"));
        Pod old = new PodBuilder(pod)
                .editMetadata()
                .addToAnnotations("key", "before")
                .endMetadata()
                .build();

        assertThatExceptionOfType(KubernetesClientException.class)
                .isThrownBy(() -> new PodRequests(client)
                        .patchStatus(old, PodPatch.of(old, Map.of("key", "ours", "new", "ours"))))
                .satisfies(e -> assertThat(e.getCode()).isEqualTo(422));

        assertThat(admin.resource(pod).get().getMetadata().getAnnotations()).isEqualTo(Map.of("key", "now"));
    }

    @Test
    void patchForAnotherPodOfTheNameAnswers422() {
        Pod pod = create("another", Map.of("key", "now"));
        Pod predecessor = new PodBuilder(pod)
                .editMetadata()
                .withUid("8113f545-2e99-4abe-aca5-af03de7583a1")
                .endMetadata()
                .build();

        assertThatExceptionOfType(KubernetesClientException.class)
                .isThrownBy(() -> new PodRequests(client)
                        .patchStatus(predecessor, PodPatch.of(predecessor, Map.of("key", "ours"))))
                .satisfies(e -> assertThat(e.getCode()).isEqualTo(422));
    }

    @Test
    void missingAnnotationThatSomebodyAddedMeanwhileIsNotOverwritten() {
        Pod pod = create("added", Map.of("key", "now"));
        admin.pods()
                .resource(pod)
                .patch(PatchContext.of(PatchType.JSON_MERGE), "{\"metadata\":{\"annotations\":{\"new\":\"theirs\"}}}");

        assertThatExceptionOfType(KubernetesClientException.class)
                .isThrownBy(() -> new PodRequests(client).patchStatus(pod, PodPatch.of(pod, Map.of("new", "ours"))))
                .satisfies(e -> assertThat(e.getCode()).isEqualTo(422));
    }

    @Test
    void podThatWasDeletedIsGone() throws Exception {
        Pod pod = create("deleted", Map.of("key", "now"));
        admin.resource(pod).withGracePeriod(0).delete();

        assertThatExceptionOfType(KubernetesClientException.class)
                .isThrownBy(() -> new PodRequests(client).patchStatus(pod, PodPatch.of(pod, Map.of("key", "ours"))))
                .satisfies(e -> {
                    assertThat(PodRequests.isGone(e)).isTrue();
                    assertThat(e.getStatus().getDetails().getKind()).isEqualTo("pods");
                    assertThat(e).hasMessageContaining("pods \"deleted\" not found");
                });
        assertThat(new PodRequests(client).read(pod)).isEmpty();
    }

    @Test
    void interfaceThatIsUnpluggedIsNoLongerTold() {
        Pod pod = create("unplugged", Map.of());
        attach(pod);
        inTime().until(() -> isTold(pod));

        attached.remove("unplugged");
        announcer.detached(
                new PodIdentity("default", "unplugged", pod.getMetadata().getUid()), NET1);

        inTime().untilAsserted(
                        () -> assertThat(admin.resource(pod).get().getMetadata().getAnnotations())
                                .containsEntry(NetworkStatus.ANNOTATION, "[]"));
    }

    @Test
    void agentMayChangeAnnotationsThroughTheStatusAndNothingElse() throws Exception {
        Pod pod = create("guarded", Map.of("key", "now"));

        Pod after = new PodRequests(client).patchStatus(pod, """
                [{"op": "replace", "path": "/spec/containers/0/image", "value": "evil"},
                 {"op": "replace", "path": "/metadata/annotations/key", "value": "ours"}]""");

        assertThat(after.getMetadata().getAnnotations()).containsEntry("key", "ours");
        assertThat(after.getSpec().getContainers().getFirst().getImage()).isEqualTo("none");
        assertThatExceptionOfType(KubernetesClientException.class)
                .isThrownBy(() -> client.pods()
                        .resource(pod)
                        .patch(PatchContext.of(PatchType.JSON_MERGE), "{\"metadata\":{\"labels\":{\"a\":\"b\"}}}"))
                .satisfies(e -> assertThat(e.getCode()).isEqualTo(403));
    }

    @Test
    void eventOfAFailedAddIsWrittenOnceAndCounted() {
        Pod pod = create("failing", Map.of());
        PodIdentity identity =
                new PodIdentity("default", "failing", pod.getMetadata().getUid());
        try (PodEvents events = new PodEvents(client, NODE, InstantSource.system())) {
            events.failed(identity, "net1", new CniException(ErrorCode.TRY_AGAIN, "no", "later"));
            events.failed(identity, "net1", new CniException(ErrorCode.TRY_AGAIN, "still no", "later"));

            inTime().untilAsserted(() -> assertThat(admin.v1()
                            .events()
                            .inNamespace("default")
                            .withField("involvedObject.uid", pod.getMetadata().getUid())
                            .list()
                            .getItems())
                    .singleElement()
                    .satisfies(event -> {
                        assertThat(event.getCount()).isEqualTo(2);
                        assertThat(event.getReason()).isEqualTo(PodEvents.REASON);
                        assertThat(event.getMessage()).isEqualTo("net1: still no: later");
                    }));
        }
    }
}
