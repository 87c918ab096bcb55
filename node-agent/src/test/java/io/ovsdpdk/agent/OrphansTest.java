package io.ovsdpdk.agent;

import static io.ovsdpdk.agent.TestAgent.newId;
import static io.ovsdpdk.agent.TestAgent.request;
import static io.ovsdpdk.agent.TestAgent.sibling;
import static io.ovsdpdk.agent.TestAgent.soon;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.client.utils.Serialization;
import io.fabric8.mockwebserver.http.MockResponse;
import io.fabric8.mockwebserver.http.RecordedRequest;
import io.ovsdpdk.agent.kubernetes.ApiServerAccess;
import io.ovsdpdk.agent.kubernetes.Cluster;
import io.ovsdpdk.agent.kubernetes.ClusterNode;
import io.ovsdpdk.agent.kubernetes.testbed.ApiServer;
import io.ovsdpdk.agent.kubernetes.testbed.Pods;
import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.AttachmentRequest;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.OrphanReport;
import io.ovsdpdk.api.OrphanView;
import io.ovsdpdk.api.OrphanView.State;
import io.ovsdpdk.api.PodIdentity;
import io.ovsdpdk.api.Request.CollectOrphans.Removal;
import io.ovsdpdk.ovsdb.Deadline;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import java.util.function.Function;
import org.awaitility.core.ConditionFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What no DEL takes down: attachments whose pod is gone, and mounts that belong to nothing. */
class OrphansTest extends AttachmentsOnASwitch {
    private static final String NODE = "node-a";
    private static final Duration GRACE = Duration.ofMinutes(5);
    private static final String NOT_FOUND = """
            {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}""";

    private ApiServer server;
    private Cluster cluster;
    private Orphans orphans;

    @BeforeEach
    void joinCluster() throws IOException {
        server = ApiServer.start();
        Files.createDirectories(agent.kubelet().resolve("pods"));
        join();
        inTime().until(() -> cluster.pods().orElseThrow().isSynchronised());
    }

    private void join() throws IOException {
        Path kubeconfig = server.writeKubeconfig(agent.folder.resolve("kubeconfig"), "token");
        cluster = Cluster.join(new ClusterNode(NODE, new ApiServerAccess.OfKubeconfig(kubeconfig)));
        agent.cluster = cluster;
        restart();
    }

    private void restart() throws IOException {
        agent.restart();
        orphans = agent.orphans(GRACE);
    }

    @AfterEach
    void leaveCluster() throws IOException {
        cluster.close();
        server.close();
    }

    private static ConditionFactory inTime() {
        return await().atMost(Duration.ofSeconds(30));
    }

    /** A pod that the agent has seen, with kubelet's folder. */
    private Pod pod(String name) throws IOException {
        Pod created = server.create(Pods.pod(name, NODE, "", ""));
        Files.createDirectories(folderOf(created));
        inTime().until(() -> cluster.pods().orElseThrow().has(identity(created)));
        return created;
    }

    private Path folderOf(Pod pod) {
        return agent.kubelet().resolve("pods").resolve(pod.getMetadata().getUid());
    }

    private static PodIdentity identity(Pod pod) {
        return new PodIdentity(
                "default", pod.getMetadata().getName(), pod.getMetadata().getUid());
    }

    /** The pod goes, and no DEL comes. */
    private void lose(Pod pod) throws IOException {
        Files.deleteIfExists(folderOf(pod));
        server.client().resource(pod).withGracePeriod(0).delete();
        inTime().until(() -> !cluster.pods().orElseThrow().has(identity(pod)));
    }

    private void add(AttachmentId added, PodIdentity pod) throws Exception {
        add(added, pod, soon());
    }

    private void add(AttachmentId added, PodIdentity pod, Deadline deadline) throws Exception {
        agent.attachments.add(
                new AttachmentRequest(added, "/run/netns/test", pod, Optional.empty(), agent.network()),
                Json.object(),
                deadline);
    }

    /** An attachment of a pod that is gone. */
    private Pod orphan() throws Exception {
        Pod pod = pod("p1");
        add(id, identity(pod));
        lose(pod);
        return pod;
    }

    private OrphanReport look(Removal removal) throws Exception {
        return orphans.collect(removal, Duration.ofSeconds(30));
    }

    /** The states of all that is found. */
    private List<State> states(Removal removal) throws Exception {
        return look(removal).orphans().stream().map(OrphanView::state).toList();
    }

