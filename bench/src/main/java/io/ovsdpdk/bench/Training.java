package io.ovsdpdk.bench;

import io.ovsdpdk.api.Reply;
import io.ovsdpdk.api.Request;
import io.ovsdpdk.e2e.Node;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * Prepares a node's agent as the image's is: its JVM has seen ADDs and DELs before, and has at hand what they need.
 * Otherwise what is measured is for the most part how slow a JVM is that has just begun.
 */
final class Training {
    /** As the image has them. */
    private static final List<String> JVM = List.of("-XX:+UseSerialGC", "-Xmx128m", "-XX:TieredStopAtLevel=1");

    private static final int ROUNDS = 300;

    /** The JVM writes what it has learned when it ends, some 5 s. */
    private static final Duration PATIENCE = Duration.ofMinutes(2);

    private Training() {}

    /** The agent that serves the node afterwards is a trained one. */
    static void of(Node node) throws IOException {
        Path learned = node.folder().resolve("agent.aot");
        end(node);
        keepInMemory(node.runDir());
        start(node, "-XX:AOTCacheOutput=" + learned);
        for (int round = 0; round < ROUNDS; round++) {
            ask(node, node.add("t" + round, "net1"));
            ask(node, node.delete("t" + round, "net1"));
        }
        end(node);
        start(node, "-XX:AOTCache=" + learned);
        if (Files.notExists(learned)) {
            throw new IOException("the agent's JVM left no " + learned);
        }
    }

    /** As /run of a node is; closing the node unmounts it. */
    private static void keepInMemory(Path folder) throws IOException {
        Path nothing = Path.of("/dev/null");
        List<String> mount = List.of("mount", "-t", "tmpfs", "-o", "mode=711", "none", folder.toString());
        if (new Spawn(mount, System.getenv(), nothing, nothing, nothing).run() != 0) {
            throw new IOException("can't mount a tmpfs at " + folder);
        }
    }

    private static void end(Node node) throws IOException {
        // Not Node.stopAgent, which is less patient
        ProcessHandle agent = ProcessHandle.of(node.agent().pid()).orElseThrow();
        agent.destroy();
        try {
            agent.onExit().get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
        } catch (Exception e) {
            throw new IOException("the agent does not end", e);
        }
    }

    private static void start(Node node, String option) throws IOException {
        node.useJvm(Stream.concat(JVM.stream(), Stream.of(option)).toList());
        node.startAgent();
    }

    private static void ask(Node node, Request request) throws IOException {
        if (node.ask(request) instanceof Reply.Failed failed) {
            throw new IOException("the agent refused " + request, failed.error());
        }
    }
}
