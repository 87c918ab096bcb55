package io.ovsdpdk.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.ovsdpdk.agent.kubernetes.SocketVolume;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.NetworkConfiguration;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/** What people copy works: the examples for KubeVirt, by the agent and the binding. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class KubeVirtExamplesTest {
    private static final Pattern SOCKET = Pattern.compile("<source type='unix' path='([^']+)' mode='server'/>");

    private JsonNode patch;
    private JsonNode network;
    private JsonNode vm;
    private String domain;

    @BeforeAll
    void readExamples() throws Exception {
        patch = read("10-kubevirt-patch.yaml");
        network = read("20-network.yaml");
        vm = read("30-vm.yaml");
        domain = define(vm.at("/spec/template"));
    }

    private static JsonNode read(String file) throws Exception {
        Path examples = Manifests.folder().resolve("examples/kubevirt");
        return new ObjectMapper(new YAMLFactory())
                .readTree(examples.resolve(file).toFile());
    }

    /** A VMI is made of a VM's template. */
    private static String define(JsonNode vmi) throws Exception {
        try (LauncherPod pod = LauncherPod.create()) {
            List<String> command = new ArrayList<>(pod.binding());
            command.addAll(List.of("--vmi", vmi.toString(), "--domain", "<domain><devices/></domain>"));
            PluginCall.Outcome outcome = new PluginCall(command, Map.of(), new byte[0]).run();
            assertThat(outcome.status()).as("%s", outcome).isZero();
            return outcome.stdout();
        }
    }

    @Test
    void networkIsOneThatTheAgentTakes() throws Exception {
        ObjectNode configuration =
                Json.readObject("example", network.at("/spec/config").asText().getBytes(StandardCharsets.UTF_8));

        NetworkConfiguration parsed = NetworkConfiguration.of(configuration);

        assertThat(configuration.path("name").asText())
                .isEqualTo(network.at("/metadata/name").asText());
        assertThat(parsed.mtu()).hasValue(1500);
    }

    @Test
    void vmHasAnInterfaceWithAQueueForEachCpu() {
        assertThat(domain)
                .contains("<driver queues='4' rx_queue_size='1024' tx_queue_size='512'/>", "02:00:00:00:00:0a");
    }

    @Test
    void vmUsesTheRegisteredBindingAndTheNetwork() {
        String binding = vm.at("/spec/template/spec/domain/devices/interfaces/1/binding/name")
                .asText();

        assertThat(patch.at("/spec/configuration/network/binding").has(binding)).isTrue();
        assertThat(vm.at("/spec/template/spec/networks/1/multus/networkName").asText())
                .isEqualTo(network.at("/metadata/name").asText());
        assertThat(vm.at("/metadata/namespace")).isEqualTo(network.at("/metadata/namespace"));
    }

    /** The agreement of the two, which neither tells the other. */
    @Test
    void bindingLetsQemuListenWhereTheAgentMakesTheFolder() throws Exception {
        Pod launcher = new PodBuilder()
                .withNewMetadata()
                .withNamespace("default")
                .withName("virt-launcher-fast-vm")
                .endMetadata()
                .withNewSpec()
                .addNewVolume()
                .withName(SocketVolume.OF_HOOKS)
                .withNewEmptyDir()
                .endEmptyDir()
                .endVolume()
                .endSpec()
                .build();

        Path folder = SocketVolume.of(launcher, Optional.empty()).workloadFolder();

        Matcher socket = SOCKET.matcher(domain);
        assertThat(socket.find()).as(domain).isTrue();
        assertThat(Path.of(socket.group(1))).isEqualTo(folder.resolve(KubeVirtVm.IFNAME + ".sock"));
    }
}
