package io.ovsdpdk.e2e;

import static io.ovsdpdk.agent.kubernetes.testbed.Pods.withVolume;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.mockwebserver.http.MockResponse;
import io.ovsdpdk.ovsdb.testbed.FolderTree;
import io.ovsdpdk.ovsdb.testbed.OvsDpdk;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.awaitility.core.ConditionFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Pods that go without a DEL: what the agent and the administrator do about them. */
@Tag("plugin")
@Tag("long")
class OrphanedPodsTest {
    private KubernetesNode cluster;
    private Node node;
    private ObjectNode network;

    @BeforeEach
    void startNode() throws IOException {
        OvsDpdk ovs = OvsDpdk.start();
        ovs.addBridge("br0");
        cluster = KubernetesNode.start(ovs);
        node = cluster.node;
        network = node.network("1.1.0", "fast");
        network.remove("sharedDir");
        inTime().until(() -> cluster.apiServer.watches() > 0);
    }

    @AfterEach
    void closeNode() throws IOException {
        cluster.close();
    }

    private static ConditionFactory inTime() {
        return await().atMost(Duration.ofSeconds(30));
    }

    private Pod attachedPod(String name) throws IOException {
        Pod pod = cluster.schedule(withVolume(name, KubernetesNode.NAME, "shared-dir", "\"emptyDir\": {}"));
        PluginCall.Outcome added =
                cluster.call("ADD", node.newContainer(), pod, network).run();
        assertThat(added.succeeded()).as(added.stdout()).isTrue();
        return pod;
    }

    private PluginCall.Outcome gc(String... options) throws IOException {
        List<String> command =
                new ArrayList<>(node.call("VERSION", "c", "i", network).command());
        command.addAll(List.of("gc", "-o", "json"));
        command.addAll(List.of(options));
        return new PluginCall(
                        command, Map.of("OVS_DPDK_CONF", node.configuration().toString()), new byte[0])
                .run();
    }

    private JsonNode orphans(String... options) throws IOException {
        PluginCall.Outcome outcome = gc(options);
        assertThat(outcome.status()).as("%s", outcome).isZero();
        return outcome.json().path("orphans");
    }

    private void addPortOf(String owner, String name) throws IOException {
        node.ovs()
                .vsctl(
                        "add-port",
                        "br0",
                        name,
                        "--",
                        "set",
                        "Interface",
                        name,
                        "type=dpdkvhostuserclient",
                        "options:vhost-server-path=/nonexistent/" + name,
                        "external_ids:pod-uid=none",
                        "--",
                        "set",
                        "Port",
                        name,
                        "external_ids:owner=" + owner,
                        "external_ids:pod-uid=none");
    }

    @Test
    void administratorSeesWhatIsLeftOfAPodAndRemovesIt() throws IOException {
        addPortOf("ovs-cni.network.kubevirt.io", "veth0");
        addPortOf("somebody", "dpdk0");
        Pod kept = attachedPod("kept");
        Pod lost = attachedPod("lost");
        cluster.remove(lost);
        inTime().until(() -> !orphans("--dry-run").isEmpty());

        JsonNode orphan = orphans("--dry-run").path(0);
        assertThat(orphan.path("state").asText()).isEqualTo("waiting");
        assertThat(orphan.at("/pod/uid").asText()).isEqualTo(lost.getMetadata().getUid());
        assertThat(orphans().path(0).path("state").asText()).isEqualTo("waiting");
        assertThat(node.ports()).hasSize(4);
        assertThat(orphans("--now").path(0).path("state").asText()).isEqualTo("removed");

        assertThat(node.ports())
                .hasSize(3)
                .contains("veth0", "dpdk0")
                .doesNotContain(orphan.path("port").asText());
        assertThat(node.attachedContainers()).hasSize(3);
        assertThat(orphans("--now")).isEmpty();
        assertThat(Files.exists(cluster.volume(kept, "shared-dir"))).isTrue();
    }

    @Test
    void apiServerThatFailsKeepsThePortAndTheAdministratorIsToldWhy() throws IOException {
        cluster.remove(attachedPod("lost"));
        inTime().until(() -> !orphans("--dry-run").isEmpty());
        cluster.apiServer.answerWith(_ -> Optional.of(new MockResponse().setResponseCode(500)));

        PluginCall.Outcome outcome = gc("--now");

        assertThat(outcome.status()).as("%s", outcome).isEqualTo(1);
        assertThat(outcome.stderr()).contains("can't ask the API server about pod default/lost");
        assertThat(node.ports()).hasSize(1);
    }

    /** As after a restart of the node that took its state with it: only the switch knows of the ports. */
    @Test
    void agentRemovesByItselfWhatNoCheckpointTellsOf() throws IOException {
        Pod kept = attachedPod("kept");
        for (int i = 0; i < 3; i++) {
            cluster.remove(attachedPod("lost-" + i));
        }
        node.killAgent();
        FolderTree.delete(node.stateDir().resolve("attachments"));

        cluster.startAgent("--orphan-interval=1");

        inTime().until(() -> node.ports().size() == 1);
        assertThat(node.rows(
                        "Port", "external_ids:pod-uid=" + kept.getMetadata().getUid()))
                .hasSize(1);
        inTime().until(() -> orphans("--dry-run").isEmpty());
        assertThat(node.mounts()).hasSize(1);
        assertThat(node.agentLog()).contains("collecting an attachment whose pod is gone");
    }
}
