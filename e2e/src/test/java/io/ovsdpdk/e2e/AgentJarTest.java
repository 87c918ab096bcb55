package io.ovsdpdk.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What only the built jar of the agent shows. */
class AgentJarTest {

    @Test
    void versionIsThatOfTheBuild() throws Exception {
        List<String> command = new ArrayList<>(Jars.agent(List.of(), Jars.agentBuild()));
        command.add("--version");
        Process agent = new ProcessBuilder(command).redirectErrorStream(true).start();

        assertThat(new String(agent.getInputStream().readAllBytes(), StandardCharsets.UTF_8))
                .matches("ovs-dpdk-agent [0-9]+\\.[0-9].*\\R");
        assertThat(agent.waitFor()).isZero();
    }
}
