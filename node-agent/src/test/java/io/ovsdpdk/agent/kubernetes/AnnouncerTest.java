package io.ovsdpdk.agent.kubernetes;

import static io.ovsdpdk.agent.kubernetes.Recorded.json;
import static io.ovsdpdk.agent.kubernetes.Recorded.networkStatus;
import static io.ovsdpdk.agent.kubernetes.Recorded.ours;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.ConfigBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.dsl.base.PatchContext;
import io.fabric8.kubernetes.client.dsl.base.PatchType;
import io.fabric8.mockwebserver.http.MockResponse;
import io.fabric8.mockwebserver.http.RecordedRequest;
import io.ovsdpdk.agent.kubernetes.testbed.ApiServer;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.PodIdentity;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.awaitility.core.ConditionFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.LoggerFactory;

class AnnouncerTest {
    private static final String NODE = "node-a";
    private static final String SOCKET = "/var/run/vhost/net1.sock";
    private static final PodInterface NET1 = ours("net1", SOCKET);
    private static final PodInterface LEGACY_NET1 = ours("net1", SOCKET, Recorded.MAC, true);

    @TempDir
    private Path folder;

    private final Map<String, List<PodInterface>> interfaces = new ConcurrentHashMap<>();
    private final ListAppender<ILoggingEvent> log = new ListAppender<>();
    private ApiServer server;
    private KubernetesClient client;
    private NodePods pods;
    private Announcer announcer;

    @BeforeEach
    void start() throws Exception {
        server = ApiServer.start();
        startAgent();
        log.start();
        ((Logger) LoggerFactory.getLogger(Conversation.class)).addAppender(log);
    }

    @AfterEach
    void stop() throws Exception {
        ((Logger) LoggerFactory.getLogger(Conversation.class)).detachAppender(log);
        stopAgent();
        server.close();
    }

    private void startAgent() throws Exception {
        connect();
        pods.start();
        // As in the agent: it must hear of what is there already too
        announce();
        soon().until(pods::isWatching);
    }

    private void connect() throws Exception {
        client = new ApiServerAccess.OfKubeconfig(server.writeKubeconfig(folder.resolve("kubeconfig"), "token"))
                .client();
        pods = new NodePods(client, NODE);
    }

    private void announce() {
        announcer = new Announcer(
                client, pods, pod -> interfaces.getOrDefault(pod.getMetadata().getName(), List.of()));
    }

    private void stopAgent() {
        announcer.close();
        pods.close();
        client.close();
    }

    private static ConditionFactory soon() {
        return await().atMost(Duration.ofSeconds(20)).pollInterval(Duration.ofMillis(5));
    }

    /** A pod that the agent has seen, with these annotations. */
    private Pod pod(String name, Map<String, String> annotations) {
        Pod created = server.create(bare(name, annotations));
        soon().until(() -> pods.find("default", name)
                .filter(seen ->
                        seen.getMetadata().getUid().equals(created.getMetadata().getUid()))
                .isPresent());
        server.forgetRequests();
        return created;
    }

    private static Pod bare(String name, Map<String, String> annotations) {
        return new PodBuilder()
                .withNewMetadata()
                .withNamespace("default")
                .withName(name)
                .withAnnotations(annotations.isEmpty() ? null : annotations)
                .endMetadata()
                .withNewSpec()
                .withNodeName(NODE)
                .endSpec()
                .build();
    }

    private Pod podOfMultus(String name) {
        return pod(name, Map.of(NetworkStatus.NETWORKS, "rec-simple"));
    }

    private void attach(Pod pod, PodInterface... made) {
        interfaces.put(pod.getMetadata().getName(), List.of(made));
        announcer.attached(new PodIdentity(
                "default", pod.getMetadata().getName(), pod.getMetadata().getUid()));
    }

    /** As Multus does: the whole value, whatever there is. */
    private void multusWrites(Pod pod, String status) {
        write(pod, NetworkStatus.ANNOTATION, status);
    }

    private void write(Pod pod, String annotation, String text) {
        ObjectNode patch = Json.object();
        patch.putObject("metadata").putObject("annotations").put(annotation, text);
        server.client().pods().resource(pod).patch(PatchContext.of(PatchType.JSON_MERGE), patch.toString());
    }

