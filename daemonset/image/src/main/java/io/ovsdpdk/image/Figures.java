package io.ovsdpdk.image;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.ovsdpdk.agent.kubernetes.testbed.ApiServer;
import io.ovsdpdk.ovsdb.testbed.OvsDpdk;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.LongStream;

/**
 * How large the image is; how long the agent takes from its start until it is ready, and what it holds then, with what was
 * prepared and without.
 */
final class Figures {
    private static final int STARTS = 11;

    /** The layers above the base. */
    private static final List<String> LAYERS =
            List.of("the runtime", "the libraries", "agent and plugin", "what the JVM prepared");

    private static final Pattern FILE = Pattern.compile("\\S+ +\\S+ +(\\d+) .* (\\S+)");

    private Figures() {}

    static void print(Layout layout, Path tar, PrintStream out) throws IOException {
        out.println(sizes(tar));
        try (OvsDpdk ovs = OvsDpdk.start();
                ApiServer apiServer = ApiServer.startWithTls()) {
            out.printf(Locale.ROOT, "| %d starts, median | until ready | memory |%n|---|---|---|%n", STARTS);
            out.println(row("with what the JVM prepared", layout, Layout.command(), ovs, apiServer));
            out.println(row("without", layout, Layout.command(List.of()), ovs, apiServer));
        }
    }

    /** Of the tar file and of its layers, which are compressed in it. */
    static String sizes(Path tar) throws IOException {
        Map<String, Long> bytes = Command.run(List.of("tar", "-tvf", tar.toString()))
                .lines()
                .map(FILE::matcher)
                .filter(Matcher::matches)
                .collect(Collectors.toMap(file -> file.group(2), file -> Long.parseLong(file.group(1))));
        List<Long> layers = new ObjectMapper()
                .readTree(Command.run(List.of("tar", "-xOf", tar.toString(), "manifest.json")))
                .at("/0/Layers")
                .valueStream()
                .map(layer -> bytes.get(layer.asText()))
                .toList();
        int above = layers.size() - LAYERS.size();
        StringBuilder text =
                new StringBuilder(megabytes(Files.size(tar)) + " MB as a tar file, compressed; in it the base "
                        + megabytes(layers.subList(0, above).stream()
                                .mapToLong(Long::longValue)
                                .sum()));
        for (int i = 0; i < LAYERS.size(); i++) {
            text.append(", ").append(LAYERS.get(i)).append(' ').append(megabytes(layers.get(above + i)));
        }
        return text.append(" MB").toString();
    }

    private static String megabytes(long bytes) {
        return String.format(Locale.ROOT, "%.1f", bytes / 1e6);
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