    private void passes(Duration time) {
        agent.clock.addAndGet(time.toNanos());
    }

    private List<String> questions() {
        return server.requests().stream()
                .filter(asked -> asked.startsWith("GET /api/v1/namespaces/"))
                .toList();
    }

    private void answerQuestions(Function<RecordedRequest, MockResponse> answers) {
        server.answerWith(request -> request.getPath().startsWith("/api/v1/namespaces/")
                        && request.getMethod().equals("GET")
                ? Optional.of(answers.apply(request))
                : Optional.empty());
    }

    /** Each request has one of the agent's slots for as long as it waits. */
    @Test
    void lookThatWaitsForAnotherIsToBeTriedAgain() throws Exception {
        orphan();
        CountDownLatch asked = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        answerQuestions(_ -> {
            asked.countDown();
            awaitUninterrupted(goOn);
            return new MockResponse().setResponseCode(500);
        });
        Future<OrphanReport> first = threads.submit(() -> look(Removal.NONE));
        asked.await();

        assertFails(
                ErrorCode.TRY_AGAIN,
                "another look for orphans",
                () -> orphans.collect(Removal.NONE, Duration.ofMillis(50)));

        goOn.countDown();
        assertThat(first.get().obstacle()).isNotEmpty();
        server.answerWell();
        assertThat(states(Removal.NONE)).containsExactly(State.WAITING);
    }

