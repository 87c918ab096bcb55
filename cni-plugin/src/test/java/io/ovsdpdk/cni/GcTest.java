package io.ovsdpdk.cni;

import static io.ovsdpdk.cni.ContainerRuntime.json;
import static io.ovsdpdk.cni.ContainerRuntime.network;
import static org.assertj.core.api.Assertions.assertThat;

import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.Request;
import io.ovsdpdk.cni.ContainerRuntime.Answer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GcTest {
    private static final Answer SUCCESS = new Answer(0, "", "");
    private static final String VALID = ",\"cni.dev/valid-attachments\":"
            + "[{\"containerID\":\"c1\",\"ifname\":\"net1\"},{\"containerID\":\"c2\",\"ifname\":\"eth0\"}]";

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
        runtime = new ContainerRuntime(folder)
                .without("CNI_CONTAINERID")
                .without("CNI_NETNS")
                .without("CNI_IFNAME")
                .without("CNI_ARGS")
                .with("CNI_PATH", "/usr/lib/cni:" + plugins);
    }

    @AfterEach
    void stop() {
        agent.close();
    }

    @Test
    void agentCollectsAllButTheValid() {
        Answer answer = runtime.call("GC", network("1.1.0", VALID));

        assertThat(answer).isEqualTo(SUCCESS);
        assertThat(agent.requests())
                .containsExactly(new Request.Collect(
                        "fast", Set.of(new AttachmentId("c1", "net1"), new AttachmentId("c2", "eth0"))));
    }

    @ParameterizedTest
    @ValueSource(strings = {"[]", "null"})
    void emptyListMeansThatNoneIsValid(String empty) {
        runtime.call("GC", network("1.1.0", ",\"cni.dev/valid-attachments\":" + empty));

        assertThat(agent.requests()).containsExactly(new Request.Collect("fast", Set.of()));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                ",\"cni.dev/valid-attachments\":{}",
                ",\"cni.dev/valid-attachments\":\"c1\"",
                ",\"cni.dev/valid-attachments\":[\"c1\"]",
                ",\"cni.dev/valid-attachments\":[{\"containerID\":\"c1\"}]",
                ",\"cni.dev/valid-attachments\":[{\"containerID\":1,\"ifname\":\"net1\"}]",
                ",\"cni.dev/valid-attachments\":[{\"containerID\":\"c1\",\"ifname\":true}]",
                ",\"cni.dev/valid-attachments\":[{\"containerID\":\"c1\",\"ifname\":\"net1\"},"
                        + "{\"containerID\":\"../c\",\"ifname\":\"net1\"}]"
            })
    void listThatCantBeUnderstoodCollectsNothing(String list) throws IOException {
        Answer answer = runtime.call("GC", network("1.1.0", RecordingIpam.MEMBER + list));

        assertThat(answer.code()).isEqualTo(ErrorCode.CONFIGURATION.code());
        assertThat(answer.message()).contains("cni.dev/valid-attachments");
        assertThat(agent.requests()).isEmpty();
        assertThat(ipam.commands()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"0.3.0", "0.3.1", "0.4.0", "1.0.0"})
    void versionsBefore11HaveNoGc(String version) {
        Answer answer = runtime.call("GC", network(version, VALID));

        assertThat(answer.code()).isEqualTo(ErrorCode.INCOMPATIBLE_VERSION.code());
        assertThat(answer.json().path("cniVersion").asText()).isEqualTo(version);
        assertThat(agent.requests()).isEmpty();
    }

    @Test
    void restOfTheConfigurationDoesNotMatter() {
        Answer answer = runtime.call("GC", "{\"cniVersion\":\"1.1.0\",\"name\":\"fast\",\"mtu\":{}" + VALID + "}");

        assertThat(answer).isEqualTo(SUCCESS);
    }

    @Test
    void ipamCollectsToo() throws IOException {
        String network = network("1.1.0", RecordingIpam.MEMBER + VALID);

        assertThat(runtime.call("GC", network)).isEqualTo(SUCCESS);
        assertThat(ipam.commands()).containsExactly("VERSION", "GC");
        assertThat(ipam.stdin("GC")).isEqualTo(network);
        assertThat(ipam.environment("GC")).contains("CNI_COMMAND=GC");
    }

    @Test
    void ipamCollectsEvenIfTheAgentFails() throws IOException {
        agent.then(FakeAgent.fail(ErrorCode.TRY_AGAIN, "OVSDB is away"));

        Answer answer = runtime.call("GC", network("1.1.0", RecordingIpam.MEMBER + VALID));

        assertThat(answer.json()).isEqualTo(json("""
                {"cniVersion": "1.1.0", "code": 11, "msg": "OVSDB is away", "details": "details of TRY_AGAIN"}
                """));
        assertThat(ipam.commands()).containsExactly("VERSION", "GC");
    }

    @Test
    void ipamPluginOlderThanGcIsNotAsked() {
        Answer answer = runtime.call(
                "GC", network("1.1.0", ",\"ipam\":{\"type\":\"host-local\",\"subnet\":\"10.1.0.0/16\"}" + VALID));

        assertThat(answer).isEqualTo(SUCCESS);
    }
}
