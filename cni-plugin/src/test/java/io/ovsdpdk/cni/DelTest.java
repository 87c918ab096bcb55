package io.ovsdpdk.cni;

import static io.ovsdpdk.cni.ContainerRuntime.network;
import static org.assertj.core.api.Assertions.assertThat;

import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.DeletionQueue;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.Request;
import io.ovsdpdk.cni.ContainerRuntime.Answer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DelTest {
    private static final Answer SUCCESS = new Answer(0, "", "");

    @TempDir
    Path folder;

    @TempDir
    Path plugins;

    private FakeAgent agent;
    private RecordingIpam ipam;
    private ContainerRuntime runtime;

    @BeforeEach
    void start() throws IOException {
        agent = new FakeAgent(ContainerRuntime.agentSocket(folder));
        ipam = new RecordingIpam(plugins);
        runtime = new ContainerRuntime(folder).with("CNI_PATH", plugins.toString());
    }

    @AfterEach
    void stop() {
        agent.close();
    }

    @ParameterizedTest
    @ValueSource(strings = {"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"})
    void delSaysNothing(String version) {
        Answer answer = runtime.call("DEL", network(version, ""));

        assertThat(answer).isEqualTo(SUCCESS);
        assertThat(agent.requests()).containsExactly(new Request.Delete(new AttachmentId("0123456789abcdef", "net1")));
    }

    @Test
    void delNeedsNothingButContainerAndInterface() {
        runtime.with("CNI_NETNS", "").without("CNI_ARGS").without("CNI_PATH");

        assertThat(runtime.call("DEL", network("1.0.0", ""))).isEqualTo(SUCCESS);
        assertThat(runtime.without("CNI_NETNS").call("DEL", network("1.0.0", "")))
                .isEqualTo(SUCCESS);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"cniVersion\":\"1.0.0\"}",
                "{\"cniVersion\":\"1.0.0\",\"name\":\"a b\",\"bridge\":7,\"mtu\":\"x\",\"unknown\":1}",
                "{\"cniVersion\":\"1.0.0\",\"prevResult\":\"none\",\"logLevel\":[],\"dns\":3}"
            })
    void delSucceedsWithABrokenConfiguration(String network) {
        assertThat(runtime.call("DEL", network)).isEqualTo(SUCCESS);
        assertThat(agent.operations()).containsExactly("Delete");
    }

    @Test
    void delSucceedsWithMalformedArguments() {
        assertThat(runtime.with("CNI_ARGS", "nonsense;;").call("DEL", network("1.0.0", "")))
                .isEqualTo(SUCCESS);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "\"host-local\"",
                "{\"type\":7}",
                "{\"subnet\":\"10.1.0.0/16\"}",
                "{\"type\":\"../sh\"}",
                "{\"type\":\"ovs-dpdk\"}"
            })
    void ipamThatCantBeIsNotRunAndSaidOnStandardError(String broken) {
        Answer answer = runtime.call("DEL", network("1.0.0", ",\"ipam\":" + broken));

        assertThat(answer.status()).isZero();
        assertThat(answer.stdout()).isEmpty();
        assertThat(answer.stderr()).contains("level=warn command=DEL", "no address is released", "ipam");
        assertThat(agent.operations()).containsExactly("Delete");
    }

    @Test
    void ipamPluginThatIsGoneDoesNotKeepThePod() {
        Answer answer = runtime.call("DEL", network("1.0.0", ",\"ipam\":{\"type\":\"whereabouts\"}"));

        assertThat(answer.status()).isZero();
        assertThat(answer.stderr()).contains("no address is released", "whereabouts");
    }

    @Test
    void portGoesBeforeTheAddress() throws IOException {
        Path order = plugins.resolve("order");
        ipam.does("DEL", "echo address >> order");
        agent.then((request, connection) -> {
            Files.writeString(order, "port\n");
            agent.properly().take(request, connection);
        });

        runtime.call("DEL", network("1.1.0", RecordingIpam.MEMBER));

        assertThat(Files.readAllLines(order)).containsExactly("port", "address");
    }

    @Test
    void agentThatRefusesGetsTheDeletionLeftAndTheAddressIsReleased() throws IOException {
        agent.then(Collections.nCopies(2, FakeAgent.fail(ErrorCode.TRY_AGAIN, "256 requests already"))
                .toArray(FakeAgent.Turn[]::new));

        Answer answer = runtime.call("DEL", network("1.1.0", RecordingIpam.MEMBER));

        assertThat(answer.status()).isZero();
        assertThat(answer.stderr()).contains("256 requests already", "left for the agent");
        assertThat(agent.operations()).as("its next answer could take as long").containsExactly("Delete");
        assertThat(left()).containsExactly(new AttachmentId(ContainerRuntime.CONTAINER, "net1"));
        assertThat(ipam.commands()).containsExactly("DEL");
    }

    @Test
    void failureOfTheIpamPluginIsAnErrorAndThePortGoes() throws IOException {
        ipam.fails("DEL", "{\"code\":11,\"msg\":\"lease store is locked\"}");

        Answer answer = runtime.call("DEL", network("1.1.0", RecordingIpam.MEMBER));

        assertThat(answer.code()).isEqualTo(11);
        assertThat(answer.message()).isEqualTo("lease store is locked");
        assertThat(agent.operations()).containsExactly("Delete");
    }

    @Test
    void ofTwoFailuresTheSecondIsLogged() throws IOException {
        ipam.fails("DEL", "{\"code\":11,\"msg\":\"lease store is locked\"}");
        agent.close();
        Files.writeString(ContainerRuntime.deletions(folder), "a file where the folder should be");

        Answer answer = runtime.call("DEL", network("1.1.0", RecordingIpam.MEMBER));

        assertThat(answer.message()).contains("can't be left");
        assertThat(answer.stderr()).contains("also failed: lease store is locked");
    }

    @Test
    void agentThatIsAwayIsNoErrorAndTheDeletionIsLeftForIt() throws Exception {
        agent.close();

        Answer answer = runtime.call("DEL", network("1.1.0", RecordingIpam.MEMBER));

        assertThat(answer.status()).isZero();
        assertThat(answer.stdout()).isEmpty();
        assertThat(answer.stderr()).contains("left for the agent");
        assertThat(left()).containsExactly(new AttachmentId(ContainerRuntime.CONTAINER, "net1"));
        assertThat(ipam.commands()).containsExactly("DEL");
    }

    @Test
    void deletionIsLeftOnceHoweverOftenItIsAskedFor() throws Exception {
        agent.close();

        runtime.call("DEL", network("1.1.0", ""));
        runtime.call("DEL", network("1.1.0", ""));

        assertThat(left()).hasSize(1);
    }

    @Test
    void agentThatAlwaysHangsUpGetsTheDeletionLeft() throws Exception {
        agent.then(Collections.nCopies(100, FakeAgent.say("")).toArray(FakeAgent.Turn[]::new));

        Answer answer = runtime.call("DEL", network("1.1.0", ""));

        assertThat(answer.status()).isZero();
        assertThat(left()).hasSize(1);
    }

    @Test
    void deletionThatCantBeLeftIsAnError() throws Exception {
        agent.close();
        Files.writeString(ContainerRuntime.deletions(folder), "a file where the folder should be");

        Answer answer = runtime.call("DEL", network("1.1.0", ""));

        assertThat(answer.code()).isEqualTo(ErrorCode.TRY_AGAIN.code());
        assertThat(answer.message()).contains("can't be left", "deletions");
    }

    @Test
    void reasonWhyADeletionCantBeLeftIsTold() throws Exception {
        agent.close();
        Path nowhere = folder.resolve("nowhere");
        Files.writeString(
                runtime.nodeConfiguration(),
                "{\"agentSocket\":\"" + nowhere + "/run/agent/agent.sock\",\"agentWaitSeconds\":0}");

        Answer answer = runtime.call("DEL", network("1.1.0", ""));

        assertThat(answer.code()).isEqualTo(ErrorCode.TRY_AGAIN.code());
        assertThat(answer.message()).contains("NoSuchFileException: " + nowhere);
    }

    @Test
    void queueThatOthersHoldIsWaitedForButNotForEver() throws Exception {
        agent.close();
        DeletionQueue queue = new DeletionQueue(ContainerRuntime.deletions(folder));

        try (DeletionQueue.Held held = queue.lock(Duration.ofSeconds(1))) {
            assertThat(runtime.call("DEL", network("1.1.0", "")).code()).isEqualTo(ErrorCode.TRY_AGAIN.code());
            assertThat(held).isNotNull();
        }
        assertThat(runtime.call("DEL", network("1.1.0", "")).status()).isZero();
    }

    private List<AttachmentId> left() throws IOException {
        return new DeletionQueue(ContainerRuntime.deletions(folder))
                .read().entries().stream().map(DeletionQueue.Entry::id).toList();
    }

    @ParameterizedTest
    @ValueSource(strings = {"{\"agentSockets\":1}", "no JSON", "{\"addTimeoutSeconds\":0}"})
    void brokenNodeConfigurationIsSaidAndTheUsualOneTaken(String broken) throws IOException {
        Files.writeString(runtime.nodeConfiguration(), broken);

        Answer answer = runtime.call("DEL", network("1.1.0", RecordingIpam.MEMBER));

        assertThat(answer.stderr())
                .contains("level=warn command=DEL", runtime.nodeConfiguration().toString());
        assertThat(answer.status()).isZero();
        assertThat(new DeletionQueue(ContainerRuntime.deletions(folder.resolve("usual")))
                        .read()
                        .entries())
                .hasSize(1);
        assertThat(ipam.commands()).containsExactly("DEL");
    }

    @Test
    void oldIpamPluginGetsAConfigurationWithoutAPrevResultThatCantBeRead() throws IOException {
        ipam.answer("VERSION", "{\"supportedVersions\":[\"1.0.0\"]}");
        ipam.does(
                "DEL",
                "grep -q '\"cniVersion\":\"1.0.0\"' DEL.stdin || { echo '{\"code\":1,\"msg\":\"old\"}'; exit 1; }");

        Answer answer = runtime.call("DEL", network("1.1.0", RecordingIpam.MEMBER + ",\"prevResult\":7"));

        assertThat(answer).isEqualTo(SUCCESS);
        assertThat(ipam.network("DEL")).isEqualTo(ContainerRuntime.json(network("1.0.0", RecordingIpam.MEMBER)));
    }
}
