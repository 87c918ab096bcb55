package io.ovsdpdk.cni;

import static io.ovsdpdk.cni.ContainerRuntime.network;
import static org.assertj.core.api.Assertions.assertThat;

import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.DeletionQueue;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.cni.ContainerRuntime.Answer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The plugin and an agent of another version, whose lines stand here as they come: an older one's were recorded. */
class OtherVersionTest {

    private static final String ATTACHED = "\"attached\":{\"ifname\":\"net1\",\"sandbox\":\"/run/netns/p1\","
            + "\"mac\":\"02:00:00:00:00:01\",\"mtu\":9000,\"socketPath\":\"/x/net1.sock\",\"ipam\":{}";

    /** Of the first protocol, which told no number. */
    private static final String OLDER = "{\"reply\":\"added\"," + ATTACHED + "}}\n";

    /** With keys that the plugin knows nothing of. */
    private static final String NEWER =
            "{\"protocol\":99,\"reply\":\"added\",\"took\":7," + ATTACHED + ",\"queues\":{\"rx\":4}}}\n";

    /** An operation of ours that an older agent lacks, as it would say that. */
    private static final String TOO_OLD =
            "{\"reply\":\"failed\",\"code\":6,\"msg\":\"the agent does not know the operation "
                    + "\\\"delete\\\"\",\"details\":\"agent and plugin are of different versions: upgrade the agent\"}\n";

    private static final String TOO_NEW = "{\"protocol\":99,\"reply\":\"deferred\",\"until\":7}\n";

    @TempDir
    Path folder;

    @AutoClose
    private FakeAgent agent;

    private ContainerRuntime runtime;

    @BeforeEach
    void start() throws IOException {
        agent = new FakeAgent(ContainerRuntime.agentSocket(folder));
        runtime = new ContainerRuntime(folder);
    }

    private Answer call(String command, String reply) {
        agent.then(Collections.nCopies(2, FakeAgent.say(reply)).toArray(FakeAgent.Turn[]::new));
        return runtime.call(command, network("1.1.0", ""));
    }

    private List<AttachmentId> left() throws IOException {
        return new DeletionQueue(ContainerRuntime.deletions(folder))
                .read().entries().stream().map(DeletionQueue.Entry::id).toList();
    }

    @ParameterizedTest
    @ValueSource(strings = {OLDER, NEWER})
    void addGivesWhatTheAgentMade(String reply) {
        Answer answer = call("ADD", reply);

        assertThat(answer.status()).as(answer.toString()).isZero();
        assertThat(answer.json().at("/interfaces/0/socketPath").asText()).isEqualTo("/x/net1.sock");
        assertThat(answer.json().at("/interfaces/0/mtu").asInt()).isEqualTo(9000);
    }

    @ParameterizedTest
    @ValueSource(strings = {"{\"reply\":\"done\"}\n", "{\"protocol\":99,\"reply\":\"done\",\"freed\":[1]}\n"})
    void deletionsAndStatusAreDone(String reply) throws IOException {
        assertThat(call("DEL", reply).status()).isZero();
        assertThat(call("STATUS", reply).status()).isZero();
        assertThat(left()).isEmpty();
    }

    @Test
    void addWhoseReplyIsNotUnderstoodSaysWhatToUpgrade() {
        agent.then(FakeAgent.say(TOO_NEW));

        Answer answer = runtime.call("ADD", network("1.1.0", ""));

        assertThat(answer.code()).isEqualTo(ErrorCode.DECODING.code());
        assertThat(answer.message()).contains("plugin (protocol 1)", "\"deferred\"", "agent (protocol 99)");
        assertThat(answer.details()).contains("upgrade the plugin");
    }

    @ParameterizedTest
    @ValueSource(strings = {TOO_OLD, TOO_NEW, "garbage\n"})
    void deletionThatTheAgentDoesNotUnderstandIsLeftForTheNextOne(String reply) throws IOException {
        Answer answer = call("DEL", reply);

        assertThat(answer.status()).isZero();
        assertThat(answer.stdout()).isEmpty();
        assertThat(answer.stderr()).contains("left for the agent");
        assertThat(left()).containsExactly(new AttachmentId(ContainerRuntime.CONTAINER, "net1"));
    }
}
