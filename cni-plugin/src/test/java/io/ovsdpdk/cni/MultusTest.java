package io.ovsdpdk.cni;

import static io.ovsdpdk.cni.ContainerRuntime.json;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.api.MacAddress;
import io.ovsdpdk.api.NetworkConfiguration;
import io.ovsdpdk.api.Request;
import io.ovsdpdk.cni.ContainerRuntime.Answer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What Multus 4.3.0 passed to a secondary plugin, replayed to ours. */
class MultusTest {
    private static final Path RECORDED = Path.of("src/test/resources/multus");

    private static final String MULTUS_FOLDER = "/var/run/k8s.cni.cncf.io/devinfo/cni";

    @TempDir
    Path folder;

    private FakeAgent agent;
    private ContainerRuntime runtime;

    @BeforeEach
    void start() throws IOException {
        agent = new FakeAgent(ContainerRuntime.agentSocket(folder));
        runtime = new ContainerRuntime(folder);
    }

    @AfterEach
    void stop() {
        agent.close();
    }

    static Stream<String> calls() throws IOException {
        return Files.walk(RECORDED)
                .map(file -> RECORDED.relativize(file).toString())
                .filter(name -> name.endsWith(".stdin"))
                .map(name -> name.substring(0, name.length() - ".stdin".length()))
                .sorted();
    }

    @ParameterizedTest
    @MethodSource("calls")
    void recordedCallIsServed(String call) throws IOException {
        Answer answer = replay(call);

        assertThat(answer.status()).as(answer.stdout()).isZero();
        ObjectNode network = json(Files.readString(RECORDED.resolve(call + ".stdin")));
        String ifname = call.substring(call.indexOf('-', call.indexOf('/')) + 1);
        if (call.contains("/ADD-")) {
            assertThat(answer.json().path("cniVersion")).isEqualTo(network.path("cniVersion"));
            assertThat(answer.json().path("interfaces")).hasSize(1);
            assertThat(answer.json().at("/interfaces/0/name").asText()).isEqualTo(ifname);
            assertThat(answer.json().at("/interfaces/0/sandbox").asText()).startsWith("/run/netns/p-");
        } else {
            assertThat(answer.stdout()).isEmpty();
        }
    }

    @Test
    void addressThatThePodAskedForCounts() throws Exception {
        replay("p-full/ADD-vhu0");

        Request.Add add = (Request.Add) agent.requests().getFirst();
        Optional<MacAddress> wanted = Optional.of(new MacAddress("02:aa:bb:cc:dd:01"));
        assertThat(add.attachment().mac()).isEqualTo(wanted);
        assertThat(NetworkConfiguration.of(add.attachment().network()).mac().runtime())
                .isEqualTo(wanted);
    }

    @Test
    void podIsKnownByItsNameAndUid() throws IOException {
        replay("p-noid/ADD-net1");

        Request.Add add = (Request.Add) agent.requests().getFirst();
        assertThat(add.attachment().pod())
                .isEqualTo(new io.ovsdpdk.api.PodIdentity("default", "p-noid", "8a8822f0-3e4e-46fc-9d14-6fd65fdd182d"));
    }

    @ParameterizedTest
    @CsvSource({"p-devid, net1", "p-list, net1", "p-res, net1", "p-full, net2", "p-full, vhu0"})
    void deviceInfoFileIsThereFromAddToDel(String pod, String ifname) throws IOException {
        String name = Path.of(json(Files.readString(RECORDED.resolve(pod + "/ADD-" + ifname + ".stdin")))
                        .at("/runtimeConfig/CNIDeviceInfoFile")
                        .asText())
                .getFileName()
                .toString();
        Path file = ContainerRuntime.deviceInfo(folder).resolve(name);

        replay(pod + "/ADD-" + ifname);
        assertThat(json(Files.readString(file)).at("/vhost-user/path").asText()).isEqualTo(FakeAgent.SOCKET_PATH);

        replay(pod + "/DEL-" + ifname);
        assertThat(file).doesNotExist();
    }

    @ParameterizedTest
    @ValueSource(strings = {"p-noid/ADD-net1", "p-full/ADD-net3"})
    void whereMultusAsksForNoDeviceInfoThereIsNone(String call) throws IOException {
        replay(call);

        assertThat(ContainerRuntime.deviceInfo(folder)).doesNotExist();
    }

    private Answer replay(String call) throws IOException {
        for (String line : Files.readAllLines(RECORDED.resolve(call + ".env"))) {
            int equals = line.indexOf('=');
            if (equals > 0) {
                runtime.with(line.substring(0, equals), line.substring(equals + 1));
            }
        }
        ObjectNode network = json(Files.readString(RECORDED.resolve(call + ".stdin"))
                .replace(MULTUS_FOLDER, ContainerRuntime.deviceInfo(folder).toString()));
        network.put("type", "ovs-dpdk").put("bridge", "br0").put("sharedDir", "/var/lib/cni/usrspcni");
        // The recorded network has a VLAN, which this form of our configuration has not
        network.remove("vlan");
        return runtime.call(call.contains("/ADD-") ? "ADD" : "DEL", network.toString());
    }
}
