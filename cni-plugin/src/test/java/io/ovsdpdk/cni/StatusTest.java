package io.ovsdpdk.cni;

import static io.ovsdpdk.cni.ContainerRuntime.json;
import static io.ovsdpdk.cni.ContainerRuntime.network;
import static org.assertj.core.api.Assertions.assertThat;

import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.cni.ContainerRuntime.Answer;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class StatusTest {
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
    void readyAgentMeansReady() {
        assertThat(runtime.call("STATUS", network("1.1.0", ""))).isEqualTo(SUCCESS);
        assertThat(agent.operations()).containsExactly("Status");
    }

    @ParameterizedTest
    @ValueSource(strings = {"0.3.0", "0.3.1", "0.4.0", "1.0.0"})
    void versionsBefore11HaveNoStatus(String version) {
        Answer answer = runtime.call("STATUS", network(version, ""));

        assertThat(answer.code()).isEqualTo(ErrorCode.INCOMPATIBLE_VERSION.code());
    }

    @Test
    void agentsReasonIsHandedOn() {
        agent.then(FakeAgent.fail(ErrorCode.NOT_AVAILABLE_AND_LIMITED, "vswitchd does not follow"));

        Answer answer = runtime.call("STATUS", network("1.1.0", ""));

        assertThat(answer.json()).isEqualTo(json("""
                {"cniVersion": "1.1.0", "code": 51, "msg": "vswitchd does not follow",
                 "details": "details of NOT_AVAILABLE_AND_LIMITED"}
                """));
    }

    @Test
    void agentThatIsAwayIsCode50WithoutWaiting() throws IOException {
        runtime.node("\"agentWaitSeconds\": 300");
        agent.close();
        Instant start = Instant.now();

        Answer answer = runtime.call("STATUS", network("1.1.0", ""));

        assertThat(answer.code()).isEqualTo(50);
        assertThat(answer.message())
                .contains(ContainerRuntime.agentSocket(folder).toString());
        assertThat(answer.details()).contains("ovs-dpdk-agent");
        assertThat(Duration.between(start, Instant.now())).isLessThan(Duration.ofSeconds(5));
    }

    @Test
    void silentAgentIsCode50() {
        agent.then(agent.silence());

        assertThat(runtime.call("STATUS", network("1.1.0", "")).code()).isEqualTo(50);
    }

    @Test
    void brokenConfigurationIsSaid() {
        Answer answer = runtime.call("STATUS", network("1.1.0", ",\"vlan\":7"));

        assertThat(answer.code()).isEqualTo(ErrorCode.CONFIGURATION.code());
        assertThat(answer.message()).contains("\"vlan\"");
        assertThat(agent.requests()).isEmpty();
    }

    @Test
    void ipamIsAskedToo() throws IOException {
        ipam.fails("STATUS", "{\"code\":50,\"msg\":\"no addresses left\"}");

        Answer answer = runtime.call("STATUS", network("1.1.0", RecordingIpam.MEMBER));

        assertThat(answer.code()).isEqualTo(50);
        assertThat(answer.message()).isEqualTo("no addresses left");
        assertThat(ipam.commands()).containsExactly("VERSION", "STATUS");
    }

    @Test
    void ipamPluginThatIsGoneIsCode50() {
        assertThat(runtime.call("STATUS", network("1.1.0", ",\"ipam\":{\"type\":\"whereabouts\"}"))
                        .code())
                .isEqualTo(50);
    }

    @Test
    void ipamPluginOlderThanStatusIsNotAsked() {
        assertThat(runtime.call("STATUS", network("1.1.0", ",\"ipam\":{\"type\":\"static\"}")))
                .isEqualTo(SUCCESS);
    }
}
