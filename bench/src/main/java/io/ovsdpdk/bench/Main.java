package io.ovsdpdk.bench;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.api.Reply;
import io.ovsdpdk.api.Request;
import io.ovsdpdk.e2e.Node;
import io.ovsdpdk.e2e.PluginCall;
import io.ovsdpdk.ovsdb.Deadline;
import io.ovsdpdk.ovsdb.LocalSwitch;
import io.ovsdpdk.ovsdb.OvsdbClient;
import io.ovsdpdk.ovsdb.OvsdbException;
import io.ovsdpdk.ovsdb.OvsdbOptions;
import io.ovsdpdk.ovsdb.VhostUserPort;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Random;
import java.util.concurrent.locks.LockSupport;

/**
 * {@code make bench}: start, ADD and DEL of the plugin beside {@code ovs-vsctl} and the bare transaction, the hook sidecar
 * of a VM, and whether they are as quick and as small as they are meant to be. That is said, not enforced: a machine that
 * does other work at the same time misses every target.
 */
public final class Main {
    private static final int WARM_UP = 5;

    /** An agent serves for weeks; its JVM compiles as it goes. */
    private static final int WARM_UP_OF_AGENT = 50;

    private static final Duration REST = Duration.ofMillis(40);
    private static final Duration TICKS = Duration.ofMillis(20);
    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final Map<String, String> PATH =
            Map.of("PATH", System.getenv().getOrDefault("PATH", "/usr/bin:/bin"));

    private final Node node;
    private final Path scratch;
    private final OvsdbClient client;
    private final LocalSwitch localSwitch;
    private final int rounds;
    private final Random random = new Random(1);

    private Main(Node node, Path scratch, OvsdbClient client, int rounds) {
        this.node = node;
        this.scratch = scratch;
        this.client = client;
        this.localSwitch = new LocalSwitch(client);
        this.rounds = rounds;
    }

    /** @param arguments how often each thing is measured; 50 when nothing is said */
    public static void main(String[] arguments) throws IOException, OvsdbException {
        int rounds = arguments.length == 0 ? 50 : Integer.parseInt(arguments[0]);
        try (Node node = Node.start();
                OvsdbClient client = new OvsdbClient(node.ovs().socket(), LocalSwitch.TABLES, OvsdbOptions.DEFAULT)) {
            Path scratch = Files.createDirectory(node.folder().resolve("bench"));
            Main bench = new Main(node, scratch, client, rounds);
            List<Target> targets = new ArrayList<>();
            targets.addAll(bench.start());
            Training.of(node);
            targets.addAll(bench.ports());
            targets.addAll(new HookSidecar().measure());
            print(targets);
        }
    }

    /** What it costs that there is a process at all. */
    private List<Target> start() throws IOException {
        Program nothing = new Program(List.of("/bin/true"), PATH, new byte[0]);
        Program vsctl = new Program(List.of("ovs-vsctl", "--version"), PATH, new byte[0]);
        PluginCall version = node.call("VERSION", "c0", "net1", node.network("1.1.0", "bench"));
        Program plugin = new Program(version.command(), version.environment(), version.network());
        List<Program> programs = List.of(nothing, vsctl, plugin);
        List<Series> series =
                List.of(new Series("/bin/true"), new Series("ovs-vsctl --version"), new Series("ovs-dpdk VERSION"));
        for (int round = -WARM_UP; round < rounds; round++) {
            for (int i = 0; i < programs.size(); i++) {
                Duration took = programs.get(i).run(scratch);
                if (round >= 0) {
                    series.get(i).add(took);
                }
            }
        }
        for (int i = 0; i < programs.size(); i++) {
            series.get(i).addPeak(programs.get(i).peak(scratch));
        }
        print("Start, to the end of the process", series);
        Path executable = Path.of(version.command().getFirst());
        return List.of(
                Target.atMost(
                        "VERSION over /bin/true, ms",
                        4,
                        series.get(2).median() - series.get(0).median()),
                Target.atMost("peak RSS of VERSION, MiB", 16, series.get(2).peak()),
                Target.atMost("size of the file, MB", 30, Files.size(executable) / 1e6));
    }

