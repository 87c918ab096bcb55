package io.ovsdpdk.e2e;

import static io.ovsdpdk.agent.kubernetes.testbed.Pods.pod;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.client.dsl.base.PatchContext;
import io.fabric8.kubernetes.client.dsl.base.PatchType;
import io.ovsdpdk.api.DeviceInfo;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.ovsdb.testbed.OvsDpdk;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What Multus 4.3.0 passed to a secondary plugin, pod by pod, passed to ours on a real switch with a real agent; and what it
 * wrote into the pod's annotation then, completed by the agent.
 */
@Tag("plugin")
class RecordedRequestsTest {
    private static final Path RECORDED = Path.of("../cni-plugin/src/test/resources/multus");
    private static final String MULTUS_FOLDER = "/var/run/k8s.cni.cncf.io/devinfo/cni";

    private static final Path WRITTEN = Path.of("../node-agent/src/test/resources/multus");
    private static final String STATUS = "k8s.v1.cni.cncf.io/network-status";
    private static final String NETWORKS = "k8s.v1.cni.cncf.io/networks";
    private static final String SOCKETS = "/var/run/vhost/";
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    private static KubernetesNode cluster;
    private static Node node;

    @BeforeAll
    static void start() throws IOException {
        OvsDpdk ovs = OvsDpdk.start();
        ovs.addBridge("br0");
        cluster = KubernetesNode.start(ovs);
        node = cluster.node;
        await().atMost(PATIENCE).until(() -> cluster.apiServer.watches() > 0);
        node.configure(Json.object().put("deviceInfoFolder", deviceInfo().toString()));
    }

    @AfterAll
    static void stop() throws IOException {
        cluster.close();
    }

    private static Path deviceInfo() {
        return node.folder().resolve("devinfo");
    }

    /** As kubelet and scheduler have it before the sandbox: with the volume of the recorded pods. */
    private static Pod schedule(String name) throws IOException {
        Pod pod = pod(
                name,
                KubernetesNode.NAME,
                "\"volumes\": [{\"name\": \"shared-dir\", \"emptyDir\": {}}]",
                "\"volumeMounts\": [{\"name\": \"shared-dir\", \"mountPath\": \"" + SOCKETS + "\"}]");
        pod.getMetadata().setAnnotations(Map.of(NETWORKS, "as recorded", "other", "stays"));
        return cluster.schedule(pod);
    }

    @ParameterizedTest
    @ValueSource(strings = {"p-noid", "p-devid", "p-full", "p-list", "p-res"})
    void podIsServedAndToldAndKeepsWhatMultusWrote(String name) throws IOException {
        Pod pod = schedule(name);
        Map<String, PluginCall> adds = calls(pod, "ADD");
        for (Map.Entry<String, PluginCall> add : adds.entrySet()) {
            PluginCall.Outcome outcome = add.getValue().run();

            assertThat(outcome.succeeded()).as(outcome.stdout()).isTrue();
            assertThat(outcome.json().path("interfaces")).hasSize(1);
            assertThat(outcome.json().at("/interfaces/0/name").asText()).isEqualTo(add.getKey());
            assertThat(outcome.json().at("/interfaces/0/sandbox").asText()).isEqualTo("/run/netns/" + name);
            assertDeviceInfoIsWhereMultusWantsIt(add.getValue());
        }
        String written = Files.readString(WRITTEN.resolve(name).resolve("network-status.json"));
        multusWrites(pod, written);
        JsonNode expected = completed(written, adds.keySet());
        await().atMost(PATIENCE)
                .untilAsserted(
                        () -> assertThat(json(annotations(pod).get(STATUS))).isEqualTo(expected));
        assertThat(annotations(pod))
                .containsOnlyKeys(STATUS, NETWORKS, "other")
                .containsEntry("other", "stays")
                .containsEntry(NETWORKS, "as recorded");
        for (PluginCall del : calls(pod, "DEL").values()) {
            PluginCall.Outcome outcome = del.run();

            assertThat(outcome.succeeded()).as(outcome.stdout()).isTrue();
        }
        assertThat(node.remains()).isEmpty();
        assertThat(cluster.volume(pod, "shared-dir")).isEmptyDirectory();
        assertThat(deviceInfo().toFile().list()).isNullOrEmpty();
    }

