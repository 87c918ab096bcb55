package io.ovsdpdk.e2e;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.ovsdb.testbed.OvsDpdk;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/**
 * {@code make demo-kubevirt}: two VMs on a private OVS-DPDK, attached by the plugin, defined by the binding in a hook
 * sidecar, run by libvirt and QEMU; they ping each other, also after a restart of the switch. Says step by step what
 * happens. Exits with 1 when any of it did not.
 */
public final class KubeVirtDemo {
    /** MiB that hold the buffers of two ports. */
    private static final int SWITCH_MEMORY = 256;

    private final PrintStream out;
    private int step;

    /** Where the agent says that a VM has to listen: the same for both, since each sees its own pod's volume. */
    private String socket = "";

    KubeVirtDemo(PrintStream out) {
        this.out = out;
    }

    public static void main(String[] arguments) throws IOException {
        long start = System.nanoTime();
        new KubeVirtDemo(System.out).show();
        System.out.printf("%nAll of it worked, in %s.%n", seconds(start));
    }

    /** @throws IOException when anything of it doesn't work */
    void show() throws IOException {
        step("A private Open vSwitch with DPDK, an API server, the node agent; a kernel and a busybox for the VMs");
        Path system = KubeVirtVm.system();
        OvsDpdk ovs = OvsDpdk.start(SWITCH_MEMORY);
        ovs.addBridge("br0");
        try (KubernetesNode cluster = KubernetesNode.start(ovs)) {
            ObjectNode network = cluster.node.network("1.1.0", "dpdk-net");
            network.remove("sharedDir");
            try (KubeVirtVm a = new KubeVirtVm(cluster, "alice", network, "02:00:00:00:00:0a");
                    KubeVirtVm b = new KubeVirtVm(cluster, "bob", network, "02:00:00:00:00:0b")) {
                a.pinging("10.97.0.1", "10.97.0.2");
                b.pinging("10.97.0.2", "10.97.0.1");
                attach(a, b);
                define(a, b, system);
                restartAgent(cluster);
                start(a, b);
                restartSwitch(cluster.node, a, b);
                end(a, b);
            }
            List<String> remains = cluster.remains();
            require(remains.isEmpty(), "left behind: " + remains);
            say("nothing is left: no port, no socket, no folder, no mount, no checkpoint");
        }
    }

    private void attach(KubeVirtVm a, KubeVirtVm b) throws IOException {
        step("Multus calls the plugin for the two pods: ADD");
        for (KubeVirtVm vm : List.of(a, b)) {
            ObjectNode attached = vm.attach();
            say("%s", attached.at("/interfaces/0"));
            socket = attached.at("/interfaces/0/socketPath").asText();
        }
    }

    private void define(KubeVirtVm a, KubeVirtVm b, Path system) throws IOException {
        step("virt-launcher asks the hook sidecar for the domain, which libvirt checks and defines");
        String domain = new String(a.define(system), StandardCharsets.UTF_8);
        b.define(system);
        require(
                domain.contains("<source type='unix' path='" + socket + "' mode='server'/>"),
                "the binding's path is not the agent's, " + socket);
        domain.lines().filter(line -> !line.contains("cmdline")).forEach(line -> out.println("     | " + line));
    }

    private void restartAgent(KubernetesNode cluster) throws IOException {
        step("The agent is killed, and another one takes over");
        cluster.node.killAgent();
        cluster.startAgent();
    }

    private void start(KubeVirtVm a, KubeVirtVm b) throws IOException {
        step("Both VMs start: QEMU listens, the switch connects");
        long start = System.nanoTime();
        both(a::start, b::start);
        say("connected after %s", seconds(start));
        a.awaitPing(0, true);
        b.awaitPing(0, true);
        say("each has an answer of the other after %s; %s; %s", seconds(start), a.up(), b.up());
    }

    private void restartSwitch(Node node, KubeVirtVm a, KubeVirtVm b) throws IOException {
        step("The switch stops and starts under the running VMs");
        List<String> before = List.of(a.id(), b.id());
        int saidByA = a.said();
        int saidByB = b.said();
        node.ovs().stopSwitch();
        a.awaitPing(saidByA, false);
        b.awaitPing(saidByB, false);
        saidByA = a.said();
        saidByB = b.said();
        long start = System.nanoTime();
        node.ovs().startSwitch();
        a.awaitPing(saidByA, true);
        b.awaitPing(saidByB, true);
        require(List.of(a.id(), b.id()).equals(before), "a VM was restarted");
        say("lost while it was away, and answered again %s after its start", seconds(start));
    }

    private void end(KubeVirtVm a, KubeVirtVm b) throws IOException {
        step("The VMs end, their sidecars are told, Multus calls the plugin: DEL; kubelet removes the pods");
        for (KubeVirtVm vm : List.of(a, b)) {
            int status = vm.end();
            require(status == 0, "the sidecar ended with status " + status);
            vm.detach();
            vm.remove();
        }
    }

    /** QEMU answers when the switch has connected, so the two don't wait for each other. */
    private static void both(Action first, Action second) throws IOException {
        CompletableFuture<Void> other = CompletableFuture.runAsync(() -> {
            try {
                second.run();
            } catch (IOException e) {
                throw new CompletionException(e);
            }
        });
        first.run();
        try {
            other.join();
        } catch (CompletionException e) {
            throw new IOException(e.getCause());
        }
    }

    @FunctionalInterface
    private interface Action {
        void run() throws IOException;
    }

    private void step(String title) {
        out.printf("%n%d. %s%n", ++step, title);
    }

    private void say(String format, Object... values) {
        out.printf("   " + format + "%n", values);
    }

    private static void require(boolean condition, String otherwise) throws IOException {
        if (!condition) {
            throw new IOException(otherwise);
        }
    }

    private static String seconds(long since) {
        return String.format("%.2f s", (System.nanoTime() - since) / 1e9);
    }
}
