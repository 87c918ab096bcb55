package io.ovsdpdk.e2e;

import static io.ovsdpdk.e2e.Replies.added;
import static io.ovsdpdk.e2e.Replies.done;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.Reply;
import io.ovsdpdk.api.Request;
import io.ovsdpdk.api.Wire;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Clients that behave badly harm nobody but themselves. What they may say wrong is in {@link HostileRequestTest}. */
@Tag("long")
class HostileClientTest {
    private static final Duration REQUEST_TIMEOUT = Duration.ofSeconds(2);
    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final String IFNAME = "net1";
    private static final String DONE = new String(Wire.encode(new Reply.Done()), StandardCharsets.UTF_8);

    /** An ADD takes some 30 ms here; a tenth of what the agent would wait for a silent client is a delay. */
    private static final Duration UNDELAYED = Duration.ofSeconds(1);

    private static Node node;
    private static NodeState before;

    @BeforeAll
    static void startNode() throws IOException {
        node = Node.start();
        node.stopAgent();
        node.startAgent("--request-timeout=" + REQUEST_TIMEOUT.toSeconds());
        added(node.ask(node.add("first", IFNAME)));
        done(node.ask(node.delete("first", IFNAME)));
        before = NodeState.of(node);
    }

    @AfterAll
    static void stopNode() throws IOException {
        node.close();
    }

    @AfterEach
    void nothingHasChangedAndAgentServes() throws IOException {
        assertThat(NodeState.of(node)).isEqualTo(before);
        added(node.ask(node.add("next", IFNAME)));
        done(node.ask(node.delete("next", IFNAME)));
        assertThat(node.remains()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "{\"op\":\"sta", "{\"op\":\"status\"}"})
    void clientThatLeavesBeforeItsLineEndsIsForgotten(String begun) throws IOException {
        try (RawClient client = connect()) {
            client.send(begun);
        }
    }

    @Test
    void endOfStreamInTheMiddleOfLineIsTold() throws IOException {
        try (RawClient client = connect()) {
            client.send("{\"op\":\"status\"}").finish();

            assertThat(client.answer(PATIENCE)).contains("\"code\":6");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "{\"op\":\"sta"})
    void silentClientIsCutOffWhenItsTimeIsUp(String begun) throws IOException {
        try (RawClient client = connect()) {
            client.send(begun);

            assertThat(client.isClosedWithin(REQUEST_TIMEOUT.dividedBy(2))).isFalse();
            assertThat(client.isClosedWithin(REQUEST_TIMEOUT.multipliedBy(2))).isTrue();
        }
    }

    /** Time is for the whole request, not from one byte to the next. */
    @Test
    void clientThatSendsByteByByteIsCutOffWhenItsTimeIsUp() throws IOException {
        Deadline deadline = Deadline.after(REQUEST_TIMEOUT.multipliedBy(2));
        try (RawClient client = connect()) {
            boolean closed = false;
            for (int sent = 0; !closed && !deadline.passed(); sent++) {
                client.send(sent == 0 ? "{" : " ");
                closed = client.isClosedWithin(Duration.ofMillis(50));
            }

            assertThat(closed).isTrue();
        }
    }

