package io.ovsdpdk.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.e2e.Containerd.Call;
import io.ovsdpdk.e2e.Containerd.Pod;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/** Sandboxes of pods, run by a real containerd that calls our plugin as it likes to. */
@Tag("native")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ContainerdTest {
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    private Node node;
    private Containerd containerd;

    @BeforeAll
    void startContainerd() throws IOException {
        node = Node.start();
        ObjectNode network = node.network("1.0.0", "pods");
        network.remove(List.of("cniVersion", "name"));
        network.putObject("ipam")
                .put("type", "host-local")
                .put("subnet", "10.98.0.0/24")
                .put("dataDir", node.folder().resolve("leases").toString());
        containerd = Containerd.start(node, network);
    }

    @AfterAll
    void closeNode() throws IOException {
        try (Node _ = node) {
            containerd.close();
        }
    }

    @AfterEach
    void nothingIsLeft() throws IOException {
        assertThat(node.remains()).isEmpty();
        assertThat(leases()).isEmpty();
    }

    /** The addresses that host-local has given away. */
    private List<String> leases() throws IOException {
        Path folder = node.folder().resolve("leases/pods");
        if (!Files.exists(folder)) {
            return List.of();
        }
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString())
                    .filter(name -> name.startsWith("10."))
                    .toList();
        }
    }

    private JsonNode identityOfPort(String sandbox) throws IOException {
        return node.row("Interface", sandbox, Containerd.IFNAME).get("external_ids");
    }

    @Test
    void sandboxHasItsPortUntilItIsStoppedAndItsRemovalDeletesOnceMoreWithoutNamespace() throws IOException {
        Pod pod = Pod.named("web");

        String sandbox = containerd.runSandbox(pod);
        String address = containerd.address(sandbox);
        JsonNode identity = identityOfPort(sandbox);
        containerd.stopSandbox(sandbox);
        List<String> afterStop = node.remains();
        containerd.removeSandbox(sandbox);

        assertThat(address).startsWith("10.98.0.");
        assertThat(identity.at("/pod-namespace").asText()).isEqualTo(pod.namespace());
        assertThat(identity.at("/pod-name").asText()).isEqualTo(pod.name());
        assertThat(identity.at("/pod-uid").asText()).isEqualTo(pod.uid());
        assertThat(afterStop).isEmpty();
        List<Call> calls = containerd.calls(sandbox);
        assertThat(calls).extracting(Call::command).containsExactly("ADD", "DEL", "DEL");
        assertThat(calls).extracting(Call::ifname).containsOnly(Containerd.IFNAME);
        assertThat(calls.get(1).netns()).isEqualTo(calls.getFirst().netns()).isNotEmpty();
        assertThat(calls.get(2).netns()).isEmpty();
    }

    /** Kubelet removes the old sandbox when the new one runs already. */
    @Test
    void nextSandboxOfAPodKeepsItsPortWhenTheOldOneIsRemoved() throws IOException {
        Pod pod = Pod.named("again");
        String first = containerd.runSandbox(pod);
        containerd.stopSandbox(first);

        String second = containerd.runSandbox(pod.restarted());
        containerd.removeSandbox(first);

        assertThat(node.attachedContainers()).containsExactly(second);
        assertThat(identityOfPort(second).at("/pod-uid").asText()).isEqualTo(pod.uid());
        containerd.stopSandbox(second);
        containerd.removeSandbox(second);
    }

    @Test
    void sandboxIsStoppedByAnotherAgentThanTheOneThatMadeItsPort() throws IOException {
        String sandbox = containerd.runSandbox(Pod.named("survivor"));

        node.killAgent();
        node.startAgent();

        assertThat(node.attachedContainers()).containsExactly(sandbox);
        containerd.stopSandbox(sandbox);
        containerd.removeSandbox(sandbox);
    }

    @Test
    void sandboxIsStoppedAndRemovedWithoutAnAgentAndTheNextOneMakesUpForIt() throws IOException {
        String sandbox = containerd.runSandbox(Pod.named("orphan"));
        node.stopAgent();

        containerd.stopSandbox(sandbox);
        containerd.removeSandbox(sandbox);
        List<String> portsWithoutAgent = node.ports();
        node.startAgent();

        assertThat(portsWithoutAgent).hasSize(1);
        await().atMost(PATIENCE).untilAsserted(() -> assertThat(node.remains()).isEmpty());
    }

    @Test
    void sandboxStartsAsSoonAsTheAgentIsBack() throws Exception {
        node.stopAgent();
        int callsBefore = containerd.calls().size();
        try (Crowd crowd = new Crowd()) {
            Future<String> starting = crowd.begin(() -> containerd.runSandbox(Pod.named("early")));
            await().atMost(PATIENCE).until(() -> containerd.calls().size() > callsBefore);

            node.startAgent();

            String sandbox = Crowd.result(starting);
            assertThat(node.attachedContainers()).containsExactly(sandbox);
            containerd.stopSandbox(sandbox);
            containerd.removeSandbox(sandbox);
        }
    }

    @Test
    void failureReachesKubeletWithItsReasonAndLeavesNothing() throws IOException {
        node.ovs().vsctl("del-br", "br0");
        try {
            assertThatThrownBy(() -> containerd.runSandbox(Pod.named("unlucky")))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("has no bridge \"br0\"");
        } finally {
            node.ovs().addBridge("br0");
        }
    }
}
