package io.ovsdpdk.e2e;

import static io.ovsdpdk.agent.kubernetes.testbed.Pods.pod;
import static io.ovsdpdk.agent.kubernetes.testbed.Pods.withVolume;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fabric8.kubernetes.api.model.Pod;
import io.ovsdpdk.api.MacAddress;
import io.ovsdpdk.ovsdb.testbed.FolderTree;
import io.ovsdpdk.ovsdb.testbed.OvsDpdk;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * What people suffered from in the systems before this one, done here again: Userspace CNI, ovs-cni, and forks of KubeVirt.
 * The rest of it stands with the subjects that it belongs to.
 */
@Tag("long")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class OlderSystemsTest {
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final String IFNAME = "net1";

    private KubernetesNode cluster;
    private Node node;
    private String container;
    private ObjectNode network;

    @BeforeAll
    void startNode() throws IOException {
        OvsDpdk ovs = OvsDpdk.start();
        ovs.addBridge("br0");
        cluster = KubernetesNode.start(ovs);
        node = cluster.node;
        await().atMost(PATIENCE).until(() -> cluster.apiServer.watches() > 0);
    }

    @AfterAll
    void closeNode() throws IOException {
        cluster.close();
    }

    @BeforeEach
    void newContainer() {
        container = node.newContainer();
        network = node.network("1.1.0", "fast");
    }

    private ObjectNode succeeded(PluginCall call) throws IOException {
        PluginCall.Outcome outcome = call.run();
        assertThat(outcome.status()).as("%s", outcome).isZero();
        return outcome.stdout().isEmpty() ? network : outcome.json();
    }

    private ObjectNode call(String command) throws IOException {
        return succeeded(node.call(command, container, IFNAME, network));
    }

    private enum Trouble {
        NONE,
        DATABASE_HANGS,
        DATABASE_IS_AWAY,
        SWITCH_IS_AWAY;

        void begin(OvsDpdk ovs) throws IOException {
            switch (this) {
                case NONE -> {}
                case DATABASE_HANGS -> ovs.database().suspend();
                case DATABASE_IS_AWAY -> ovs.database().kill();
                case SWITCH_IS_AWAY -> ovs.stopSwitch();
            }
        }

        void end(OvsDpdk ovs) throws IOException {
            switch (this) {
                case NONE -> {}
                case DATABASE_HANGS -> ovs.database().resume();
                case DATABASE_IS_AWAY -> ovs.database().start();
                case SWITCH_IS_AWAY -> ovs.startSwitch();
            }
        }
    }

    /** What the administrator set, and the ports. */
    private JsonNode bridge() throws IOException {
        ObjectNode bridge = node.rows("Bridge").getFirst();
        return bridge.retain(Set.of("_uuid", "name", "datapath_type", "external_ids", "other_config", "ports"));
    }

    /** Userspace CNI took a list of ports that it could not get for an empty one, and deleted the bridge. */
    @ParameterizedTest
    @EnumSource
    void bridgeOutlivesTheLastOfOurPorts(Trouble trouble) throws IOException {
        node.ovs().vsctl("--no-wait", "set", "Bridge", "br0", "external_ids:administrator=alice");
        JsonNode before = bridge();
        call("ADD");
        trouble.begin(node.ovs());

        call("DEL");

        trouble.end(node.ovs());
        await().atMost(PATIENCE).untilAsserted(() -> assertThat(node.remains()).isEmpty());
        assertThat(node.rows("Bridge")).hasSize(1);
        assertThat(bridge()).isEqualTo(before);
    }

    private enum Lost {
        CHECKPOINT,
        PORT,
        BRIDGE,
        MOUNT,
        FOLDER,
        ALL
    }

    private void lose(Lost lost) throws IOException {
        switch (lost) {
            case CHECKPOINT -> FolderTree.delete(node.stateDir());
            case PORT -> node.ovs().vsctl("--no-wait", "del-port", node.ports().getFirst());
            case BRIDGE -> {
                node.ovs().vsctl("del-br", "br0");
                node.ovs().addBridge("br0");
            }
            case MOUNT -> {
                Path mount = node.mounts().getFirst();
                Command.run("umount", mount.toString());
                Files.delete(mount);
            }
            case FOLDER ->
                FolderTree.delete(node.workloadSocket(container, IFNAME).getParent());
            case ALL -> {
                for (Lost each : List.of(Lost.CHECKPOINT, Lost.BRIDGE, Lost.MOUNT, Lost.FOLDER)) {
                    lose(each);
                }
            }
        }
    }

    /** A DEL of Userspace CNI failed without its state, again and again: the pod stayed in Terminating. */
    @ParameterizedTest
    @EnumSource
    void podEndsWhateverWasLost(Lost lost) throws IOException {
        call("ADD");
        node.killAgent();
        lose(lost);
        cluster.startAgent();

        call("DEL");

        assertThat(node.remains()).isEmpty();
        call("DEL");
        call("ADD");
        assertThat(node.attachedContainers()).containsExactly(container);
        call("DEL");
        assertThat(node.remains()).isEmpty();
    }

    /** Userspace CNI added to them with each sandbox. */
    @Test
    void annotationsDontGrowWithTheSandboxesOfAPod() throws IOException {
        network.remove("sharedDir");
        network.put("legacyAnnotations", true);
        Pod pod = cluster.schedule(withVolume("restarted", KubernetesNode.NAME, "shared-dir", "\"emptyDir\": {}"));
        Set<Integer> lengths = new HashSet<>();

        for (int sandbox = 0; sandbox < 4; sandbox++) {
            String id = node.newContainer();
            succeeded(cluster.call("ADD", id, pod, network));
            await().atMost(PATIENCE)
                    .untilAsserted(() -> assertThat(cluster.annotation(pod, "userspace/configuration-data")
                                    .findValuesAsText("containerId"))
                            .containsExactly(id));
            await().atMost(PATIENCE)
                    .untilAsserted(() -> assertThat(cluster.annotation(pod, "k8s.v1.cni.cncf.io/network-status")
                                    .findValuesAsText("interface"))
                            .containsExactly(IFNAME));
            lengths.add(
                    cluster.annotations(pod).get("userspace/configuration-data").length());
            succeeded(cluster.call("DEL", id, pod, network));
        }

        assertThat(lengths).hasSize(1);
        cluster.remove(pod);
    }

    /** ovs-cni looks for ports with an error; a vhost-user port whose guest is gone for ever has none. */
    @Test
    void stalePortIsCollectedThoughTheSwitchFindsNothingWrongWithIt() throws IOException {
        call("ADD");
        ObjectNode port = node.row("Interface", container, IFNAME);
        assertThat(port.get("error")).isEmpty();
        assertThat(port.get("ofport").asInt()).isPositive();
        network.putArray("cni.dev/valid-attachments");

        succeeded(node.call("GC", container, IFNAME, network)
                .with("CNI_CONTAINERID", null)
                .with("CNI_NETNS", null)
                .with("CNI_IFNAME", null)
                .with("CNI_ARGS", null));

        assertThat(node.remains()).isEmpty();
    }

    /** Forks of KubeVirt mount the switch's folder into VMs' pods, with the socket by which it is told what to do. */
    @Test
    void podOfAVmHasItsOwnSocketAndNothingOfTheSwitch() throws IOException {
        network.remove("sharedDir");
        Pod pod = cluster.schedule(pod(
                "virt-launcher",
                KubernetesNode.NAME,
                "\"volumes\": [{\"name\": \"%s\", \"emptyDir\": {}}]".formatted(LauncherPod.VOLUME),
                "\"volumeMounts\": [{\"name\": \"%s\", \"mountPath\": \"%s\"}]"
                        .formatted(LauncherPod.VOLUME, LauncherPod.MOUNTED)));
        ObjectNode added = succeeded(cluster.call("ADD", container, pod, network));
        Path volume = cluster.volume(pod, LauncherPod.VOLUME);
        try (LauncherPod launcher = LauncherPod.with(volume);
                VhostUserGuest guest = VhostUserGuest.listen(
                        launcher.volume().resolve("ovs-dpdk/sockets/net1.sock"),
                        new MacAddress(added.at("/interfaces/0/mac").asText()))) {
            guest.awaitConnection(PATIENCE);

            assertThat(everythingIn(volume))
                    .containsExactlyInAnyOrder("ovs-dpdk", "ovs-dpdk/sockets", "ovs-dpdk/sockets/net1.sock");
        }
        succeeded(cluster.call("DEL", container, pod, network));
        assertThat(everythingIn(volume)).isEmpty();
        cluster.remove(pod);
        assertThat(cluster.remains()).isEmpty();
    }

    private static Set<String> everythingIn(Path folder) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            return files.filter(file -> !file.equals(folder))
                    .map(file -> folder.relativize(file).toString())
                    .collect(Collectors.toSet());
        }
    }
}
