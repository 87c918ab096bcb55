package io.ovsdpdk.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The executable as a person starts it. */
@Tag("plugin")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class NodeCommandLineTest {
    private static final String CONTAINER = "0123456789abcdef";

    private Node node;

    @BeforeAll
    void start() throws IOException {
        node = Node.start();
        PluginCall.Outcome added = node.call("ADD", CONTAINER, "net1", node.network("1.1.0", "fast"))
                .run();
        assertThat(added.succeeded()).as(added.toString()).isTrue();
    }

    @AfterAll
    void stop() throws IOException {
        node.close();
    }

    private PluginCall.Outcome run(String... arguments) throws IOException {
        List<String> command = new ArrayList<>(
                node.call("VERSION", "c", "i", node.network("1.1.0", "n")).command());
        command.addAll(List.of(arguments));
        return new PluginCall(
                        command, Map.of("OVS_DPDK_CONF", node.configuration().toString()), new byte[0])
                .run();
    }

    @Test
    void listShowsWhatIsAttached() throws IOException {
        PluginCall.Outcome outcome = run("list", "-o", "json");

        assertThat(outcome.status()).as(outcome.toString()).isZero();
        JsonNode json = new ObjectMapper().readTree(outcome.stdout());
        assertThat(json).hasSize(1);
        assertThat(json.at("/0/containerId").asText()).isEqualTo(CONTAINER);
        assertThat(json.at("/0/socketPath").asText())
                .isEqualTo(node.workloadSocket(CONTAINER, "net1").toString());
        assertThat(json.at("/0/link").asText()).isEqualTo("down");
        assertThat(json.at("/0/problem").asText()).isEmpty();
    }

    @Test
    void showFindsThePod() throws IOException {
        PluginCall.Outcome outcome = run("show", "default/pod-0123456789ab");

        assertThat(outcome.status()).as(outcome.toString()).isZero();
        assertThat(outcome.stdout()).contains(CONTAINER, "fast", "br0");
    }

    @Test
    void statusSaysThatTheNodeServes() throws IOException {
        PluginCall.Outcome outcome = run("status");

        assertThat(outcome.status()).as(outcome.toString()).isZero();
        assertThat(outcome.stdout()).contains("ready", "yes", "DPDK", "1 of 1024");
    }

    @ParameterizedTest
    @ValueSource(strings = {"ready", "live"})
    void probesOfARunningAgentSucceed(String probe) throws IOException {
        PluginCall.Outcome outcome = run(probe);

        assertThat(outcome.status()).as(outcome.toString()).isZero();
    }

    @Test
    void cniCommandInTheEnvironmentMeansCniWhateverTheArgumentsAre() throws IOException {
        PluginCall version = node.call("VERSION", "c", "i", node.network("1.1.0", "n"));
        List<String> command = new ArrayList<>(version.command());
        command.add("list");

        PluginCall.Outcome outcome = new PluginCall(command, version.environment(), version.network()).run();

        assertThat(outcome.json().path("supportedVersions")).hasSize(5);
    }
}
