package io.ovsdpdk.agent.kubernetes;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.mockwebserver.http.MockResponse;
import io.ovsdpdk.agent.kubernetes.testbed.ApiServer;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.PodIdentity;
import io.ovsdpdk.ovsdb.Deadline;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.awaitility.core.ConditionFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NodePodsTest {
    private static final String NODE = "node-a";

    @TempDir
    private Path folder;

    private ApiServer server;
    private KubernetesClient client;
    private NodePods pods;

    @BeforeEach
    void startServer() throws Exception {
        server = ApiServer.start();
        follow(new ApiServerAccess.OfKubeconfig(server.writeKubeconfig(folder.resolve("kubeconfig"), "first"))
                .client());
    }

    @AfterEach
    void stopServer() throws Exception {
        pods.close();
        client.close();
        server.close();
    }

    private void follow(KubernetesClient by) {
        client = by;
        pods = new NodePods(client, NODE);
    }

    private void start() {
        pods.start();
        soon().until(pods::isWatching);
    }

    /** The watch breaks, and neither lists nor watches are answered any more. */
    private void loseSight() throws InterruptedException {
        server.answerWith(request -> request.getPath().startsWith("/api/v1/pods")
                ? Optional.of(new MockResponse().setResponseCode(500))
                : Optional.empty());
        server.breakWatches();
        soon().until(() -> !pods.isWatching());
    }

    private static ConditionFactory soon() {
        return await().atMost(Duration.ofSeconds(20)).pollInterval(Duration.ofMillis(5));
    }

    private static Pod pod(String name, String node) {
        return new PodBuilder()
                .withNewMetadata()
                .withNamespace("default")
                .withName(name)
                .addToAnnotations("key", "value")
                .addToLabels("app", name)
                .endMetadata()
                .withNewSpec()
                .withNodeName(node)
                .addNewVolume()
                .withName("shared-dir")
                .withNewEmptyDir()
                .endEmptyDir()
                .endVolume()
                .addNewContainer()
                .withName("dpdk")
                .addNewEnv()
                .withName("LONG")
                .withValue("x".repeat(1000))
                .endEnv()
                .addNewVolumeMount()
                .withName("shared-dir")
                .withMountPath("/sockets")
                .endVolumeMount()
                .endContainer()
                .endSpec()
                .build();
    }

    private static PodIdentity identity(Pod pod) {
        return identity(pod.getMetadata().getName(), uid(pod));
    }

    private static String uid(Pod pod) {
        return pod.getMetadata().getUid();
    }

    private static PodIdentity identity(String name, String uid) {
        return new PodIdentity("default", name, uid);
    }

    private Pod require(PodIdentity wanted) throws CniException, InterruptedException {
        return pods.require(wanted, Deadline.after(Duration.ofSeconds(10)));
    }

    private List<String> gets() {
        return server.requests().stream()
                .filter(request -> request.startsWith("GET /api/v1/namespaces/default/pods/"))
                .toList();
    }

    private static void assertTryAgain(String words, ThrowingCallable call) {
        assertThatExceptionOfType(CniException.class)
                .isThrownBy(call)
                .withMessageContaining(words)
                .satisfies(e -> assertThat(e.code()).isEqualTo(ErrorCode.TRY_AGAIN.code()));
    }

    @Test
    void podsOfThisNodeAreInMemoryAndNoOthers() throws Exception {
        server.create(pod("here", NODE));
        server.create(pod("elsewhere", "node-b"));

        start();
        server.create(pod("later", NODE));
        server.create(pod("later-elsewhere", "node-b"));

        soon().until(() -> pods.count() == 2);
        assertThat(pods.find("default", "here")).isPresent();
        assertThat(pods.find("default", "later")).isPresent();
        assertThat(pods.isSynchronised()).isTrue();
        assertThat(server.requests())
                .filteredOn(request -> request.startsWith("GET /api/v1/pods"))
                .allSatisfy(request -> assertThat(request).contains("fieldSelector=spec.nodeName=" + NODE));
    }

    @Test
    void podInMemoryIsNotAskedFor() throws Exception {
        Pod here = server.create(pod("here", NODE));
        start();
        server.forgetRequests();

        Pod withUid = require(identity(here));
        Pod without = require(identity("here", ""));

        assertThat(uid(withUid)).isEqualTo(uid(here));
        assertThat(without).isSameAs(withUid);
        assertThat(server.requests()).isEmpty();
    }

    @Test
    void memoryHoldsWhatIsReadAndNoMore() throws Exception {
        Pod here = server.create(pod("here", NODE));
        start();

        Pod pod = require(identity(here));

        assertThat(pod.getMetadata().getAnnotations()).containsEntry("key", "value");
        assertThat(pod.getSpec().getVolumes()).hasSize(1);
        assertThat(pod.getSpec().getContainers().getFirst().getVolumeMounts()).hasSize(1);
        assertThat(pod.getSpec().getContainers().getFirst().getEnv()).isEmpty();
        assertThat(pod.getMetadata().getLabels()).isEmpty();
    }

    @Test
    void podThatIsNotThereYetIsAskedForOnce() throws Exception {
        start();
        loseSight();
        Pod created = server.create(pod("new", NODE));

        Pod found = require(identity(created));

        assertThat(uid(found)).isEqualTo(uid(created));
        assertThat(gets()).hasSize(1);
    }

    @Test
    void successorOfTheSameNameIsNotTakenForThePod() throws Exception {
        server.create(pod("web-0", NODE));
        start();

        assertTryAgain("and not u1 as the runtime says", () -> require(identity("web-0", "u1")));
        assertThat(gets()).hasSize(1);
    }

    @Test
    void podWithoutUidIsTakenFromTheApiServerWhileMemoryMayBeOld() throws Exception {
        Pod old = server.create(pod("web-0", NODE));
        start();
        loseSight();
        server.client().resource(old).delete();
        Pod successor = server.create(pod("web-0", NODE));

        Pod found = require(identity("web-0", ""));

        assertThat(uid(pods.find("default", "web-0").orElseThrow())).isEqualTo(uid(old));
        assertThat(uid(found)).isEqualTo(uid(successor));
    }

    @Test
    void podWithoutUidIsTakenFromMemoryWhileNobodyCanBeAsked() throws Exception {
        Pod known = server.create(pod("web-0", NODE));
        start();
        loseSight();
        server.stop();

        Pod found = require(identity("web-0", ""));

        assertThat(uid(found)).isEqualTo(uid(known));
        server.restart();
    }

    @Test
    void staticPodIsFoundByTheUidThatKubeletGaveIt() throws Exception {
        Pod mirror = server.create(new PodBuilder(pod("static-node-a", NODE))
                .editMetadata()
                .addToAnnotations("kubernetes.io/config.mirror", "hash")
                .endMetadata()
                .build());
        start();

        assertThat(uid(require(identity("static-node-a", "hash")))).isEqualTo(uid(mirror));
    }

    @Test
    void podThatDoesNotExistIsAnErrorAtOnce() {
        start();

        assertTryAgain("the API server has no pod default/none", () -> require(identity("none", "u1")));
    }

    @Test
    void podOfAnotherNodeShowsThatTheAgentHasAnotherName() {
        Pod elsewhere = server.create(pod("elsewhere", "node-b"));
        start();

        assertTryAgain("is on node node-b", () -> require(identity(elsewhere)));
    }

    @Test
    void agentThatMayNotReadPodsSaysSo() {
        server.answerWith(_ -> Optional.of(new MockResponse().setResponseCode(403)));
        pods.start();

        assertThatExceptionOfType(CniException.class)
                .isThrownBy(() -> require(identity("here", "u1")))
                .satisfies(e -> assertThat(e.details()).contains("get, list and watch pods"));
    }

    @Test
    void apiServerThatIsAwayIsWaitedForUntilTheDeadline() throws Exception {
        server.stop();
        pods.start();
        long start = System.nanoTime();

        assertTryAgain(
                "can't ask the API server about pod default/here",
                () -> pods.require(identity("here", "u1"), Deadline.after(Duration.ofMillis(500))));

        assertThat(Duration.ofNanos(System.nanoTime() - start))
                .isBetween(Duration.ofMillis(450), Duration.ofSeconds(3));
        server.restart();
    }

    @Test
    void apiServerThatComesUpMeanwhileAnswersWhoWaits() throws Exception {
        Pod here = server.create(pod("here", NODE));
        server.stop();
        pods.start();
        CompletableFuture<Pod> waiting = CompletableFuture.supplyAsync(() -> {
            try {
                return pods.require(identity(here), Deadline.after(Duration.ofSeconds(20)));
            } catch (CniException | InterruptedException e) {
                throw new IllegalStateException(e);
            }
        });

        server.restart();

        assertThat(uid(waiting.join())).isEqualTo(uid(here));
        soon().until(pods::isSynchronised);
        soon().until(() -> pods.find("default", "here").isPresent());
    }

    @Test
    void whatCameWhileTheWatchWasBrokenIsSeenAfterwards() throws Exception {
        start();
        loseSight();
        server.create(pod("coming", NODE));

        server.answerWell();

        soon().until(() -> pods.find("default", "coming").isPresent());
        soon().until(pods::isWatching);
    }

    @Test
    void watchThatIsTooOldBeginsAnewWithAList() throws Exception {
        Pod leaving = server.create(pod("leaving", NODE));
        start();
        loseSight();
        server.client().resource(leaving).delete();
        server.create(pod("coming", NODE));

        AtomicInteger refusals = new AtomicInteger(2);
        server.answerWith(request -> ApiServer.isWatch(request) && refusals.getAndDecrement() > 0
                ? Optional.of(ApiServer.gone())
                : Optional.empty());

        // The server tells a new watch of what there is, not of what is there no more: that is seen from a list alone
        soon().until(() -> pods.find("default", "coming").isPresent()
                && pods.find("default", "leaving").isEmpty());
        soon().until(() -> refusals.get() < 0 && pods.isWatching());
        server.create(pod("last", NODE));
        soon().until(() -> pods.find("default", "last").isPresent());
    }

    @Test
    void listenersHearOfWhatIsThereAndOfEveryChange() throws Exception {
        Pod present = server.create(pod("present", NODE));
        List<String> heard = new CopyOnWriteArrayList<>();
        pods.addListener(new PodListener() {
            @Override
            public void changed(Pod pod) {
                heard.add("changed " + pod.getMetadata().getName());
            }

            @Override
            public void gone(Pod pod) {
                heard.add("gone " + pod.getMetadata().getName());
            }
        });

        start();
        server.create(pod("new", NODE));
        server.client().resource(present).delete();

        soon().untilAsserted(() -> assertThat(heard).contains("changed present", "changed new", "gone present"));
    }

    @Test
    void listenersHearOfTheEndOfAPodWhoseSuccessorCameUnseen() throws Exception {
        Pod first = server.create(pod("web-0", NODE));
        List<String> heard = new CopyOnWriteArrayList<>();
        pods.addListener(new PodListener() {
            @Override
            public void changed(Pod pod) {
                heard.add("changed " + uid(pod));
            }

            @Override
            public void gone(Pod pod) {
                heard.add("gone " + uid(pod));
            }
        });
        start();
        loseSight();
        server.client().resource(first).delete();
        Pod second = server.create(pod("web-0", NODE));

        server.answerWell();

        soon().untilAsserted(() -> assertThat(heard)
                .containsSubsequence("changed " + uid(first), "gone " + uid(first), "changed " + uid(second)));
    }

    @Test
    void tokenThatWasReplacedInTheKubeconfigIsUsed() throws Exception {
        server.requireToken("first");
        server.create(pod("here", NODE));
        start();

        server.writeKubeconfig(folder.resolve("kubeconfig"), "second");
        server.requireToken("second");
        server.breakWatches();
        Pod later = server.create(pod("later", NODE));

        assertThat(uid(require(identity(later)))).isEqualTo(uid(later));
        soon().until(() -> pods.find("default", "later").isPresent());
    }

    @Test
    void podsServiceAccountIsUsedAndItsTokenReadAnew() throws Exception {
        try (ApiServer secure = ApiServer.startWithTls()) {
            Files.copy(secure.certificate(), folder.resolve("ca.crt"));
            Files.writeString(folder.resolve("token"), "first\n");
            secure.requireToken("first");
            secure.create(pod("here", NODE));
            pods.close();
            client.close();
            follow(new ApiServerAccess.OfPod("127.0.0.1", String.valueOf(secure.port()), folder).client());
            start();

            Files.writeString(folder.resolve("token"), "second");
            secure.requireToken("second");
            secure.breakWatches();
            Pod later = secure.create(pod("later", NODE));

            assertThat(pods.find("default", "here")).isPresent();
            assertThat(uid(require(identity(later)))).isEqualTo(uid(later));
            soon().until(() -> pods.find("default", "later").isPresent());
        }
    }

    @Test
    void whileTheTokenCanNotBeReadTheLastOneIsUsed() throws Exception {
        try (ApiServer secure = ApiServer.startWithTls()) {
            Files.copy(secure.certificate(), folder.resolve("ca.crt"));
            Path token = Files.writeString(folder.resolve("token"), "first");
            secure.requireToken("first");
            pods.close();
            client.close();
            follow(new ApiServerAccess.OfPod("127.0.0.1", String.valueOf(secure.port()), folder).client());
            start();

            Files.delete(token);
            secure.breakWatches();
            Pod here = secure.create(pod("here", NODE));
            assertThat(uid(require(identity(here)))).isEqualTo(uid(here));
            soon().until(() -> pods.find("default", "here").isPresent());

            secure.requireToken("second");
            assertTryAgain("can't ask the API server about pod default/other", () -> require(identity("other", "u1")));
            Files.writeString(token, "second");
            Pod later = secure.create(pod("later", NODE));
            soon().until(() -> pods.find("default", "later").isPresent());
            assertThat(uid(require(identity(later)))).isEqualTo(uid(later));
        }
    }

    @Test
    void trimmedPodKeepsItsEmptyParts() {
        Pod bare = new PodBuilder()
                .withNewMetadata()
                .withName("bare")
                .endMetadata()
                .build();

        assertThat(TrimmedPods.trimmed(bare).getMetadata().getName()).isEqualTo("bare");
        assertThat(TrimmedPods.trimmed(bare).getSpec()).isNull();
        assertThat(Map.copyOf(TrimmedPods.trimmed(bare).getMetadata().getAnnotations()))
                .isEmpty();
    }
}