    private static void awaitUninterrupted(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Test
    void attachmentOfAPodThatIsGoneGoesAtTheSecondLookAGracePeriodLater() throws Exception {
        Pod pod = orphan();

        assertThat(look(Removal.DUE).orphans())
                .containsExactly(new OrphanView(
                        PortName.of(id), identity(pod), id.containerId(), id.ifname(), "", 0, 300, State.WAITING, ""));
        passes(GRACE.minusSeconds(1));
        assertThat(states(Removal.DUE)).containsExactly(State.WAITING);
        assertThat(agent.hasPort(id)).isTrue();
        assertThat(orphans.count()).isEqualTo(1);
        passes(Duration.ofSeconds(1));
        assertThat(states(Removal.DUE)).containsExactly(State.REMOVED);

        agent.assertNothingOf(id);
        assertThat(agent.mounts()).isEmptyDirectory();
        assertThat(orphans.count()).isZero();
        assertThat(look(Removal.DUE)).isEqualTo(new OrphanReport(List.of(), 300, ""));
    }

    /** However long ago: a look that was not made did not see it. */
    @Test
    void oneLookIsNotEnough() throws Exception {
        orphan();
        passes(GRACE.multipliedBy(10));

        assertThat(states(Removal.DUE)).containsExactly(State.WAITING);
        assertThat(agent.hasPort(id)).isTrue();
    }

    @Test
    void portWhoseCheckpointIsLostGoesToo() throws Exception {
        orphan();
        Files.delete(agent.checkpointOf(id));
        restart();
        assertThat(agent.attachments.count()).isZero();

        assertThat(states(Removal.DUE)).containsExactly(State.WAITING);
        passes(GRACE);
        assertThat(states(Removal.DUE)).containsExactly(State.REMOVED);

        agent.assertNothingOf(id);
    }

    /** The database outlives the node's start, and what is below /run does not. */
    @Test
    void portsAfterARestartOfTheNodeGoAlsoWithoutCheckpointsAndMounts() throws Exception {
        orphan();
        Files.delete(agent.checkpointOf(id));
        agent.unmountAll();
        restart();

        states(Removal.DUE);
        passes(GRACE);
        assertThat(states(Removal.DUE)).containsExactly(State.REMOVED);

        agent.assertNothingOf(id);
    }

    @Test
    void attachmentWhosePortIsLostGoesToo() throws Exception {
        orphan();
        vsctl("del-port", PortName.of(id));

        states(Removal.DUE);
        passes(GRACE);
        assertThat(states(Removal.DUE)).containsExactly(State.REMOVED);

        agent.assertNothingOf(id);
    }

    @Test
    void portWithADamagedIdentityGoesAlone() throws Exception {
        orphan();
        Files.delete(agent.checkpointOf(id));
        vsctl("remove", "Port", PortName.of(id), "external_ids", "socket-path");
        restart();

        assertThat(states(Removal.ALL)).contains(State.REMOVED);

        assertThat(agent.hasPort(id)).isFalse();
    }

    @Test
    void attachmentOfAPodThatIsThereIsNoOrphanAndNobodyIsAsked() throws Exception {
        add(id, identity(pod("p1")));
        server.forgetRequests();

        assertThat(look(Removal.ALL).orphans()).isEmpty();

        assertThat(agent.hasPort(id)).isTrue();
        assertThat(questions()).isEmpty();
    }

    /** The agent may be told of another node's name than kubelet has, or not be told for a while. */
    @Test
    void podThatOnlyTheApiServerKnowsIsThere() throws Exception {
        Pod elsewhere = server.create(Pods.pod("p1", "node-b", "", ""));
        add(id, identity(elsewhere));
        server.forgetRequests();

        assertThat(look(Removal.ALL).orphans()).isEmpty();

        assertThat(agent.hasPort(id)).isTrue();
        assertThat(questions()).hasSize(1);
    }

    @Test
    void anotherPodOfTheSameNameIsAnotherPod() throws Exception {
        orphan();
        AttachmentId next = newId();
        add(next, identity(pod("p1")));

        states(Removal.DUE);
        passes(GRACE);
        assertThat(look(Removal.DUE).orphans())
                .extracting(OrphanView::containerId)
                .containsExactly(id.containerId());

        assertThat(agent.hasPort(id)).isFalse();
        assertThat(agent.hasPort(next)).isTrue();
    }

    @Test
    void podWhoseFolderKubeletHasIsNotGone() throws Exception {
        Pod pod = orphan();
        Files.createDirectories(folderOf(pod));
        server.forgetRequests();

        assertThat(look(Removal.ALL).orphans()).singleElement().satisfies(found -> {
            assertThat(found.state()).isEqualTo(State.KEPT);
            assertThat(found.note()).contains(folderOf(pod).toString());
        });

        assertThat(agent.hasPort(id)).isTrue();
        assertThat(questions()).isEmpty();
    }

    @Test
    void folderThatComesBackBeginsTheGracePeriodAnew() throws Exception {
        Pod pod = orphan();
        states(Removal.DUE);
        Files.createDirectories(folderOf(pod));
        passes(GRACE);
        assertThat(states(Removal.DUE)).containsExactly(State.KEPT);
        Files.delete(folderOf(pod));

        assertThat(states(Removal.DUE)).containsExactly(State.WAITING);
        assertThat(agent.hasPort(id)).isTrue();
    }

    @Test
    void podThatShowsUpInBetweenBeginsTheGracePeriodAnew() throws Exception {
        Pod pod = orphan();
        states(Removal.DUE);
        passes(GRACE);
        answerQuestions(_ -> new MockResponse().setResponseCode(200).setBody(Serialization.asJson(pod)));
        assertThat(look(Removal.DUE).orphans()).isEmpty();
        server.answerWell();

        assertThat(states(Removal.DUE)).containsExactly(State.WAITING);
        assertThat(agent.hasPort(id)).isTrue();
    }

    /** While the API server answers, kubelet makes the pod's folder. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void attachmentIsLookedAtOnceMoreBeforeItGoes(boolean withCheckpoint) throws Exception {
        Pod pod = orphan();
        if (!withCheckpoint) {
            Files.delete(agent.checkpointOf(id));
            restart();
        }
        states(Removal.DUE);
        passes(GRACE);
        answerQuestions(_ -> {
            folderOf(pod).toFile().mkdirs();
            return new MockResponse().setResponseCode(404).setBody(NOT_FOUND);
        });

        assertThat(states(Removal.DUE)).containsExactly(State.KEPT);

        assertThat(agent.hasPort(id)).isTrue();
        assertThat(agent.mountsInUse()).hasSize(1);
    }

    @Test
    void kubeletFolderThatTheAgentDoesNotSeeTellsOfNoPod() throws Exception {
        orphan();
        Files.delete(agent.kubelet().resolve("pods"));

        OrphanReport report = look(Removal.ALL);

        assertThat(report.orphans()).isEmpty();
        assertThat(report.obstacle()).contains(agent.kubelet().resolve("pods").toString());
        assertThat(agent.hasPort(id)).isTrue();
    }

    /** Some are what a load balancer says that has lost its API server, others half an answer. */
    @Tag("long")
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "500|''",
                "503|{\"kind\": \"Status\", \"status\": \"Failure\", \"reason\": \"ServiceUnavailable\"}",
                "403|{\"kind\": \"Status\", \"status\": \"Failure\", \"reason\": \"Forbidden\"}",
                "401|''",
                "410|{\"kind\": \"Status\", \"status\": \"Failure\", \"reason\": \"Gone\"}",
                "429|''",
                "404|default backend - 404",
                "404|''",
                "404|<html>Not Found</html>",
                "200|''",
                "200|<html>Welcome</html>",
                "200|{}",
                "200|{\"kind\": \"Pod\", \"metadata\": {\"name\": \"p2\"}}",
                "200|{\"kind\": \"Pod\", \"metadata\": {\"name\": \"p3\", \"uid\": \"1\"}}",
                "200|{\"kind\": \"Pod\", \"metadata\": {\"name\": \"p2\", \"uid\": \"",
            })
    void whatIsNoAnswerAboutOnePodKeepsAllAndDoesNotCount(int code, String body) throws Exception {
        orphan();
        AttachmentId other = newId();
        Pod second = pod("p2");
        add(other, identity(second));
        lose(second);
        states(Removal.DUE);
        passes(GRACE);
        answerQuestions(request -> request.getPath().endsWith("/p1")
                ? new MockResponse().setResponseCode(404).setBody(NOT_FOUND)
                : new MockResponse().setResponseCode(code).setBody(body));

        OrphanReport report = look(Removal.ALL);

        assertThat(report.orphans()).isEmpty();
        assertThat(report.obstacle()).contains("can't ask the API server about pod default/p2");
        assertThat(agent.hasPort(id)).isTrue();
        assertThat(agent.hasPort(other)).isTrue();
        server.answerWell();
        assertThat(states(Removal.DUE)).containsExactly(State.REMOVED, State.REMOVED);
    }

    @Test
    void failedLookIsNoFirstLook() throws Exception {
        orphan();
        answerQuestions(_ -> new MockResponse().setResponseCode(500));
        assertThat(look(Removal.DUE).obstacle()).isNotEmpty();
        server.answerWell();
        passes(GRACE);

        assertThat(states(Removal.DUE)).containsExactly(State.WAITING);
    }

    @Test
    void apiServerThatIsAwayKeepsAll() throws Exception {
        orphan();
        states(Removal.DUE);
        passes(GRACE);
        server.stop();

        OrphanReport report = look(Removal.ALL);

        assertThat(report.orphans()).isEmpty();
        assertThat(report.obstacle()).contains("can't ask the API server");
        assertThat(agent.hasPort(id)).isTrue();
        server.restart();
    }

    @Tag("long")
    @Test
    void apiServerThatDoesNotAnswerIsNotWaitedForLong() throws Exception {
        orphan();
        CompletableFuture<MockResponse> late = new CompletableFuture<>();
        answerQuestions(_ -> late.join());

        assertThat(look(Removal.ALL).obstacle()).contains("can't ask the API server");
        late.complete(new MockResponse().setResponseCode(404).setBody(NOT_FOUND));

        assertThat(agent.hasPort(id)).isTrue();
    }

    @Test
    void podsThatWereNotSeenYetAreNotGone() throws Exception {
        orphan();
        cluster.close();
        server.answerWith(request -> request.getPath().startsWith("/api/v1/pods")
                ? Optional.of(new MockResponse().setResponseCode(500))
                : Optional.empty());
        join();

        OrphanReport report = look(Removal.ALL);

        assertThat(report.orphans()).isEmpty();
        assertThat(report.obstacle()).contains("has not seen the pods of this node yet");
        assertThat(agent.hasPort(id)).isTrue();
    }

    @Test
    void withoutKubernetesNoAttachmentGoes() throws Exception {
        orphan();
        agent.cluster = Cluster.NONE;
        restart();

        OrphanReport report = look(Removal.ALL);

        assertThat(report.orphans()).isEmpty();
        assertThat(report.obstacle()).contains("without Kubernetes");
        assertThat(agent.hasPort(id)).isTrue();
    }

    @Test
    void databaseThatIsAwayKeepsAll() throws Exception {
        orphan();
        ovs.database().kill();
        await().until(() -> !agent.ports.areKnown());

        OrphanReport report = look(Removal.ALL);
        ovs.database().start();
        agent.ports.awaitReady(soon());

        assertThat(report.orphans()).isEmpty();
        assertThat(report.obstacle()).contains("no connection to the database");
        assertThat(agent.hasPort(id)).isTrue();
    }

    /** By all that an orphan's port has but one thing. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "set Port %s external_ids:owner=ovs-cni.network.kubevirt.io",
                "remove Port %s external_ids owner",
                "set Interface %s options:vhost-server-path=/run/other-agent/p/0123456789abcdef/net1.sock",
                "remove Interface %s options vhost-server-path",
                "remove Port %s external_ids pod-uid",
                "remove Port %s external_ids pod-name",
                "remove Port %s external_ids pod-namespace",
                "set Port %s external_ids:pod-uid=../../x",
                "set Port %s external_ids:container-id=0123456789abcdef",
            })
    void portThatIsNotSurelyOursStays(String change) throws Exception {
        orphan();
        Files.delete(agent.checkpointOf(id));
        restart();
        vsctl(change.formatted(PortName.of(id)).split(" "));
        server.forgetRequests();

        assertThat(look(Removal.ALL).orphans()).noneMatch(found -> !found.port().isEmpty());

        assertThat(agent.hasPort(id)).isTrue();
        assertThat(questions()).isEmpty();
    }

    @Test
    void attachmentWithoutAPodsUidStays() throws Exception {
        add(id, new PodIdentity("default", "nobody", ""));

        assertThat(look(Removal.ALL).orphans()).isEmpty();

        assertThat(agent.hasPort(id)).isTrue();
    }

    @Test
    void whatIsBeingMadeIsNoOrphan() throws Exception {
        ovs.suspendSwitch();
        Future<?> adding = threads.submit(() -> agent.attachments.add(
                request(id, "uid-of-nobody", agent.network()), Json.object(), Deadline.after(Duration.ofSeconds(20))));
        inTime().until(() -> agent.hasPort(id));

        assertThat(look(Removal.ALL).orphans()).isEmpty();

        ovs.resumeSwitch();
        adding.get();
        assertThat(agent.hasPort(id)).isTrue();
    }

    @Test
    void aLookThatMayRemoveNothingRemovesNothing() throws Exception {
        orphan();
        states(Removal.NONE);
        passes(GRACE);

        assertThat(states(Removal.NONE)).containsExactly(State.DUE);

        assertThat(agent.hasPort(id)).isTrue();
    }

    @Test
    void allGoAtOnceOnDemand() throws Exception {
        orphan();

        assertThat(states(Removal.ALL)).containsExactly(State.REMOVED);

        agent.assertNothingOf(id);
    }

    @Test
    void eachPodIsAskedForOnceALook() throws Exception {
        Pod pod = pod("p1");
        add(id, identity(pod));
        add(sibling(id), identity(pod));
        lose(pod);
        server.forgetRequests();

        assertThat(states(Removal.DUE)).hasSize(2);

        assertThat(questions()).containsExactly("GET /api/v1/namespaces/default/pods/p1");
    }

    @Tag("long")
    @Test
    void allOfMoreThanAreRemovedAtOnceGo() throws Exception {
        Pod pod = pod("p1");
        List<Future<?>> adding = new ArrayList<>();
        for (int i = 0; i < 130; i++) {
            AttachmentId each = new AttachmentId(id.containerId(), "net" + i);
            adding.add(threads.submit(() -> {
                add(each, identity(pod), Deadline.after(Duration.ofMinutes(1)));
                return null;
            }));
        }
        for (Future<?> each : adding) {
            each.get();
        }
        lose(pod);

        assertThat(states(Removal.ALL)).hasSize(130).containsOnly(State.REMOVED);

        agent.assertNothingOf(id);
        assertThat(agent.localSwitch.ports()).noneMatch(port -> port.name().startsWith("vhu"));
    }

    @Test
    void apiServerIsNotAskedForAllPodsInOneMoment() throws Exception {
        Duration pause = Duration.ofMillis(100);
        GonePods pods = new GonePods(cluster, agent.kubelet(), pause);
        long begun = System.nanoTime();

        for (int i = 0; i < 6; i++) {
            assertThat(pods.look(new PodIdentity("default", "p" + i, "uid-" + i)))
                    .isEqualTo(GonePods.Finding.GONE);
        }

        assertThat(Duration.ofNanos(System.nanoTime() - begun)).isGreaterThan(pause.multipliedBy(5));
    }

    @Test
    void removalThatTheSwitchDoesNotFollowGoesOn() throws Exception {
        orphan();
        ovs.database().suspend();
        Future<OrphanReport> look = threads.submit(() -> look(Removal.ALL));
        inTime().until(() -> agent.attachments.all().getFirst().state() == Attachment.State.REMOVING);
        ovs.database().resume();

        assertThat(look.get().orphans()).extracting(OrphanView::state).containsAnyOf(State.REMOVED, State.REMOVING);

        await().untilAsserted(() -> agent.assertNothingOf(id));
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void mountPointThatBelongsToNothingGoesAtTheSecondLook(boolean mounted) throws Exception {
        Path point = leftoverMountPoint();
        if (!mounted) {
            TestAgent.run("umount", point.toString());
        }

        assertThat(look(Removal.DUE).orphans())
                .containsExactly(
                        new OrphanView("", PodIdentity.NONE, "", "", point.toString(), 0, 300, State.WAITING, ""));
        passes(GRACE);
        assertThat(states(Removal.DUE)).containsExactly(State.REMOVED);

        assertThat(agent.mounts()).isEmptyDirectory();
        assertThat(agent.mountsInUse()).isEmpty();
    }

    /** Somebody took away rows and checkpoint while the agent ran. */
    private Path leftoverMountPoint() throws Exception {
        add(id, new PodIdentity("default", "p", "uid"));
        Path point = Path.of(agent.mountsInUse().getFirst());
        Path kept = Files.createDirectory(agent.folder.resolve("kept"));
        TestAgent.run("mount", "--bind", agent.root().toString(), kept.toString());
        agent.attachments.delete(id);
        Files.createDirectory(point);
        TestAgent.run("mount", "--bind", kept.toString(), point.toString());
        return point;
    }

    @Test
    void mountsAreCollectedWithoutKubernetesToo() throws Exception {
        agent.cluster = Cluster.NONE;
        restart();
        leftoverMountPoint();

        assertThat(states(Removal.ALL)).containsExactly(State.REMOVED);

        assertThat(agent.mountsInUse()).isEmpty();
    }

    @Test
    void mountThatAPortReachesThroughStays() throws Exception {
        orphan();
        Files.delete(agent.checkpointOf(id));
        vsctl("set", "Port", PortName.of(id), "external_ids:owner=somebody");
        restart();

        assertThat(look(Removal.ALL).orphans()).isEmpty();

        assertThat(agent.mountsInUse()).hasSize(1);
    }

    @Test
    void whatAStrangerMadeAmongTheMountPointsStays() throws Exception {
        Path folder = Files.createDirectories(agent.mounts().resolve("strangers"));
        Path file = Files.createFile(agent.mounts().resolve("0123456789abcdef"));

        assertThat(look(Removal.ALL).orphans()).isEmpty();

        assertThat(folder).exists();
        assertThat(file).exists();
    }

    /** By itself, as soon as all is known, and again an interval later. */
    @Test
    void looksFollowOneAnother() throws Exception {
        orphan();
        orphans = agent.attachments.orphans(
                agent.mounts(),
                new GonePods(cluster, agent.kubelet(), Duration.ZERO),
                Duration.ofMillis(300),
                System::nanoTime);
        try (Orphans followed = orphans) {
            followed.follow(Duration.ofMillis(300));
            inTime().until(() -> followed.count() == 1);

            await().untilAsserted(() -> agent.assertNothingOf(id));
        }
    }

    /** Two who work on one attachment: what is being removed is not made anew. */
    @Test
    void upkeepDoesNotMakeAnewWhatIsCollected() throws Exception {
        orphan();
        try (Upkeep upkeep = new Upkeep(agent.attachments, agent.ports, agent.client, Duration.ofMillis(1))) {
            upkeep.follow();

            assertThat(states(Removal.ALL)).containsExactly(State.REMOVED);
            // What was made anew meanwhile would be there when this one is
            AttachmentId next = newId();
            agent.add(next);
            vsctl("del-port", PortName.of(next));
            inTime().until(() -> agent.hasPort(next));

            assertThat(agent.attachments.count()).isEqualTo(1);
            assertThat(agent.hasPort(id)).isFalse();
        }
    }

    @Test
    void staticPodIsKnownByTheUidThatKubeletGaveIt() throws Exception {
        Pod mirror = server.create(new PodBuilder(Pods.pod("static", "node-b", "", ""))
                .editMetadata()
                .addToAnnotations("kubernetes.io/config.mirror", "uid-of-kubelet")
                .endMetadata()
                .build());
        add(id, new PodIdentity("default", mirror.getMetadata().getName(), "uid-of-kubelet"));

        assertThat(look(Removal.ALL).orphans()).isEmpty();

        assertThat(agent.hasPort(id)).isTrue();
    }
}