    @Test
    void requestThatComesInPiecesIsServed() throws IOException {
        try (RawClient client = connect()) {
            for (byte one : Wire.encode(new Request.Status())) {
                client.send(new byte[] {one});
            }

            assertThat(client.answer(PATIENCE)).isEqualTo(DONE);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {8, 40})
    void silentClientsDelayNobody(int count) throws IOException {
        List<RawClient> silent = new ArrayList<>();
        try {
            for (int i = 0; i < count; i++) {
                silent.add(connect().send(i % 2 == 0 ? "" : "{\"op\":"));
            }
            long start = System.nanoTime();

            Reply reply = node.ask(node.add("c1", IFNAME));

            added(reply);
            assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(UNDELAYED);
            assertThat(silent).noneMatch(HostileClientTest::isClosed);
        } finally {
            close(silent);
        }
        done(node.ask(node.delete("c1", IFNAME)));
    }

    /** Threads and memory have a bound: 256 connections. */
    @Test
    void clientsBeyondTheBoundAreToldToComeAgain() throws IOException {
        List<RawClient> silent = new ArrayList<>();
        try {
            for (int i = 0; i < 256; i++) {
                silent.add(connect());
            }
            try (RawClient tooMany = connect()) {
                assertThat(tooMany.answer(PATIENCE)).contains("\"code\":11");
            }
        } finally {
            close(silent);
        }
        await().atMost(PATIENCE).untilAsserted(() -> done(node.ask(new Request.Status())));
    }

    @Test
    void requestOfMoreThanOneMebibyteIsRefused() throws IOException {
        byte[] tooLong = new byte[(1 << 20) + 2];
        Arrays.fill(tooLong, (byte) ' ');
        tooLong[tooLong.length - 1] = '\n';
        try (RawClient client = connect()) {
            client.send(tooLong);

            assertThat(client.answer(PATIENCE)).contains("\"code\":6");
        }
    }

    @Test
    void clientThatNeverEndsIsCutOffAtOneMebibyte() throws IOException {
        byte[] endless = new byte[8 << 20];
        Arrays.fill(endless, (byte) 'x');
        try (RawClient client = connect()) {
            client.send(endless);

            assertThat(client.answer(PATIENCE)).contains("\"code\":6");
        }
    }

    @Test
    void secondLineIsRefusedWithTheFirst() throws IOException {
        byte[] status = Wire.encode(new Request.Status());
        String twice = new String(status, StandardCharsets.UTF_8).repeat(2);
        try (RawClient client = connect()) {
            client.send(twice);

            assertThat(client.answer(PATIENCE)).contains("\"code\":6");
        }
    }

    /** The runtime killed the plugin. What it asked for is made, and its DEL will come. */
    @Test
    void addOfClientThatLeavesIsCompletedAndDeleted() throws IOException {
        try (RawClient client = connect()) {
            client.send(Wire.encode(node.add("c1", IFNAME)));
        }

        await().atMost(PATIENCE).until(() -> node.attachedContainers().equals(List.of("c1")));
        done(node.ask(node.delete("c1", IFNAME)));
    }

    /** Its answer is longer than the socket's buffer, so the agent can't write it to the end. */
    @Test
    void clientThatDoesNotReadItsAnswerDelaysNobody() throws IOException {
        Request.Add small = node.add("c1", IFNAME);
        Request.Add large =
                new Request.Add(small.attachment(), Json.object().put("dns", "x".repeat(900_000)), small.timeout());
        try (RawClient client = connect()) {
            client.send(Wire.encode(large));
            await().atMost(PATIENCE).until(() -> node.attachedContainers().equals(List.of("c1")));
            long start = System.nanoTime();

            added(node.ask(node.add("c2", IFNAME)));

            assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(UNDELAYED);
        }
        done(node.ask(node.delete("c1", IFNAME)));
        done(node.ask(node.delete("c2", IFNAME)));
    }

    /** A capability gets a stranger through the folder's mode, and no further. */
    @Test
    void strangerWhoReachesTheSocketGetsNoService() throws Exception {
        assertThat(answerTo(List.of())).isEqualTo(DONE.strip());
        assertThat(answerTo(List.of(
                        "setpriv",
                        "--reuid=65534",
                        "--regid=65534",
                        "--clear-groups",
                        "--inh-caps=+dac_override",
                        "--ambient-caps=+dac_override")))
                .isEmpty();
        await().untilAsserted(() -> assertThat(node.agentLog()).contains("refused a connection: peer uid=65534"));
    }

    private static String answerTo(List<String> as) throws Exception {
        Path java = Path.of(System.getProperty("java.home"), "bin", "java");
        List<String> command = Stream.concat(
                        as.stream(),
                        Stream.of(
                                java.toString(),
                                "-XX:-UsePerfData",
                                "-Xmx32m",
                                "-cp",
                                System.getProperty("java.class.path"),
                                StatusClient.class.getName(),
                                node.agentSocket().toString()))
                .toList();
        Process process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (var output = process.inputReader()) {
            String answer = String.join("\n", output.readAllLines());
            assertThat(process.waitFor()).isZero();
            return answer;
        }
    }

    private static RawClient connect() throws IOException {
        return RawClient.connect(node.agentSocket());
    }

    private static boolean isClosed(RawClient client) {
        try {
            return client.isClosedWithin(Duration.ZERO);
        } catch (IOException e) {
            return true;
        }
    }

    private static void close(List<RawClient> clients) throws IOException {
        for (RawClient client : clients) {
            client.close();
        }
    }
}
