package io.ovsdpdk.e2e;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.api.MacAddress;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * {@code make demo}: two attachments on a private OVS-DPDK, made by the plugin as a container runtime would, with a guest
 * behind each; frames between them; both deleted, nothing left. Says step by step what happens. Exits with 1 when any of
 * it did not.
 */
public final class Demo {
    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final int ROUNDS = 1000;
    private static final String IFNAME = "net1";
    private static final String ALICE = "a11ce".repeat(12) + "a11c";
    private static final String BOB = "b0b00".repeat(12) + "b0b0";

    private final PrintStream out;
    private int step;

    private Demo(PrintStream out) {
        this.out = out;
    }

    public static void main(String[] arguments) throws IOException {
        Demo demo = new Demo(System.out);
        long start = System.nanoTime();
        demo.show();
        System.out.printf("%nAll of it worked, in %s.%n", seconds(System.nanoTime() - start));
    }

    private void show() throws IOException {
        step("A private Open vSwitch with DPDK, without hugepages, in a network namespace of its own; the node agent");
        long start = System.nanoTime();
        try (Node node = Node.start()) {
            say("up after %s, everything in %s", seconds(System.nanoTime() - start), node.folder());
            say(
                    "%s, bridge br0 with datapath_type=netdev",
                    node.ovs().vsctl("get", "Open_vSwitch", ".", "dpdk_version"));
            show(node);
        }
    }

    private void show(Node node) throws IOException {
        ObjectNode network = node.network("1.1.0", "dpdk-net").put("mtu", 1500);
        step("A runtime starts the plugin for a container: CNI_COMMAND=ADD, the network configuration on stdin");
        say("CNI_CONTAINERID=%s CNI_IFNAME=%s", ALICE, IFNAME);
        json(network);
        MacAddress alice = add(node, network, ALICE);
        step("The port as the switch's database has it");
        table(node.ovs()
                .vsctl(
                        "--columns=name,type,options,ofport,error,mtu_request,link_state,external_ids",
                        "list",
                        "Interface",
                        node.ports().getFirst()));
        step("The same for a second container");
        MacAddress bob = add(node, network, BOB);

        step("A guest behind each port: it is the vhost-user server, as QEMU is, and the switch connects to it");
        try (VhostUserGuest a = VhostUserGuest.listen(node.workloadSocket(ALICE, IFNAME), alice);
                VhostUserGuest b = VhostUserGuest.listen(node.workloadSocket(BOB, IFNAME), bob)) {
            long start = System.nanoTime();
            a.awaitConnection(PATIENCE);
            b.awaitConnection(PATIENCE);
            say("both connected after %s", seconds(System.nanoTime() - start));
            play(a, b);

            step("The switch restarts under the running guests, which stay as they are");
            start = System.nanoTime();
            node.ovs().stopSwitch();
            node.ovs().startSwitch();
            a.awaitReconnection(PATIENCE);
            b.awaitReconnection(PATIENCE);
            say("both connected again after %s", seconds(System.nanoTime() - start));
            play(a, b);
        }

        step("The containers end: CNI_COMMAND=DEL");
        for (String container : List.of(ALICE, BOB)) {
            PluginCall.Outcome outcome =
                    node.call("DEL", container, IFNAME, network).run();
            require(outcome.succeeded(), "DEL failed: " + outcome);
            say("%s… deleted in %s", container.substring(0, 12), milliseconds(outcome.took()));
        }
        List<String> remains = node.remains();
        require(remains.isEmpty(), "left behind: " + remains);
        say("nothing is left: no port, no socket, no folder, no mount, no checkpoint");
    }

    private MacAddress add(Node node, ObjectNode network, String container) throws IOException {
        PluginCall.Outcome outcome =
                node.call("ADD", container, IFNAME, network).run();
        require(outcome.succeeded(), "ADD failed: " + outcome);
        say("the plugin answered after %s, start of its process included:", milliseconds(outcome.took()));
        json(outcome.json());
        Path socket = node.workloadSocket(container, IFNAME);
        require(
                outcome.json().at("/interfaces/0/socketPath").asText().equals(socket.toString()),
                "the result names another socket than " + socket);
        return new MacAddress(outcome.json().at("/interfaces/0/mac").asText());
    }

    private void play(VhostUserGuest a, VhostUserGuest b) throws IOException {
        PingPong result = PingPong.play(a, b, ROUNDS);
        require(result.completed() == ROUNDS, "frames were lost: " + result);
        say(
                "%d frames there and %d back through the switch; the first pair took %s, the median %d µs",
                result.completed(),
                result.completed(),
                milliseconds(result.firstRoundTrip()),
                result.medianRoundTrip().toNanos() / 1000);
    }

    private void step(String title) {
        out.printf("%n%d. %s%n", ++step, title);
    }

    private void say(String format, Object... values) {
        out.printf("   " + format + "%n", values);
    }

    private void json(ObjectNode json) throws IOException {
        table(new ObjectMapper().writerWithDefaultPrettyPrinter().writeValueAsString(json));
    }

    private void table(String text) {
        text.lines().forEach(line -> out.println("     | " + line));
    }

    private static void require(boolean condition, String otherwise) throws IOException {
        if (!condition) {
            throw new IOException(otherwise);
        }
    }

    private static String seconds(long nanos) {
        return String.format("%.2f s", nanos / 1e9);
    }

    private static String milliseconds(Duration duration) {
        return String.format("%.1f ms", duration.toNanos() / 1e6);
    }
}
