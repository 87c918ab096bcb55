package io.ovsdpdk.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.api.MacAddress;
import io.ovsdpdk.api.Request;
import io.ovsdpdk.ovsdb.testbed.OvsDpdk;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/** Guests on the ports that the plugin made: what all of this is for. */
@Tag("plugin")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class VhostUserOnPluginTest {
    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final String IFNAME = "net1";

    /** MiB that hold the buffers of two ports with an MTU of 9000. */
    private static final int MEMORY_FOR_JUMBO_FRAMES = 512;

    private Node node;
    private String containerOfA;

    @AutoClose
    private VhostUserGuest a;

    @AutoClose
    private VhostUserGuest b;

    @BeforeAll
    void startNode() throws IOException {
        OvsDpdk ovs = OvsDpdk.start(MEMORY_FOR_JUMBO_FRAMES);
        ovs.addBridge("br0");
        node = Node.start(ovs);
    }

    @AfterEach
    void removeAttachments() throws IOException {
        node.ask(new Request.Collect("fast", Set.of()));
    }

    @AfterAll
    void closeNode() throws IOException {
        node.close();
    }

    /** Two containers of a network, with a guest in each. */
    private void connectGuests(ObjectNode network) throws IOException {
        containerOfA = node.newContainer();
        a = guest(containerOfA, network);
        b = guest(node.newContainer(), network);
        a.awaitConnection(PATIENCE);
        b.awaitConnection(PATIENCE);
        PingPong.play(a, b, 1);
    }

    /** Does what the result says: listens on its path, with its address. */
    private VhostUserGuest guest(String container, ObjectNode network) throws IOException {
        PluginCall.Outcome add = node.call("ADD", container, IFNAME, network).run();
        assertThat(add.status()).as("%s", add).isZero();
        return VhostUserGuest.listen(
                Path.of(add.json().at("/interfaces/0/socketPath").asText()),
                new MacAddress(add.json().at("/interfaces/0/mac").asText()));
    }

    @Test
    void guestsExchangeFramesAlsoAfterARestartOfTheSwitch() throws IOException {
        connectGuests(node.network("1.1.0", "fast"));
        PingPong before = PingPong.play(a, b, 100);

        node.ovs().stopSwitch();
        node.ovs().startSwitch();
        a.awaitReconnection(PATIENCE);
        b.awaitReconnection(PATIENCE);
        PingPong after = PingPong.play(a, b, 100);

        assertThat(before.completed()).isEqualTo(100);
        assertThat(after.completed()).isEqualTo(100);
    }

    @Test
    void guestsStayConnectedWhileAgentAndDatabaseAreAway() throws IOException {
        connectGuests(node.network("1.1.0", "fast"));

        node.killAgent();
        node.ovs().database().kill();
        PingPong alone = PingPong.play(a, b, 20);
        node.ovs().database().start();
        node.startAgent();

        assertThat(alone.completed()).isEqualTo(20);
        assertThat(PingPong.play(a, b, 20).completed()).isEqualTo(20);
        assertThat(a.connected()).isTrue();
        assertThat(b.connected()).isTrue();
    }

    @Test
    void jumboFramesCrossPortsWithTheMtuOfTheNetwork() throws IOException {
        connectGuests(node.network("1.1.0", "fast").put("mtu", 9000));
        List<byte[]> frames = IntStream.rangeClosed(1, 50)
                .mapToObj(sequence -> new TestFrame(b.mac(), a.mac(), sequence, 9014).bytes())
                .toList();

        for (byte[] frame : frames) {
            assertThat(a.send(frame)).isTrue();
        }

        assertThat(receive(b, frames.size()))
                .usingElementComparator(Arrays::compare)
                .containsExactlyElementsOf(frames);
        // vswitchd tells the database after the frames pass already
        await().atMost(PATIENCE).untilAsserted(() -> assertThat(node.rows("Interface", "type=dpdkvhostuserclient"))
                .allSatisfy(iface -> assertThat(iface.get("mtu").asInt()).isEqualTo(9000)));
    }

    private static List<byte[]> receive(VhostUserGuest guest, int count) throws IOException {
        Deadline deadline = Deadline.after(PATIENCE);
        List<byte[]> received = new ArrayList<>();
        while (received.size() < count && !deadline.passed()) {
            received.addAll(guest.receive(deadline.left()));
        }
        return received;
    }

    @Test
    void guestOfADeletedInterfaceIsDisconnectedAndTheOthersStay() throws IOException {
        ObjectNode network = node.network("1.1.0", "fast");
        connectGuests(network);

        PluginCall.Outcome del = node.call("DEL", containerOfA, IFNAME, network).run();

        assertThat(del.status()).as("%s", del).isZero();
        a.awaitDisconnection(PATIENCE);
        assertThat(b.connected()).isTrue();
    }
}
