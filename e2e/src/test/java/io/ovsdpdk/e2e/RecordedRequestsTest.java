package io.ovsdpdk.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.api.DeviceInfo;
import io.ovsdpdk.api.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What Multus 4.3.0 passed to a secondary plugin, pod by pod, passed to ours on a real switch with a real agent. */
@Tag("plugin")
class RecordedRequestsTest {
    private static final Path RECORDED = Path.of("../cni-plugin/src/test/resources/multus");
    private static final String MULTUS_FOLDER = "/var/run/k8s.cni.cncf.io/devinfo/cni";

    private static Node node;

    @BeforeAll
    static void start() throws IOException {
        node = Node.start();
        node.configure(Json.object().put("deviceInfoFolder", deviceInfo().toString()));
    }

    @AfterAll
    static void stop() throws IOException {
        node.close();
    }

    private static Path deviceInfo() {
        return node.folder().resolve("devinfo");
    }

    @ParameterizedTest
    @ValueSource(strings = {"p-noid", "p-devid", "p-full", "p-list", "p-res"})
    void podIsServed(String pod) throws IOException {
        for (Map.Entry<String, PluginCall> add : calls(pod, "ADD").entrySet()) {
            PluginCall.Outcome outcome = add.getValue().run();

            assertThat(outcome.succeeded()).as(outcome.stdout()).isTrue();
            assertThat(outcome.json().path("interfaces")).hasSize(1);
            assertThat(outcome.json().at("/interfaces/0/name").asText()).isEqualTo(add.getKey());
            assertThat(outcome.json().at("/interfaces/0/sandbox").asText()).isEqualTo("/run/netns/" + pod);
            assertDeviceInfoIsWhereMultusWantsIt(add.getValue());
        }
        for (PluginCall del : calls(pod, "DEL").values()) {
            PluginCall.Outcome outcome = del.run();

            assertThat(outcome.succeeded()).as(outcome.stdout()).isTrue();
        }
        assertThat(node.remains()).isEmpty();
        assertThat(deviceInfo().toFile().list()).isNullOrEmpty();
    }

    private static void assertDeviceInfoIsWhereMultusWantsIt(PluginCall add) throws IOException {
        String file = new ObjectMapper()
                .readTree(add.network())
                .at("/runtimeConfig/CNIDeviceInfoFile")
                .asText();
        if (!file.isEmpty()) {
            Path socket = node.workloadSocket(
                    add.environment().get("CNI_CONTAINERID"), add.environment().get("CNI_IFNAME"));
            assertThat(json(Files.readString(Path.of(file))))
                    .isEqualTo(DeviceInfo.completed(Json.object(), socket.toString()));
        }
    }

    /** What was recorded of a pod, by the interface. */
    private static Map<String, PluginCall> calls(String pod, String command) throws IOException {
        Map<String, PluginCall> calls = new HashMap<>();
        try (Stream<Path> files = Files.list(RECORDED.resolve(pod))) {
            for (Path stdin :
                    files.filter(file -> file.toString().endsWith(".stdin")).toList()) {
                String name = stdin.getFileName().toString().replace(".stdin", "");
                if (name.startsWith(command + "-")) {
                    String env = Files.readString(stdin.resolveSibling(name + ".env"));
                    calls.put(name.substring(command.length() + 1), call(Files.readString(stdin), env));
                }
            }
        }
        return calls;
    }

    private static PluginCall call(String stdin, String env) throws IOException {
        Map<String, String> recorded = new HashMap<>();
        env.lines()
                .filter(line -> line.contains("="))
                .forEach(line -> recorded.put(line.replaceAll("=.*", ""), line.replaceAll("^[^=]*=", "")));
        ObjectNode network =
                (ObjectNode) json(stdin.replace(MULTUS_FOLDER, deviceInfo().toString()));
        network.put("type", "ovs-dpdk")
                .put("bridge", "br0")
                .put("sharedDir", node.sharedRoot().toString());
        // The recorded network has a VLAN, which this form of our configuration has not
        network.remove("vlan");
        return node.call(
                        recorded.get("CNI_COMMAND"),
                        recorded.get("CNI_CONTAINERID"),
                        recorded.get("CNI_IFNAME"),
                        network)
                .with("CNI_NETNS", recorded.get("CNI_NETNS"))
                .with("CNI_ARGS", recorded.get("CNI_ARGS"));
    }

    private static JsonNode json(String text) throws IOException {
        return new ObjectMapper().readTree(text);
    }
}
