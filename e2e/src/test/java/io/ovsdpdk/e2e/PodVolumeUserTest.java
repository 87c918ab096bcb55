package io.ovsdpdk.e2e;

import static io.ovsdpdk.agent.kubernetes.testbed.Pods.pod;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fabric8.kubernetes.api.model.Pod;
import io.ovsdpdk.api.MacAddress;
import io.ovsdpdk.ovsdb.testbed.OvsDpdk;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Guests in volumes of pods, with any user and umask, and a switch that runs as root or as another user. kubelet's folders
 * are open to nobody else, as on a node.
 */
@Tag("long")
class PodVolumeUserTest {
    private static final int OVS = 4242;
    private static final int QEMU = 107;

    /** In no file and no pod. */
    private static final int UNKNOWN = 4711;

    /** The switch tries once a second. */
    private static final Duration SOON = Duration.ofSeconds(2);

    private enum Kind {
        VOLUME,
        SUB_FOLDER,
        VM
    }

    private static final class Setting implements Closeable {
        private final KubernetesNode cluster;
        private final ObjectNode network;
        private final String classes;
        private int pods;

        Setting(int ovsUser) throws Exception {
            OvsDpdk ovs = OvsDpdk.startAs(ovsUser);
            ovs.addBridge("br0");
            cluster = KubernetesNode.start(ovs);
            await().atMost(Duration.ofSeconds(20)).until(() -> cluster.apiServer.watches() > 0);
            Files.setPosixFilePermissions(cluster.kubeletDir(), PosixFilePermissions.fromString("rwxr-x---"));
            network = cluster.node.network("1.1.0", "fast");
            network.remove("sharedDir");
            classes = GuestProcess.classesIn(cluster.node.folder());
        }

        /** How long after it began to listen the guest was connected to. */
        Duration connect(Kind kind, int user, String umask) throws IOException {
            Pod pod = cluster.schedule(podOf(kind, user, "pod-" + ++pods));
            String container = cluster.node.newContainer();
            PluginCall.Outcome add =
                    cluster.call("ADD", container, pod, network).run();
            assertThat(add.status()).as("%s", add).isZero();
            MacAddress mac = new MacAddress(add.json().at("/interfaces/0/mac").asText());
            Path socket = folderOf(pod, kind).resolve("net1.sock");
            Duration took;
            try (GuestProcess guest = GuestProcess.start(classes, socket, mac, user, umask)) {
                took = guest.awaitConnection();
            }
            PluginCall.Outcome del =
                    cluster.call("DEL", container, pod, network).run();
            assertThat(del.status()).as("%s", del).isZero();
            assertThat(socket).doesNotExist();
            return took;
        }

        private static Pod podOf(Kind kind, int user, String name) {
            String context = user == UNKNOWN ? "" : "\"securityContext\": {\"runAsUser\": " + user + "}, ";
            String volume = kind == Kind.VM ? "hook-sidecar-sockets" : "shared-dir";
            String subPath = kind == Kind.SUB_FOLDER ? ", \"subPath\": \"a/b\"" : "";
            return pod(
                    name,
                    KubernetesNode.NAME,
                    context + "\"volumes\": [{\"name\": \"" + volume + "\", \"emptyDir\": {}}]",
                    "\"volumeMounts\": [{\"name\": \"" + volume + "\", \"mountPath\": \"/m\"" + subPath + "}]");
        }

        /** As the workload sees it. */
        private Path folderOf(Pod pod, Kind kind) throws IOException {
            return switch (kind) {
                case VOLUME -> cluster.mountLikeAContainer(cluster.volume(pod, "shared-dir"));
                case SUB_FOLDER ->
                    cluster.mountLikeAContainer(
                            cluster.volume(pod, "shared-dir").resolve("a/b"));
                case VM ->
                    cluster.mountLikeAContainer(cluster.volume(pod, "hook-sidecar-sockets"))
                            .resolve("ovs-dpdk/sockets");
            };
        }

        @Override
        public void close() throws IOException {
            cluster.close();
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, OVS})
    void guestsInEachKindOfVolumeAreConnectedToSoonAfterTheirSocketsAppear(int ovsUser) throws Exception {
        Map<String, Duration> late = new TreeMap<>();
        try (Setting setting = new Setting(ovsUser)) {
            for (Kind kind : Kind.values()) {
                for (int user : kind == Kind.VM ? new int[] {QEMU} : new int[] {0, QEMU, UNKNOWN}) {
                    for (String umask : new String[] {"002", "022", "077"}) {
                        Duration took = setting.connect(kind, user, umask);
                        if (took.compareTo(SOON) > 0) {
                            late.put(kind + " user " + user + " umask " + umask, took);
                        }
                    }
                }
            }
            assertThat(setting.cluster.node.ports()).isEmpty();
        }
        assertThat(late).isEmpty();
    }
}
