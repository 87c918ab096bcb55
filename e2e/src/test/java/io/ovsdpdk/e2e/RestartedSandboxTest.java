package io.ovsdpdk.e2e;

import static io.ovsdpdk.agent.kubernetes.testbed.Pods.withVolume;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fabric8.kubernetes.api.model.Pod;
import io.ovsdpdk.api.MacAddress;
import io.ovsdpdk.ovsdb.testbed.OvsDpdk;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A pod whose sandbox a real containerd makes anew, with the same volume, while the end of the old one is on its way. */
@Tag("native")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class RestartedSandboxTest {
    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final String SOCKET = Containerd.IFNAME + ".sock";

    private KubernetesNode cluster;
    private Node node;
    private Containerd containerd;

    @BeforeAll
    void startContainerd() throws IOException {
        OvsDpdk ovs = OvsDpdk.start();
        ovs.addBridge("br0");
        cluster = KubernetesNode.start(ovs);
        node = cluster.node;
        ObjectNode network = node.network("1.0.0", "pods");
        network.remove(List.of("cniVersion", "name", "sharedDir"));
        network.putObject("ipam")
                .put("type", "host-local")
                .put("subnet", "10.97.0.0/24")
                .put("dataDir", node.folder().resolve("leases").toString());
        containerd = Containerd.start(node, network);
        await().atMost(PATIENCE).until(() -> cluster.apiServer.watches() > 0);
    }

    @AfterAll
    void closeNode() throws IOException {
        try (KubernetesNode _ = cluster) {
            containerd.close();
        }
    }

    private static Containerd.Pod sandboxOf(Pod pod) {
        return new Containerd.Pod(
                pod.getMetadata().getNamespace(),
                pod.getMetadata().getName(),
                pod.getMetadata().getUid(),
                0,
                false);
    }

    private VhostUserGuest guestOf(String sandbox, Path folder) throws IOException {
        JsonNode identity = node.row("Interface", sandbox, Containerd.IFNAME).get("external_ids");
        return VhostUserGuest.listen(
                folder.resolve(SOCKET),
                new MacAddress(identity.get("attached-mac").asText()));
    }

    private enum Old {
        /** Before the new one came. */
        STOPPED,
        /** Only afterwards. */
        RUNNING,
        /** Likewise, and another agent than the one that has made its port serves the new one. */
        OF_ANOTHER_AGENT
    }

    @ParameterizedTest
    @EnumSource
    void guestOfTheNewSandboxIsLeftAloneByTheEndOfTheOldOne(Old old) throws IOException {
        String name = "pod-" + old.ordinal();
        Pod pod = cluster.schedule(withVolume(name, KubernetesNode.NAME, "shared-dir", "\"emptyDir\": {}"));
        Path folder = cluster.mountLikeAContainer(cluster.volume(pod, "shared-dir"));
        String first = containerd.runSandbox(sandboxOf(pod));
        // It ends as a process that is killed does: its socket stays where it was
        try (VhostUserGuest before = guestOf(first, folder)) {
            before.awaitConnection(PATIENCE);
            switch (old) {
                case STOPPED -> containerd.stopSandbox(first);
                case RUNNING -> {}
                case OF_ANOTHER_AGENT -> {
                    node.killAgent();
                    cluster.startAgent();
                }
            }
            String second = containerd.runSandbox(sandboxOf(pod).restarted());
            try (VhostUserGuest guest = guestOf(second, folder)) {
                guest.awaitConnection(PATIENCE);

                containerd.stopSandbox(first);
                containerd.removeSandbox(first);

                assertThat(containerd.calls(first))
                        .extracting(Containerd.Call::command)
                        .startsWith("ADD", "DEL", "DEL");
                assertThat(node.attachedContainers()).containsExactly(second);
                assertThat(folder.resolve(SOCKET)).exists();
                assertThat(guest.connected()).isTrue();
                assertThat(node.row("Interface", second, Containerd.IFNAME)
                                .at("/status/status")
                                .asText())
                        .isEqualTo("connected");
            }
            containerd.stopSandbox(second);
            containerd.removeSandbox(second);
        }
        assertThat(folder).isEmptyDirectory();
        assertThat(node.ports()).isEmpty();
    }
}
