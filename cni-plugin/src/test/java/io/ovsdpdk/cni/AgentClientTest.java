package io.ovsdpdk.cni;

import static io.ovsdpdk.cni.ContainerRuntime.network;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.Reply;
import io.ovsdpdk.cni.ContainerRuntime.Answer;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the plugin makes of an agent that is away, silent or wrong. */
@Timeout(20)
class AgentClientTest {
    private static final FakeAgent.Turn HANG_UP = FakeAgent.say("");

    @TempDir
    Path folder;

    private Path socket;
    private FakeAgent agent;
    private ContainerRuntime runtime;

    @BeforeEach
    void start() throws IOException {
        socket = ContainerRuntime.agentSocket(folder);
        agent = new FakeAgent(socket);
        runtime = new ContainerRuntime(folder);
    }

    @AfterEach
    void stop() {
        agent.close();
    }

    @Test
    void agentThatIsAwayIsCode11ThatNamesTheSocketAndWhereToLook() throws IOException {
        agent.close();
        Files.delete(socket);

        Answer answer = runtime.call("ADD", network("1.0.0", ""));

        assertThat(answer.code()).isEqualTo(ErrorCode.TRY_AGAIN.code());
        assertThat(answer.message()).contains(socket.toString(), "No such file");
        assertThat(answer.details()).contains("is ovs-dpdk-agent running on this node");
    }

    @Test
    void socketWithoutAnybodyBehindIsTheSame() {
        agent.close();

        Answer answer = runtime.call("ADD", network("1.0.0", ""));

        assertThat(answer.code()).isEqualTo(ErrorCode.TRY_AGAIN.code());
        assertThat(answer.message()).contains("Connection refused");
    }

    @Test
    void absentAgentIsWaitedForAsLongAsConfigured() throws IOException {
        runtime.node("\"agentWaitSeconds\": 1");
        agent.close();
        Instant start = Instant.now();

        Answer answer = runtime.call("CHECK", network("1.0.0", ",\"prevResult\":{}"));

        assertThat(answer.code()).isEqualTo(ErrorCode.TRY_AGAIN.code());
        assertThat(answer.message()).contains("tried for 1000 ms");
        assertThat(Duration.between(start, Instant.now())).isBetween(Duration.ofSeconds(1), Duration.ofSeconds(5));
    }

    @Test
    void delWaitsButShortly() throws IOException {
        runtime.node("\"agentWaitSeconds\": 300");
        agent.close();

        Answer answer = runtime.call("DEL", network("1.0.0", ""));

        assertThat(answer.status()).isZero();
        assertThat(answer.stderr()).contains("tried for 200 ms");
    }

    @Test
    void agentThatComesBackIsAsked() throws Exception {
        runtime.node("\"agentWaitSeconds\": 20");
        agent.close();
        CompletableFuture<Answer> answer =
                CompletableFuture.supplyAsync(() -> runtime.call("ADD", network("1.0.0", "")));
        Files.delete(socket);

        agent = new FakeAgent(socket);

        assertThat(answer.get().status()).isZero();
        assertThat(agent.operations()).containsExactly("Add");
    }

    @Test
    void requestWhoseAnswerWasLostIsRepeated() throws IOException {
        runtime.node("\"agentWaitSeconds\": 20");
        agent.then(HANG_UP, FakeAgent.say("{\"reply\":\"ad"));

        Answer answer = runtime.call("ADD", network("1.0.0", ""));

        assertThat(answer.status()).isZero();
        assertThat(agent.operations()).containsExactly("Add", "Add", "Add");
    }

    @Test
    void answerThatStaysLostTakesBackPortAndAddress() throws IOException {
        RecordingIpam ipam = new RecordingIpam(folder);
        agent.then(agent.properly(), HANG_UP);

        Answer answer = runtime.with("CNI_PATH", folder.toString()).call("ADD", network("1.1.0", RecordingIpam.MEMBER));

        assertThat(answer.code()).isEqualTo(ErrorCode.TRY_AGAIN.code());
        assertThat(agent.operations()).containsExactly("Announce", "Add", "Delete");
        assertThat(ipam.commands()).containsExactly("ADD", "DEL");
    }

    @Test
    void fullQueueIsAnAbsence() throws IOException {
        Path crowded = folder.resolve("crowded.sock");
        List<SocketChannel> waiting = new ArrayList<>();
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(crowded), 1);
            assertThatThrownBy(() -> {
                        while (true) {
                            SocketChannel next = SocketChannel.open(StandardProtocolFamily.UNIX);
                            next.configureBlocking(false);
                            waiting.add(next);
                            next.connect(UnixDomainSocketAddress.of(crowded));
                        }
                    })
                    .isInstanceOf(IOException.class);