    /** Once, after all plugins, and whatever is there is replaced. */
    private static void multusWrites(Pod pod, String status) {
        ObjectNode patch = Json.object();
        patch.putObject("metadata").putObject("annotations").put(STATUS, status);
        cluster.apiServer.client().pods().resource(pod).patch(PatchContext.of(PatchType.JSON_MERGE), patch.toString());
    }

    private static Map<String, String> annotations(Pod pod) {
        return cluster.apiServer.client().resource(pod).get().getMetadata().getAnnotations();
    }

    /** All that Multus wrote, and the sockets of these interfaces. */
    private static JsonNode completed(String written, Set<String> interfaces) throws IOException {
        JsonNode completed = json(written);
        int told = 0;
        for (JsonNode entry : completed) {
            String ifname = entry.path("interface").asText();
            if (interfaces.contains(ifname)) {
                ((ObjectNode) entry).set("device-info", DeviceInfo.completed(Json.object(), socket(ifname)));
                told++;
            }
        }
        assertThat(told).isEqualTo(interfaces.size());
        return completed;
    }

    private static String socket(String ifname) {
        return SOCKETS + ifname + ".sock";
    }

    private static void assertDeviceInfoIsWhereMultusWantsIt(PluginCall add) throws IOException {
        String file = new ObjectMapper()
                .readTree(add.network())
                .at("/runtimeConfig/CNIDeviceInfoFile")
                .asText();
        if (!file.isEmpty()) {
            assertThat(json(Files.readString(Path.of(file))))
                    .isEqualTo(DeviceInfo.completed(
                            Json.object(), socket(add.environment().get("CNI_IFNAME"))));
        }
    }

    /** What was recorded of a pod, by the interface. */
    private static Map<String, PluginCall> calls(Pod pod, String command) throws IOException {
        Map<String, PluginCall> calls = new HashMap<>();
        try (Stream<Path> files = Files.list(RECORDED.resolve(pod.getMetadata().getName()))) {
            for (Path stdin :
                    files.filter(file -> file.toString().endsWith(".stdin")).toList()) {
                String name = stdin.getFileName().toString().replace(".stdin", "");
                if (name.startsWith(command + "-")) {
                    String env = Files.readString(stdin.resolveSibling(name + ".env"));
                    calls.put(name.substring(command.length() + 1), call(pod, Files.readString(stdin), env));
                }
            }
        }
        return calls;
    }

    private static PluginCall call(Pod pod, String stdin, String env) throws IOException {
        Map<String, String> recorded = new HashMap<>();
        env.lines()
                .filter(line -> line.contains("="))
                .forEach(line -> recorded.put(line.replaceAll("=.*", ""), line.replaceAll("^[^=]*=", "")));
        ObjectNode network =
                (ObjectNode) json(stdin.replace(MULTUS_FOLDER, deviceInfo().toString()));
        network.put("type", "ovs-dpdk").put("bridge", "br0");
        // The recorded network has a VLAN, which this form of our configuration has not
        network.remove("vlan");
        return node.call(
                        recorded.get("CNI_COMMAND"),
                        recorded.get("CNI_CONTAINERID"),
                        recorded.get("CNI_IFNAME"),
                        network)
                .with("CNI_NETNS", recorded.get("CNI_NETNS"))
                .with(
                        "CNI_ARGS",
                        recorded.get("CNI_ARGS")
                                .replaceAll(
                                        "K8S_POD_UID=[^;]*",
                                        "K8S_POD_UID=" + pod.getMetadata().getUid()));
    }

    private static JsonNode json(String text) throws IOException {
        return new ObjectMapper().readTree(text);
    }
}
