package io.ovsdpdk.agent.kubernetes;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.fabric8.kubernetes.api.model.Event;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.mockwebserver.http.MockResponse;
import io.ovsdpdk.agent.kubernetes.testbed.ApiServer;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.PodIdentity;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.awaitility.core.ConditionFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PodEventsTest {
    private static final PodIdentity POD = new PodIdentity("default", "web", "uid-1");
    private static final Instant START = Instant.parse("2030-01-01T10:00:00Z");

    private final AtomicReference<Instant> now = new AtomicReference<>(START);
    private ApiServer server;
    private KubernetesClient client;
    private PodEvents events;

    @BeforeEach
    void start(@TempDir Path folder) throws IOException {
        server = ApiServer.start();
        client = new ApiServerAccess.OfKubeconfig(server.writeKubeconfig(folder.resolve("kubeconfig"), "token"))
                .client();
        InstantSource clock = now::get;
        events = new PodEvents(client, "node-a", clock);
    }

    @AfterEach
    void stop() throws IOException {
        events.close();
        client.close();
        server.close();
    }

    private static ConditionFactory inTime() {
        return await().atMost(Duration.ofSeconds(20)).pollInterval(Duration.ofMillis(10));
    }

    private static CniException failure(ErrorCode code, String words) {
        return new CniException(code, words, "do something");
    }

    private static PodIdentity pod(int number) {
        return new PodIdentity("default", "pod-" + number, "uid-" + number);
    }

    private List<Event> written() {
        return server.client().v1().events().inNamespace("default").list().getItems();
    }

    private Event only() {
        assertThat(written()).hasSize(1);
        return written().getFirst();
    }

    private long requests(String method) {
        return server.requests().stream()
                .filter(request -> request.startsWith(method + " ") && request.contains("/events"))
                .count();
    }

    @Test
    void podAuthorReadsWhatFailedAndWhy() {
        events.failed(POD, "net1", failure(ErrorCode.BRIDGE_MISSING, "the switch has no bridge br7"));

        inTime().until(() -> written().size() == 1);
        Event event = only();
        assertThat(event.getType()).isEqualTo("Warning");
        assertThat(event.getReason()).isEqualTo("OvsDpdkAttachFailed");
        assertThat(event.getMessage()).isEqualTo("net1: the switch has no bridge br7: do something");
        assertThat(event.getInvolvedObject().getKind()).isEqualTo("Pod");
        assertThat(event.getInvolvedObject().getName()).isEqualTo("web");
        assertThat(event.getInvolvedObject().getUid()).isEqualTo("uid-1");
        assertThat(event.getSource().getHost()).isEqualTo("node-a");
        assertThat(event.getFirstTimestamp()).isEqualTo("2030-01-01T10:00:00Z");
    }

    @Test
    void failureThatRepeatsIsCountedWithItsLastWords() {
        events.failed(POD, "net1", failure(ErrorCode.TRY_AGAIN, "container a"));
        inTime().until(() -> written().size() == 1);
        now.set(START.plusSeconds(60));

        events.failed(POD, "net1", failure(ErrorCode.TRY_AGAIN, "container b"));

        inTime().until(() -> only().getCount() == 2);
        assertThat(only().getMessage()).contains("container b");
        assertThat(only().getFirstTimestamp()).isEqualTo("2030-01-01T10:00:00Z");
        assertThat(only().getLastTimestamp()).isEqualTo("2030-01-01T10:01:00Z");
    }

    @Test
    void otherInterfacesFailuresAndPodsAreOtherEvents() {
        events.failed(POD, "net1", failure(ErrorCode.TRY_AGAIN, "a"));
        events.failed(POD, "net2", failure(ErrorCode.TRY_AGAIN, "a"));
        events.failed(POD, "net1", failure(ErrorCode.BRIDGE_MISSING, "a"));
        events.failed(pod(2), "net1", failure(ErrorCode.TRY_AGAIN, "a"));

        inTime().until(() -> written().size() == 4);
    }

    @Test
    void eventThatTheApiServerForgotIsWrittenAnew() {
        events.failed(POD, "net1", failure(ErrorCode.TRY_AGAIN, "a"));
        inTime().until(() -> written().size() == 1);
        server.client().resource(only()).delete();

        events.failed(POD, "net1", failure(ErrorCode.TRY_AGAIN, "a"));

        inTime().until(() -> written().size() == 1);
        assertThat(only().getCount()).isEqualTo(1);
    }

    /** What is not written is in the count of what is. */
    @Test
    void floodIsWrittenOnceASecond() {
        for (int i = 0; i < 100; i++) {
            events.failed(POD, "net1", failure(ErrorCode.TRY_AGAIN, "a"));
        }
        inTime().until(() -> requests("PATCH") == 24);
        // The last one without a second more to be written in
        events.failed(pod(2), "net1", failure(ErrorCode.TRY_AGAIN, "a"));
        inTime().until(() -> events.dropped() == 1);
        assertThat(requests("POST") + requests("PATCH")).isEqualTo(25);

        now.set(START.plusSeconds(1));
        events.failed(POD, "net1", failure(ErrorCode.TRY_AGAIN, "a"));

        inTime().until(() -> only().getCount() == 101);
        assertThat(requests("POST") + requests("PATCH")).isEqualTo(26);
    }

    @Test
    void clockThatIsPutBackNeitherEndsEventsNorMakesThemAFlood() {
        for (int i = 0; i < 100; i++) {
            events.failed(POD, "net1", failure(ErrorCode.TRY_AGAIN, "a"));
        }
        inTime().until(() -> requests("PATCH") == 24);
        now.set(START.minus(Duration.ofDays(1)));
        events.failed(pod(2), "net1", failure(ErrorCode.TRY_AGAIN, "a"));
        inTime().until(() -> events.dropped() == 1);
        assertThat(requests("POST") + requests("PATCH")).isEqualTo(25);

        now.set(START.minus(Duration.ofDays(1)).plusSeconds(1));
        events.failed(POD, "net1", failure(ErrorCode.TRY_AGAIN, "a"));

        inTime().until(() -> only().getCount() == 101);
        assertThat(requests("POST") + requests("PATCH")).isEqualTo(26);
    }

    @Test
    void whoReportsNeverWaitsAndWhatTheQueueCannotHoldIsCounted() throws Exception {
        CountDownLatch answered = new CountDownLatch(1);
        server.answerWith(_ -> {
            try {
                answered.await(20, TimeUnit.SECONDS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            return Optional.empty();
        });

        for (int i = 0; i < 300; i++) {
            events.failed(pod(i), "net1", failure(ErrorCode.TRY_AGAIN, "a"));
        }

        assertThat(events.dropped()).isBetween(43L, 44L);
        answered.countDown();
        inTime().until(() -> written().size() == 25);
    }

    @Test
    void apiServerThatIsAwayCostsEventsAndNothingElse() throws Exception {
        server.stop();
        events.failed(POD, "net1", failure(ErrorCode.TRY_AGAIN, "a"));
        inTime().until(() -> events.dropped() == 1);
        server.restart();

        events.failed(POD, "net1", failure(ErrorCode.TRY_AGAIN, "a"));

        inTime().until(() -> written().size() == 1);
    }

    @Test
    void refusalIsCountedAndTriedAgainWithTheNextFailure() {
        server.answerWith(_ -> Optional.of(new MockResponse().setResponseCode(403)));
        events.failed(POD, "net1", failure(ErrorCode.TRY_AGAIN, "a"));
        inTime().until(() -> events.dropped() == 1);
        server.answerWell();

        events.failed(POD, "net1", failure(ErrorCode.TRY_AGAIN, "a"));

        inTime().until(() -> written().size() == 1);
    }

    @Test
    void longNamesAndWordsAreCut() {
        PodIdentity pod = new PodIdentity("default", "p".repeat(253), "uid-1");

        events.failed(pod, "net1", failure(ErrorCode.TRY_AGAIN, "€".repeat(5000)));

        inTime().until(() -> written().size() == 1);
        assertThat(only().getMetadata().getName().length()).isLessThanOrEqualTo(253);
        assertThat(only().getMessage().getBytes(StandardCharsets.UTF_8).length).isLessThanOrEqualTo(1024);
    }
}