    /** One port, until ovs-vswitchd has it, and its removal; on a bridge without others, by an agent that is warm. */
    private List<Target> ports() throws IOException, OvsdbException {
        client.awaitSynchronised(Deadline.after(PATIENCE));
        localSwitch.warmUp(Deadline.after(PATIENCE));
        Series floorAdd = new Series("bare transaction, warm connection");
        Series floorDel = new Series("bare transaction, warm connection");
        Series agentAdd = new Series("the agent, asked by a warm process");
        Series agentDel = new Series("the agent, asked by a warm process");
        Series vsctlAdd = new Series("ovs-vsctl add-port, waiting");
        Series vsctlDel = new Series("ovs-vsctl del-port, waiting");
        Series pluginAdd = new Series("ovs-dpdk ADD");
        Series pluginDel = new Series("ovs-dpdk DEL");
        for (int round = -WARM_UP_OF_AGENT; round < rounds; round++) {
            boolean counts = round >= 0;
            ObjectNode network = node.network("1.1.0", "bench");
            String container = "c" + (round + WARM_UP_OF_AGENT);
            Duration add = atRest(() -> addBare("floor"));
            Duration del = atRest(() -> deleteBare("floor"));
            Duration addByVsctl = atRest(() -> vsctl(
                    "add-port",
                    "br0",
                    "byvsctl",
                    "--",
                    "set",
                    "Interface",
                    "byvsctl",
                    "type=dpdkvhostuserclient",
                    "options:vhost-server-path=" + scratch.resolve("v.sock")));
            Duration delByVsctl = atRest(() -> vsctl("del-port", "br0", "byvsctl"));
            Duration addByAgent = atRest(() -> ask(node.add(container, "net0")));
            if (round == -WARM_UP_OF_AGENT) {
                System.out.printf("%nThe agent's first ADD took %.2f ms%n", addByAgent.toNanos() / 1e6);
            }
            Duration delByAgent = atRest(() -> ask(node.delete(container, "net0")));
            Program plugin = program("ADD", container, network);
            Duration addByPlugin = atRest(() -> plugin.run(scratch));
            Program pluginAgain = program("DEL", container, network);
            Duration delByPlugin = atRest(() -> pluginAgain.run(scratch));
            if (counts) {
                floorAdd.add(add);
                floorDel.add(del);
                agentAdd.add(addByAgent);
                agentDel.add(delByAgent);
                vsctlAdd.add(addByVsctl);
                vsctlDel.add(delByVsctl);
                pluginAdd.add(addByPlugin);
                pluginDel.add(delByPlugin);
            }
        }
        ObjectNode network = node.network("1.1.0", "bench");
        pluginAdd.addPeak(program("ADD", "peak", network).peak(scratch));
        pluginDel.addPeak(program("DEL", "peak", network).peak(scratch));
        print("ADD, until ovs-vswitchd has the port", List.of(floorAdd, vsctlAdd, agentAdd, pluginAdd));
        print("DEL, until ovs-vswitchd has let go of it", List.of(floorDel, vsctlDel, agentDel, pluginDel));
        return List.of(
                Target.atMost("ADD over the bare transaction, ms", 6, pluginAdd.median() - floorAdd.median()),
                Target.atMost("ADD, ms; as long takes ovs-vsctl", vsctlAdd.median(), pluginAdd.median()),
                Target.atMost("peak RSS of ADD, MiB", 16, pluginAdd.peak()),
                Target.atMost("peak RSS of DEL, MiB", 16, pluginDel.peak()));
    }

    private interface Operation {
        Duration run() throws IOException, OvsdbException;
    }

    /**
     * ovs-vswitchd goes on working for some time after it said that it is done, which the next one would pay for. And it
     * waits for ticks of the kernel, 10 ms apart on some: all begin at any time between two, or one would always just miss
     * what another just reaches.
     */
    private Duration atRest(Operation operation) throws IOException, OvsdbException {
        LockSupport.parkNanos(REST.toNanos() + random.nextLong(TICKS.toNanos()));
        return operation.run();
    }

    private static void print(List<Target> targets) {
        System.out.printf("%nTargets, by the medians%n");
        targets.forEach(target -> System.out.printf(
                "  %-36s %10.2f %10s %10.2f   %s%n",
                target.what(), target.measured(), "at most", target.most(), target.isMet() ? "met" : "MISSED"));
    }

    private Program program(String command, String container, ObjectNode network) throws IOException {
        PluginCall call = node.call(command, container, "net1", network);
        return new Program(call.command(), call.environment(), call.network());
    }

    private Duration ask(Request request) throws IOException {
        long start = System.nanoTime();
        Reply reply = node.ask(request);
        Duration took = Duration.ofNanos(System.nanoTime() - start);
        if (reply instanceof Reply.Failed failed) {
            throw new IOException("the agent refused " + request, failed.error());
        }
        return took;
    }

    private Duration addBare(String name) throws OvsdbException {
        long start = System.nanoTime();
        Deadline deadline = Deadline.after(PATIENCE);
        localSwitch.awaitApplied(
                localSwitch.addVhostUserPort(
                        new VhostUserPort(
                                "br0", name, scratch.resolve("f.sock").toString(), OptionalInt.empty(), Map.of()),
                        deadline),
                deadline);
        return Duration.ofNanos(System.nanoTime() - start);
    }

    private Duration deleteBare(String name) throws OvsdbException {
        long start = System.nanoTime();
        localSwitch.deletePort(name, Deadline.after(PATIENCE));
        return Duration.ofNanos(System.nanoTime() - start);
    }

    private Duration vsctl(String... arguments) throws IOException {
        List<String> command =
                new ArrayList<>(List.of("ovs-vsctl", "--db=unix:" + node.ovs().socket()));
        command.addAll(List.of(arguments));
        return new Program(command, PATH, new byte[0]).run(scratch);
    }

    /** The first of them is what the others are compared with. */
    private static void print(String title, List<Series> all) {
        Series first = all.getFirst();
        System.out.printf("%n%s (%d of each)%n", title, first.size());
        System.out.printf(
                "  %-36s %10s %10s %10s %10s %8s %10s%n", "", "quickest", "median", "p95", "more", "ratio", "peak RSS");
        for (Series series : all) {
            System.out.printf(
                    "  %-36s %7.2f ms %7.2f ms %7.2f ms %7.2f ms %7.1fx %10s%n",
                    series.name(),
                    series.quickest(),
                    series.median(),
                    series.p95(),
                    series.median() - first.median(),
                    series.median() / first.median(),
                    series.peak() == 0 ? "" : String.format("%.1f MiB", series.peak()));
        }
    }
}