            assertThat(AgentConnection.exchange(crowded, new byte[] {'{', '}', '\n'}, Duration.ofSeconds(1)))
                    .isEqualTo(new AgentConnection.Outcome.Absent("Resource temporarily unavailable"));
        } finally {
            for (SocketChannel channel : waiting) {
                channel.close();
            }
        }
    }

    @Test
    void silentAgentIsNotAskedAgain() throws IOException {
        runtime.node("\"addTimeoutSeconds\": 1, \"agentWaitSeconds\": 300");
        agent.then(agent.silence());
        Instant start = Instant.now();

        Answer answer = runtime.call("ADD", network("1.0.0", ""));

        assertThat(answer.code()).isEqualTo(ErrorCode.TRY_AGAIN.code());
        assertThat(answer.message()).contains("did not answer within 1200 ms");
        assertThat(Duration.between(start, Instant.now())).isBetween(Duration.ofMillis(1200), Duration.ofSeconds(8));
        assertThat(agent.operations()).containsExactly("Add");
    }

    @Test
    void agentThatDribblesIsCutOff() throws IOException {
        runtime.node("\"addTimeoutSeconds\": 1, \"agentWaitSeconds\": 0");
        CountDownLatch cut = new CountDownLatch(1);
        agent.then((request, connection) -> Thread.ofVirtual().start(() -> {
            try (connection) {
                while (true) {
                    connection.write(ByteBuffer.wrap(new byte[] {' '}));
                    cut.await(20, TimeUnit.MILLISECONDS);
                }
            } catch (IOException | InterruptedException e) {
                cut.countDown();
            }
        }));

        Answer answer = runtime.call("ADD", network("1.0.0", ""));

        assertThat(answer.code()).isEqualTo(ErrorCode.TRY_AGAIN.code());
        assertThat(answer.message()).contains("did not answer within");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "\n",
                "OK\n",
                "[]\n",
                "{}\n",
                "{\"reply\":\"maybe\"}\n",
                "{\"reply\":\"added\"}\n",
                "{\"reply\":\"added\",\"attached\":{\"ifname\":\"net1\"}}\n",
                "{\"reply\":\"failed\",\"code\":\"7\",\"msg\":\"\",\"details\":\"\"}\n",
                "{\"reply\":\"done\"}\n",
                "{\"reply\":\"announced\"}\n"
            })
    void answerThatIsNoneIsCode6(String line) {
        agent.then(FakeAgent.say(line));

        Answer answer = runtime.call("ADD", network("1.0.0", ""));

        assertThat(answer.code()).isEqualTo(ErrorCode.DECODING.code());
        assertThat(agent.operations()).containsExactly("Add");
    }

    @Test
    void answerWithoutAnEndIsCutOffAtItsLimit() {
        agent.then(FakeAgent.say("x".repeat((1 << 20) + 70_000)));

        Answer answer = runtime.call("ADD", network("1.0.0", ""));

        assertThat(answer.code()).isEqualTo(ErrorCode.DECODING.code());
        assertThat(answer.message()).contains("1048576 bytes");
    }

    @Test
    void answerAfterAnEarlyHangUpCounts() {
        // An agent that refuses a peer answers and closes without reading: the rest of the request can't be written
        String large = ",\"args\":{\"long\":\"" + "x".repeat(900_000) + "\"}";
        agent.then(FakeAgent.fail(ErrorCode.CONFIGURATION, "not for you"));

        Answer answer = runtime.call("ADD", network("1.0.0", large));

        assertThat(answer.message()).isEqualTo("not for you");
    }

    @Test
    void requestThatIsTooLongIsNotSent() {
        String large = ",\"args\":{\"long\":\"" + "x".repeat((1 << 20) - 200) + "\"}";

        Answer answer = runtime.call("ADD", network("1.0.0", large));

        assertThat(answer.code()).isEqualTo(ErrorCode.DECODING.code());
        assertThat(answer.message()).contains("too long for the agent");
        assertThat(agent.requests()).isEmpty();
    }

    @Test
    void debugTellsHowLongTheAgentTook() {
        agent.then(FakeAgent.reply(new Reply.Done()));

        Answer answer = runtime.call("DEL", network("1.0.0", ",\"logLevel\":\"debug\""));

        assertThat(answer.stdout()).isEmpty();
        assertThat(answer.stderr())
                .startsWith("level=debug command=DEL container=\"0123456789abcdef\" ifname=\"net1\""
                        + " pod=\"default/p1\" msg=\"the agent answered after ");
    }

    @Test
    void announcementIsWaitedForTooAndItsSilenceEndsTheAdd() throws IOException {
        RecordingIpam ipam = new RecordingIpam(folder);
        agent.then(agent.silence());

        Answer answer = runtime.with("CNI_PATH", folder.toString()).call("ADD", network("1.1.0", RecordingIpam.MEMBER));

        assertThat(answer.code()).isEqualTo(ErrorCode.TRY_AGAIN.code());
        assertThat(ipam.commands()).isEmpty();
        assertThat(agent.operations()).containsExactly("Announce");
    }

    @Test
    void repeatedAnnouncementThatFindsTheAttachmentEndsTheAdd() throws IOException {
        runtime.node("\"agentWaitSeconds\": 20");
        RecordingIpam ipam = new RecordingIpam(folder);
        agent.then(
                HANG_UP,
                FakeAgent.reply(new Reply.Announced(
                        Optional.of(FakeAgent.attached("net1", "/run/netns/p1", OptionalInt.empty(), "{}")))));

        Answer answer = runtime.with("CNI_PATH", folder.toString()).call("ADD", network("1.1.0", RecordingIpam.MEMBER));

        assertThat(answer.status()).isZero();
        assertThat(ipam.commands()).isEmpty();
    }
}