    private Map<String, String> annotations(Pod pod) {
        return server.client().resource(pod).get().getMetadata().getAnnotations();
    }

    private boolean isTold(Pod pod) {
        return pathOf(pod).equals(SOCKET);
    }

    private String pathOf(Pod pod) {
        for (var entry : json(annotations(pod).getOrDefault(NetworkStatus.ANNOTATION, "[]"))) {
            if (entry.path("interface").asText().equals("net1")) {
                return entry.at("/device-info/vhost-user/path").asText();
            }
        }
        return "";
    }

    /** What the agent asked the API server about single pods. */
    private List<String> agentsRequests() {
        return server.requests().stream()
                .filter(request -> request.matches("PATCH .*/pods/[^/]+/status.*"))
                .toList();
    }

    private List<String> agentsReads() {
        return server.requests().stream()
                .filter(request -> request.startsWith("GET /api/v1/namespaces/default/pods/"))
                .toList();
    }

    private static boolean isPatch(RecordedRequest request) {
        return request.getMethod().equals("PATCH") && request.getPath().contains("/status");
    }

    @Test
    void statusThatMultusWroteIsCompletedByOnePatchWithoutReading() {
        Pod pod = podOfMultus("p-noid");
        attach(pod, NET1);

        multusWrites(pod, networkStatus("p-noid"));

        soon().untilAsserted(() -> assertThat(log.list)
                .anySatisfy(event -> assertThat(event.getFormattedMessage()).startsWith("told: pod=default/p-noid")));

        assertThat(server.requests())
                .containsExactly(
                        "PATCH /api/v1/namespaces/default/pods/p-noid",
                        "PATCH /api/v1/namespaces/default/pods/p-noid/status");
        assertThat(isTold(pod)).isTrue();
    }

    @Test
    void allInterfacesOfAPodAreToldByOnePatch() {
        Pod pod = podOfMultus("p-full");
        attach(pod, ours("vhu0", "/a/vhu0.sock"), ours("net2", "/a/net2.sock"), ours("net3", "/b/net3.sock"));

        multusWrites(pod, networkStatus("p-full"));

        soon().until(() ->
                annotations(pod).getOrDefault(NetworkStatus.ANNOTATION, "").contains("/b/net3.sock"));
        assertThat(agentsRequests()).hasSize(1);
        assertThat(json(annotations(pod).get(NetworkStatus.ANNOTATION)).findValuesAsText("path"))
                .containsExactly("/a/vhu0.sock", "/a/net2.sock", "/b/net3.sock");
    }

