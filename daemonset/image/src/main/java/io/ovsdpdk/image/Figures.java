package io.ovsdpdk.image;

import io.ovsdpdk.agent.kubernetes.testbed.ApiServer;
import io.ovsdpdk.ovsdb.testbed.OvsDpdk;
import java.io.IOException;
import java.io.PrintStream;
import java.util.List;
import java.util.Locale;
import java.util.stream.LongStream;

/** How long the agent takes from its start until it is ready, and what it holds then, with what was prepared and without. */
final class Figures {
    private static final int STARTS = 11;

    private Figures() {}

    static void print(Layout layout, PrintStream out) throws IOException {
        try (OvsDpdk ovs = OvsDpdk.start();
                ApiServer apiServer = ApiServer.startWithTls()) {
            out.printf(Locale.ROOT, "| %d starts, median | until ready | memory |%n|---|---|---|%n", STARTS);
            out.println(row("with what the JVM prepared", layout, Layout.command(), ovs, apiServer));
            out.println(row("without", layout, Layout.command(List.of()), ovs, apiServer));
        }
    }

    private static String row(String name, Layout layout, List<String> java, OvsDpdk ovs, ApiServer apiServer)
            throws IOException {
        long[] nanos = new long[STARTS];
        long[] bytes = new long[STARTS];
        for (int i = 0; i < STARTS; i++) {
            long start = System.nanoTime();
            try (StagedAgent agent = StagedAgent.start(layout, java, ovs, apiServer)) {
                nanos[i] = System.nanoTime() - start;
                bytes[i] = agent.residentBytes();
                agent.stop();
            }
        }
        return "| %s | %.2f s | %d MiB |".formatted(name, median(nanos) / 1e9, median(bytes) >> 20);
    }

    private static long median(long... values) {
        return LongStream.of(values)
                .sorted()
                .skip(values.length / 2)
                .findFirst()
                .orElseThrow();
    }
}
