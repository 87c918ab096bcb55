package io.ovsdpdk.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Multus, as it ships, has 50 MiB for itself and all that it starts. */
@Tag("native")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class MemoryLimitTest {
    private static final long LIMIT = 50 << 20;
    private static final String IFNAME = "net1";

    private Node node;
    private MemoryLimit limit;
    private ObjectNode network;

    @BeforeAll
    void startNode() throws IOException {
        node = Node.start();
    }

    @AfterAll
    void closeNode() throws IOException {
        node.close();
    }

    @BeforeEach
    void setLimit() throws IOException {
        limit = MemoryLimit.of(LIMIT);
        network = node.network("1.0.0", "fast");
        network.putObject("ipam")
                .put("type", "host-local")
                .put("subnet", "10.1.0.0/24")
                .put("dataDir", node.folder().resolve("leases").toString());
    }

    @AfterEach
    void removeLimit() throws IOException {
        limit.close();
    }

    private PluginCall.Outcome call(String command, String container) throws IOException {
        return node.call(command, container, IFNAME, network)
                .by(limit.starter())
                .run();
    }

    @Test
    void limitIsOne() throws IOException {
        PluginCall.Outcome outcome = new PluginCall(
                        List.of("/bin/sh", "-c", "head -c 60m /dev/zero | tail -c 60m | wc -c"), Map.of(), new byte[0])
                .by(limit.starter())
                .run();

        assertThat(limit.kills()).as("%s", outcome).isPositive();
    }

    @Test
    void attachmentWithAnAddressComesAndGoes() throws IOException {
        PluginCall.Outcome add = call("ADD", "c1");
        assertThat(add.status()).as("%s", add).isZero();
        network.set("prevResult", add.json());

        assertThat(call("CHECK", "c1").status()).isZero();
        assertThat(call("DEL", "c1").status()).isZero();

        assertThat(limit.kills()).isZero();
        assertThat(node.remains()).isEmpty();
    }

    /** Multus serves several pods at once. */
    @Test
    void fourAtOnceComeAndGo() throws Exception {
        List<String> containers = IntStream.range(0, 4).mapToObj(i -> "c" + i).toList();

        List<PluginCall.Outcome> adds = Crowd.of(4, i -> () -> call("ADD", containers.get(i)));
        List<PluginCall.Outcome> deletes = Crowd.of(4, i -> () -> call("DEL", containers.get(i)));

        assertThat(adds).allMatch(PluginCall.Outcome::succeeded);
        assertThat(deletes).allMatch(PluginCall.Outcome::succeeded);
        assertThat(limit.kills()).isZero();
        assertThat(node.remains()).isEmpty();
    }

    /** What a tenant wrote to fill memory ends the call, not the container. */
    @ParameterizedTest
    @ValueSource(strings = {"[],", "{},", "\"\",", "0,", "[[],[]],"})
    void documentOfManySmallThingsIsAnErrorInTheEnd(String element) throws IOException {
        String start = "{\"cniVersion\":\"1.1.0\",\"name\":\"n\",\"type\":\"ovs-dpdk\",\"args\":[";
        String document = start + element.repeat((1_000_000 - start.length()) / element.length()) + "0]}";

        PluginCall.Outcome outcome = node.call("ADD", "c1", IFNAME, network)
                .with(document.getBytes(StandardCharsets.UTF_8))
                .by(limit.starter())
                .run();

        assertThat(outcome.status()).as("%s", outcome).isEqualTo(1);
        assertThat(outcome.code()).isIn(7, 999);
        assertThat(limit.kills()).isZero();
        assertThat(node.remains()).isEmpty();
    }

    @Test
    void longTextIsServed() throws IOException {
        network.putObject("dns").put("domain", "x".repeat(900_000));

        PluginCall.Outcome add = call("ADD", "c1");
        PluginCall.Outcome del = call("DEL", "c1");

        assertThat(add.status()).as("%s", add.stderr()).isZero();
        assertThat(add.json().at("/dns/domain").asText()).hasSize(900_000);
        assertThat(del.status()).as("%s", del).isZero();
        assertThat(limit.kills()).isZero();
        assertThat(node.remains()).isEmpty();
    }
}