    @Test
    void untilMultusHasWrittenNothingIsSaid() {
        Pod pod = podOfMultus("p1");
        attach(pod, LEGACY_NET1);
        Pod marker = pod("marker", Map.of());
        attach(marker, NET1);

        soon().until(() -> isTold(marker));
        assertThat(agentsRequests()).containsExactly("PATCH /api/v1/namespaces/default/pods/marker/status");
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void podWithoutMultusIsToldAtOnce(boolean annotated) {
        Pod pod = pod("p1", annotated ? Map.of("a/b~c", "d=e") : Map.of());

        attach(pod, NET1);

        soon().until(() -> isTold(pod));
        assertThat(agentsRequests()).hasSize(1);
        assertThat(annotations(pod)).hasSize(annotated ? 2 : 1);
    }

    @Test
    void statusThatIsWrittenAnewIsCompletedAnew() {
        Pod pod = podOfMultus("p-noid");
        attach(pod, NET1);
        multusWrites(pod, networkStatus("p-noid"));
        soon().until(() -> isTold(pod));

        multusWrites(pod, networkStatus("p-noid").replace("10.244.0.2", "10.244.0.99"));

        soon().until(() -> isTold(pod));
        assertThat(annotations(pod).get(NetworkStatus.ANNOTATION)).contains("10.244.0.99");
    }

    @Test
    void legacyAnnotationsComeWithTheSamePatchAndReplaceStaleOnes() {
        Pod pod = pod(
                "p-noid",
                Map.of(
                        NetworkStatus.NETWORKS, "rec-simple",
                        LegacyAnnotations.CONFIGURATION_DATA, "[{\"containerId\":\"deadbeef\",\"ifName\":\"net1\"}]",
                        LegacyAnnotations.MAPPED_DIR, "/old"));
        attach(pod, LEGACY_NET1);

        multusWrites(pod, networkStatus("p-noid"));

        soon().until(() -> isTold(pod));
        assertThat(agentsRequests()).hasSize(1);
        assertThat(annotations(pod)).containsEntry(LegacyAnnotations.MAPPED_DIR, "/var/run/vhost/");
        assertThat(AppNetutil.interfaces(AppNetutil.file(Map.of(
                        LegacyAnnotations.MAPPED_DIR,
                        annotations(pod).get(LegacyAnnotations.MAPPED_DIR),
                        LegacyAnnotations.CONFIGURATION_DATA,
                        annotations(pod).get(LegacyAnnotations.CONFIGURATION_DATA)))))
                .containsExactly(new AppNetutil.Interface("net1", "vhost-user", "server", SOCKET, List.of()));
    }

    @Test
    void agentThatWasAwayCompletesWhatLacksIt() throws Exception {
        Pod pod = podOfMultus("p-noid");
        interfaces.put("p-noid", List.of(NET1));
        stopAgent();
        multusWrites(pod, networkStatus("p-noid"));
        assertThat(isTold(pod)).isFalse();

        startAgent();

        soon().until(() -> isTold(pod));
    }

    /** A writer comes between what we read and our patch: nothing of either is lost. */
    @Test
    void rivalsWordStaysAndOursIsSaidAgain() {
        Pod pod = podOfMultus("p-noid");
        multusWrites(pod, networkStatus("p-noid"));
        soon().until(() -> pods.find("default", "p-noid")
                .orElseThrow()
                .getMetadata()
                .getAnnotations()
                .containsKey(NetworkStatus.ANNOTATION));
        AtomicInteger patches = new AtomicInteger();
        server.answerWith(request -> {
            // Not after the answer to it, but before it is looked at
            if (isPatch(request) && patches.getAndIncrement() == 0) {
                server.contentsChange(
                        "default",
                        "p-noid",
                        NetworkStatus.ANNOTATION,
                        networkStatus("p-noid").replace("10.244.0.2", "10.244.0.99"));
            }
            return Optional.empty();
        });

        attach(pod, NET1);

        soon().until(() -> isTold(pod));
        assertThat(annotations(pod).get(NetworkStatus.ANNOTATION)).contains("10.244.0.99");
        assertThat(patches).hasValue(2);
    }

    @ParameterizedTest
    @ValueSource(ints = {409, 422})
    void refusalIsAnsweredByAFreshLookAndAnotherPatch(int code) {
        Pod pod = pod("p1", Map.of());
        AtomicInteger patches = new AtomicInteger();
        server.answerWith(request -> {
            if (!isPatch(request) || patches.getAndIncrement() > 0) {
                return Optional.empty();
            }
            server.contentsChange("default", "p1", "rival", "was here");
            return Optional.of(new MockResponse().setResponseCode(code));
        });

        attach(pod, NET1);

        soon().until(() -> isTold(pod));
        assertThat(agentsRequests()).hasSize(2);
        assertThat(annotations(pod)).containsEntry("rival", "was here");
    }

    @ParameterizedTest
    @ValueSource(ints = {403, 500, 503, 429})
    void apiServerThatCanNotIsAskedAgain(int code) {
        Pod pod = pod("p1", Map.of());
        AtomicInteger patches = new AtomicInteger();
        server.answerWith(request -> isPatch(request) && patches.getAndIncrement() < 3
                ? Optional.of(new MockResponse().setResponseCode(code))
                : Optional.empty());

        attach(pod, NET1);

        soon().until(() -> isTold(pod));
        assertThat(patches).hasValue(4);
        assertThat(warnings()).hasSize(1);
    }

    /** What is before an API server has words of its own. The first is Envoy's. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "503 | upstream connect error or disconnect/reset before headers. latest reset reason: remote connection failure,"
                        + " transport failure reason: delayed connect error: 111",
                "503 | {\"message\": ",
                "404 | <html><body>no such site</body></html>",
                "404 | ''",
                "404 | default backend - 404",
                "404 | {kind: Status, reason: NotFound}",
                "404 | {\"reason\": \"NotFound\"}",
                "404 | {\"kind\": \"Error\", \"reason\": \"NotFound\"}",
                "404 | {\"kind\": \"Status\", \"reason\": \"NotFound\"} and more",
                "404 | {\"kind\": \"Status\", \"reason\": \"Unknown\", \"message\": \"page not found\"}",
                "404 | {\"kind\": \"Status\", \"reason\": \"NotFound\", \"details\": {\"kind\": \"namespaces\"}}",
                "200 | ''",
                "200 | {}",
                "200 | a: b: c"
            })
    void answerThatIsNoneOfAnApiServerIsNoAnswer(int code, String body) {
        Pod pod = pod("p1", Map.of());
        AtomicInteger patches = new AtomicInteger();
        server.answerWith(request -> isPatch(request) && patches.getAndIncrement() < 3
                ? Optional.of(new MockResponse().setResponseCode(code).setBody(body))
                : Optional.empty());

        attach(pod, NET1);

        soon().until(() -> isTold(pod));
        assertThat(patches).hasValue(4);
        assertThat(warnings()).hasSize(1);
    }

    /** The refusal is not the last word, and what is between us and the API server has nothing to say of a pod. */
    @ParameterizedTest
    @ValueSource(
            strings = {"<html><body>no such site</body></html>", "{\"kind\": \"Status\", \"reason\": \"Unknown\"}"})
    void lookAfterARefusalThatNobodyAnswersIsNoAnswer(String body) {
        Pod pod = pod("p1", Map.of());
        AtomicInteger reads = new AtomicInteger();
        server.answerWith(request -> {
            if (isPatch(request) && reads.get() < 2) {
                return Optional.of(new MockResponse().setResponseCode(422));
            }
            boolean read =
                    request.getMethod().equals("GET") && request.getPath().endsWith("/pods/p1");
            return read && reads.getAndIncrement() < 2
                    ? Optional.of(new MockResponse().setResponseCode(404).setBody(body))
                    : Optional.empty();
        });

        attach(pod, NET1);

        // Ours look at the pod too
        soon().until(() -> reads.get() == 2);
        soon().until(() -> isTold(pod));
        assertThat(warnings()).hasSize(1);
    }

    /** The API server's own words, as kube-apiserver 1.20 has them. */
    @Test
    void podThatTheApiServerDoesNotHaveIsNoMistake() {
        Pod pod = pod("p1", Map.of());
        server.answerWith(request -> isPatch(request)
                ? Optional.of(new MockResponse().setResponseCode(404).setBody("""
                        {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                         "message": "pods \\"p1\\" not found", "reason": "NotFound",
                         "details": {"name": "p1", "kind": "pods"}, "code": 404}"""))
                : Optional.empty());

        attach(pod, NET1);

        soon().until(() -> !agentsRequests().isEmpty());
        await().during(Duration.ofMillis(200))
                .atMost(Duration.ofSeconds(1))
                .until(() -> agentsRequests().size() == 1);
        assertThat(warnings()).isEmpty();
    }

    /** More often than there are turns. */
    @Test
    void requestThatCanNotEvenBeSentIsSentLater() {
        Pod pod = pod("p1", Map.of());
        AtomicInteger attempts = new AtomicInteger();
        try (KubernetesClient failing = new KubernetesClientBuilder()
                        .withConfig(new ConfigBuilder(Config.empty())
                                .withMasterUrl(server.url())
                                .withOauthTokenProvider(() -> {
                                    if (attempts.getAndIncrement() < 6) {
                                        throw new IllegalStateException("no token");
                                    }
                                    return "token";
                                })
                                .build())
                        .build();
                Announcer other = new Announcer(failing, pods, _ -> List.of(NET1))) {
            other.changed(pod);

            soon().until(() -> isTold(pod));
            assertThat(warnings()).singleElement().asString().contains("no token");
        }
    }

    @Test
    void apiServerThatIsAwayIsToldWhenItIsBack() throws Exception {
        Pod pod = pod("p1", Map.of());
        server.stop();

        attach(pod, NET1);

        soon().until(() -> !warnings().isEmpty());
        server.restart();
        soon().until(() -> isTold(pod));
    }

    @Test
    void refusalThatStaysIsRepeatedEverMoreSeldom() {
        Pod pod = pod("p1", Map.of());
        server.answerWith(
                request -> isPatch(request) ? Optional.of(new MockResponse().setResponseCode(422)) : Optional.empty());

        attach(pod, NET1);

        // 10 ms, doubled each time: the eighth comes after 1.3 s
        soon().until(() -> agentsRequests().size() >= 6);
        await().during(Duration.ofMillis(300))
                .atMost(Duration.ofSeconds(1))
                .until(() -> agentsRequests().size() <= 8);
        assertThat(warnings()).singleElement().asString().contains("it can't be told of its interfaces yet");
        server.answerWell();
        soon().until(() -> isTold(pod));
    }

    @Test
    void podThatIsGoneIsNoMistake() throws Exception {
        Pod pod = podOfMultus("p-noid");
        loseSight();
        server.client().resource(pod).delete();
        interfaces.put("p-noid", List.of(NET1));

        announcer.changed(new PodBuilder(pod)
                .editMetadata()
                .addToAnnotations(NetworkStatus.ANNOTATION, networkStatus("p-noid"))
                .endMetadata()
                .build());

        soon().until(() -> !agentsRequests().isEmpty());
        await().during(Duration.ofMillis(200))
                .atMost(Duration.ofSeconds(1))
                .until(() -> agentsRequests().size() == 1);
        assertThat(warnings()).isEmpty();
    }

    @Test
    void successorOfTheSameNameIsNotTold() throws Exception {
        Pod pod = pod("web-0", Map.of());
        loseSight();
        server.client().resource(pod).delete();
        Pod successor = server.create(new PodBuilder(pod)
                .editMetadata()
                .withUid(null)
                .withResourceVersion(null)
                .endMetadata()
                .build());

        attach(pod, NET1);

        soon().until(() -> !agentsReads().isEmpty());
        await().during(Duration.ofMillis(200))
                .atMost(Duration.ofSeconds(1))
                .until(() -> agentsRequests().size() == 1);
        assertThat(pathOf(successor)).isEmpty();
        assertThat(warnings()).isEmpty();
    }

    @Test
    void goneWhileTheApiServerRefusesEndsIt() {
        Pod pod = pod("p1", Map.of());
        server.answerWith(
                request -> isPatch(request) ? Optional.of(new MockResponse().setResponseCode(500)) : Optional.empty());
        attach(pod, NET1);
        soon().until(() -> agentsRequests().size() >= 2);

        server.client().resource(pod).delete();

        soon().until(() -> announcer.conversations() == 0);
        int asked = agentsRequests().size();
        await().during(Duration.ofMillis(200))
                .atMost(Duration.ofSeconds(1))
                .until(() -> agentsRequests().size() <= asked + 1);
    }

    @Test
    void writerThatUndoesEachPatchIsAnsweredEverySecondOnly() {
        Pod pod = pod("p1", Map.of());
        AtomicBoolean quarrelling = new AtomicBoolean(true);
        pods.addListener(new PodListener() {
            @Override
            public void changed(Pod seen) {
                String status = seen.getMetadata().getAnnotations().getOrDefault(NetworkStatus.ANNOTATION, "[]");
                if (quarrelling.get() && !status.equals("[]")) {
                    multusWrites(pod, "[]");
                }
            }

            @Override
            public void gone(Pod seen) {}
        });

        attach(pod, NET1);

        soon().until(() -> agentsRequests().size() >= 10);
        await().during(Duration.ofMillis(2500))
                .atMost(Duration.ofSeconds(4))
                .until(() -> agentsRequests().size() <= 14);
        quarrelling.set(false);
        soon().until(() -> isTold(pod));
    }

    @Test
    void podThatGoesWhileItIsAttachedIsForgotten() {
        Pod pod = pod("p1", Map.of());
        AtomicBoolean going = new AtomicBoolean();
        CountDownLatch gone = new CountDownLatch(1);
        try (Announcer other = new Announcer(client, pods, _ -> {
            if (!going.getAndSet(false)) {
                return List.of();
            }
            // It was found, and has no conversation yet
            server.client().resource(pod).delete();
            soon().until(() -> gone.getCount() == 0);
            return List.of(NET1);
        })) {
            // After the announcer has heard of it
            pods.addListener(new PodListener() {
                @Override
                public void changed(Pod seen) {}

                @Override
                public void gone(Pod seen) {
                    gone.countDown();
                }
            });
            going.set(true);

            other.attached(new PodIdentity("default", "p1", pod.getMetadata().getUid()));

            assertThat(other.conversations()).isZero();
        }
    }

    /** The watch tells of a change before our patch after the answer to it. */
    @Test
    void newsFromBeforeOurOwnPatchIsNoNews() {
        Pod pod = pod("p1", Map.of());
        attach(pod, NET1);
        soon().until(() -> isTold(pod));
        server.forgetRequests();

        announcer.changed(pod);
        Pod marker = pod("marker", Map.of());
        attach(marker, NET1);

        soon().until(() -> isTold(marker));
        assertThat(agentsRequests()).noneMatch(request -> request.contains("/p1/"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"no JSON", "{}"})
    void brokenStatusIsLeftAloneAndReportedOnce(String text) {
        Pod pod = podOfMultus("p1");
        attach(pod, NET1);
        multusWrites(pod, text);
        soon().until(() -> warnings().size() == 1);

        write(pod, "other", "change");
        write(pod, "other", "another change");
        Pod marker = pod("marker", Map.of());
        attach(marker, NET1);

        soon().until(() -> isTold(marker));
        assertThat(annotations(pod)).containsEntry(NetworkStatus.ANNOTATION, text);
        assertThat(warnings()).hasSize(1);
        assertThat(warnings().getFirst()).contains("pod=default/p1", "network-status is not");
    }

    @Test
    void eachOfTwoBrokenAnnotationsIsReportedOnceUntilItChanges() {
        Pod pod = pod(
                "p1",
                Map.of(
                        NetworkStatus.NETWORKS, "rec-simple",
                        NetworkStatus.ANNOTATION, "no JSON",
                        LegacyAnnotations.CONFIGURATION_DATA, "none either"));
        attach(pod, LEGACY_NET1);
        soon().until(() -> warnings().size() == 2);

        // Each is looked at for itself
        for (int change = 0; change < 3; change++) {
            write(pod, "other", "change " + change);
            String version = server.client().resource(pod).get().getMetadata().getResourceVersion();
            soon().until(() -> pods.find("default", "p1")
                    .orElseThrow()
                    .getMetadata()
                    .getResourceVersion()
                    .equals(version));
        }
        write(pod, LegacyAnnotations.CONFIGURATION_DATA, "nor this");

        soon().until(() -> warnings().size() > 2);
        assertThat(warnings())
                .satisfiesExactlyInAnyOrder(
                        warning -> assertThat(warning).contains("network-status is not JSON"),
                        warning -> assertThat(warning).contains("configuration-data is not JSON", "none either"),
                        warning -> assertThat(warning).contains("configuration-data is not JSON", "nor this"));
    }

    /** The interface is gone, and what is left of ours is in the pod. */
    private void detach(Pod pod, PodInterface gone, PodInterface... left) {
        interfaces.put(pod.getMetadata().getName(), List.of(left));
        announcer.detached(
                new PodIdentity(
                        "default",
                        pod.getMetadata().getName(),
                        pod.getMetadata().getUid()),
                gone);
    }

    /** As an application of the pod finds them. */
    private List<String> toldInOldStyle(Pod pod) {
        return json(annotations(pod).getOrDefault(LegacyAnnotations.CONFIGURATION_DATA, "[]"))
                .findValuesAsText("ifName");
    }

    @Test
    void interfaceThatIsUnpluggedIsNoLongerTold() {
        PodInterface net2 = ours("net2", "/var/run/vhost/net2.sock", Recorded.MAC, true);
        Pod pod = podOfMultus("p1");
        multusWrites(pod, "[{\"interface\": \"net1\"}, {\"interface\": \"net2\"}]");
        write(
                pod,
                LegacyAnnotations.CONFIGURATION_DATA,
                "[{\"containerId\":\"c0ffee\",\"ifName\":\"memif0\",\"x\":1.50}]");
        attach(pod, LEGACY_NET1, net2);
        soon().until(() -> toldInOldStyle(pod).equals(List.of("memif0", "net1", "net2")));
        server.forgetRequests();

        detach(pod, LEGACY_NET1, net2);

        soon().until(() -> toldInOldStyle(pod).equals(List.of("memif0", "net2")));
        assertThat(agentsRequests()).hasSize(1);
        assertThat(annotations(pod))
                .hasEntrySatisfying(LegacyAnnotations.CONFIGURATION_DATA, text -> assertThat(text)
                        .startsWith("[{\"containerId\":\"c0ffee\",\"ifName\":\"memif0\",\"x\":1.50},"))
                .hasEntrySatisfying(NetworkStatus.ANNOTATION, text -> assertThat(text)
                        .as("what Multus wrote, it takes back")
                        .contains("net1"));

        detach(pod, net2);

        soon().until(() -> toldInOldStyle(pod).equals(List.of("memif0")));
        assertThat(agentsRequests()).hasSize(2);
    }

    @Test
    void interfaceThatIsUnpluggedWhileTheApiServerIsAwayIsNoLongerToldLater() {
        Pod pod = pod("p1", Map.of());
        attach(pod, LEGACY_NET1);
        soon().until(() -> isTold(pod));
        AtomicInteger patches = new AtomicInteger();
        server.answerWith(request -> isPatch(request) && patches.getAndIncrement() < 3
                ? Optional.of(new MockResponse().setResponseCode(503))
                : Optional.empty());

        detach(pod, LEGACY_NET1);

        soon().until(() -> toldInOldStyle(pod).isEmpty());
        assertThat(annotations(pod)).containsEntry(NetworkStatus.ANNOTATION, "[]");
        assertThat(patches).hasValue(4);
    }

    /** The next agent carries out what was left before it has seen the pods. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void interfaceThatIsUnpluggedWhileNoAgentRunsIsNoLongerTold(boolean last) throws Exception {
        PodInterface net2 = ours("net2", "/var/run/vhost/net2.sock", Recorded.MAC, true);
        PodInterface[] left = last ? new PodInterface[0] : new PodInterface[] {net2};
        Pod pod = pod("p1", Map.of());
        attach(pod, last ? new PodInterface[] {LEGACY_NET1} : new PodInterface[] {LEGACY_NET1, net2});
        soon().until(() -> toldInOldStyle(pod).size() == left.length + 1);
        stopAgent();

        connect();
        announce();
        detach(pod, LEGACY_NET1, left);
        pods.start();

        soon().untilAsserted(() ->
                assertThat(toldInOldStyle(pod)).hasSize(left.length).doesNotContain("net1"));
        assertThat(annotations(pod).get(NetworkStatus.ANNOTATION)).doesNotContain("net1");
    }

    /** Its removal was under way when the agent was started anew, and ends after the pods were seen. */
    @Test
    void interfaceWhoseRemovalOutlivesAnAgentIsNoLongerTold() throws Exception {
        Pod pod = pod("p1", Map.of());
        attach(pod, LEGACY_NET1);
        soon().until(() -> toldInOldStyle(pod).equals(List.of("net1")));
        stopAgent();
        interfaces.remove("p1");
        startAgent();
        soon().until(() -> pods.isSynchronised() && pods.find("default", "p1").isPresent());

        detach(pod, LEGACY_NET1);

        soon().until(() -> toldInOldStyle(pod).isEmpty());
        assertThat(annotations(pod)).containsEntry(NetworkStatus.ANNOTATION, "[]");
    }

    @Test
    void interfaceThatIsUnpluggedAgainWhileItIsToldOfIsNoLongerTold() {
        PodInterface net2 = ours("net2", "/var/run/vhost/net2.sock", Recorded.MAC, true);
        Pod pod = pod("p1", Map.of());
        attach(pod, LEGACY_NET1);
        soon().until(() -> isTold(pod));
        AtomicInteger patches = new AtomicInteger();
        server.answerWith(request -> {
            if (!isPatch(request)) {
                return Optional.empty();
            }
            return switch (patches.getAndIncrement()) {
                case 0 -> {
                    attach(pod, LEGACY_NET1, net2);
                    yield Optional.of(new MockResponse().setResponseCode(503));
                }
                case 1 -> {
                    detach(pod, LEGACY_NET1, net2);
                    yield Optional.empty();
                }
                default -> Optional.empty();
            };
        });

        detach(pod, LEGACY_NET1);

        soon().until(() -> toldInOldStyle(pod).equals(List.of("net2")));
        assertThat(pathOf(pod)).isEmpty();
    }

    @Test
    void interfaceThatIsPluggedInAgainIsTold() {
        Pod pod = pod("p1", Map.of());
        attach(pod, LEGACY_NET1);
        soon().until(() -> isTold(pod));
        detach(pod, LEGACY_NET1);
        soon().until(() -> toldInOldStyle(pod).isEmpty());

        attach(pod, LEGACY_NET1);

        soon().until(() -> toldInOldStyle(pod).equals(List.of("net1")));
        assertThat(isTold(pod)).isTrue();
    }

    /** Its DEL comes late: the next one has the same name and address. */
    @Test
    void endOfASandboxBeforeTakesNothingOfTheNextOne() {
        Pod pod = pod("p1", Map.of());
        attach(pod, LEGACY_NET1);
        soon().until(() -> isTold(pod));
        write(
                pod,
                NetworkStatus.ANNOTATION,
                annotations(pod).get(NetworkStatus.ANNOTATION).replace("\"dns\"", "\"x\":1,\"dns\""));
        soon().until(() -> pods.find("default", "p1")
                .orElseThrow()
                .getMetadata()
                .getAnnotations()
                .toString()
                .contains("\"x\":1"));
        server.forgetRequests();

        detach(
                pod,
                new PodInterface("deadbeef", "fast", LEGACY_NET1.attached(), true),
                LEGACY_NET1,
                ours("net2", "/var/run/vhost/net2.sock"));

        soon().until(() -> !agentsRequests().isEmpty());
        soon().until(() -> annotations(pod).get(NetworkStatus.ANNOTATION).contains("net2"));
        assertThat(isTold(pod)).isTrue();
        assertThat(annotations(pod).get(NetworkStatus.ANNOTATION)).contains("\"x\":1");
        assertThat(toldInOldStyle(pod)).containsExactly("net1");
    }

    @ParameterizedTest
    @ValueSource(strings = {"deleted", "Succeeded", "Failed"})
    void podThatEndsIsToldNothingMore(String end) {
        Pod pod = pod("p1", Map.of());
        attach(pod, LEGACY_NET1);
        soon().until(() -> isTold(pod));
        PodBuilder ending = new PodBuilder(server.client().resource(pod).get());
        if (end.equals("deleted")) {
            // With a finalizer it stays for a while
            server.client()
                    .resource(ending.editMetadata()
                            .addToFinalizers("test/finalizer")
                            .endMetadata()
                            .build())
                    .update();
            server.client().resource(pod).delete();
        } else {
            server.client()
                    .resource(ending.withNewStatus().withPhase(end).endStatus().build())
                    .updateStatus();
        }
        soon().until(() -> pods.find("default", "p1")
                .filter(seen -> seen.getMetadata().getDeletionTimestamp() != null
                        || seen.getStatus() != null
                                && end.equals(seen.getStatus().getPhase()))
                .isPresent());
        server.forgetRequests();

        detach(pod, LEGACY_NET1);
        Pod marker = pod("marker", Map.of());
        attach(marker, NET1);

        soon().until(() -> isTold(marker));
        assertThat(agentsRequests()).noneMatch(request -> request.contains("/p1/"));
        assertThat(toldInOldStyle(pod)).containsExactly("net1");
    }

    @Test
    void podsWithoutOurInterfacesAreNoConcernOfOurs() {
        Pod stranger = podOfMultus("stranger");
        multusWrites(stranger, networkStatus("p-noid"));
        Pod marker = pod("marker", Map.of());
        attach(marker, NET1);

        soon().until(() -> isTold(marker));
        assertThat(announcer.conversations()).isEqualTo(1);
        assertThat(pathOf(stranger)).isEmpty();
    }

    private void loseSight() throws InterruptedException {
        server.answerWith(request -> request.getPath().startsWith("/api/v1/pods")
                ? Optional.of(new MockResponse().setResponseCode(503))
                : Optional.empty());
        server.breakWatches();
        soon().until(() -> !pods.isWatching());
        server.forgetRequests();
    }

    private List<String> warnings() {
        return List.copyOf(log.list).stream()
                .filter(event -> event.getLevel().toString().equals("WARN"))
                .map(ILoggingEvent::getFormattedMessage)
                .toList();
    }
}
