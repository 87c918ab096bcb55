package io.ovsdpdk.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.api.Json;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * SIGKILL to the plugin at any moment of an ADD or a DEL; the runtime's DEL that follows leaves nothing. {@code
 * -Dplugin.seed} repeats the choices of a run.
 */
@Tag("native")
class PluginKilledTest {
    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final int KILLS = 20;

    private final long seed = Long.getLong("plugin.seed", System.nanoTime());
    private final Random random = new Random(seed);
    private Node node;
    private ObjectNode network;

    @BeforeEach
    void startNode() throws IOException {
        node = Node.start();
        network = node.network("1.1.0", "leased");
        network.putObject("ipam")
                .put("type", "host-local")
                .put("subnet", "10.1.0.0/24")
                .put("dataDir", node.folder().resolve("leases").toString());
    }

    @AfterEach
    void closeNode() throws IOException {
        node.close();
    }

    private PluginCall call(String command, String container) throws IOException {
        return node.call(command, container, "net1", network);
    }

    private Duration succeed(PluginCall call) throws IOException {
        PluginCall.Outcome outcome = call.run();
        assertThat(outcome.status()).as("plugin.seed=%d %s", seed, outcome).isZero();
        return outcome.took();
    }

    /** The kill comes at any moment until a little after the time that such a call took before. */
    private void kill(PluginCall call, Duration usual) throws Exception {
        Process process = call.process().start();
        try (OutputStream stdin = process.getOutputStream()) {
            stdin.write(call.network());
        }
        process.waitFor(random.nextLong(usual.toNanos() * 5 / 4), TimeUnit.NANOSECONDS);
        List<ProcessHandle> children = process.descendants().toList();
        process.destroyForcibly();
        for (ProcessHandle child : children) {
            // An IPAM plugin that is begun ends before the runtime is back
            child.onExit().get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
        }
        assertThat(process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
    }

    private List<String> left() throws IOException {
        try (Stream<Path> queue = Files.list(node.runDir().resolve("deletions"));
                Stream<Path> leases = Files.list(node.folder().resolve("leases/leased"))) {
            Stream<Path> addresses = leases.filter(
                    lease -> Character.isDigit(lease.getFileName().toString().charAt(0)));
            return Stream.of(
                            queue.filter(file -> !file.endsWith(".lock")).map(Path::toString),
                            addresses.map(Path::toString),
                            node.remains().stream())
                    .flatMap(all -> all)
                    .toList();
        }
    }

    private void nothingIsLeft() {
        await("plugin.seed=" + seed).atMost(PATIENCE).untilAsserted(() -> assertThat(left())
                .isEmpty());
    }

    @Test
    void deletionAfterAKilledAddLeavesNothing() throws Exception {
        Duration usual = succeed(call("ADD", "first"));
        succeed(call("DEL", "first"));

        for (int i = 0; i < KILLS; i++) {
            String container = node.newContainer();
            kill(call("ADD", container), usual);
            succeed(call("DEL", container));
        }

        nothingIsLeft();
    }

    @Test
    void deletionAfterAKilledOneLeavesNothing() throws Exception {
        succeed(call("ADD", "first"));
        Duration usual = succeed(call("DEL", "first"));

        for (int i = 0; i < KILLS; i++) {
            String container = node.newContainer();
            succeed(call("ADD", container));
            kill(call("DEL", container), usual);
            succeed(call("DEL", container));
        }

        nothingIsLeft();
    }

    /** Then it is writing into the queue when it dies. */
    @Test
    void deletionAfterOneThatWasKilledWithoutAnAgentLeavesNothing() throws Exception {
        for (int i = 0; i < KILLS; i++) {
            succeed(call("ADD", "c" + i));
        }
        node.stopAgent();
        node.configure(Json.object().put("agentWaitSeconds", 0));
        Duration usual = succeed(call("DEL", "first"));

        for (int i = 0; i < KILLS; i++) {
            kill(call("DEL", "c" + i), usual);
        }

        node.startAgent();
        for (int i = 0; i < KILLS; i++) {
            succeed(call("DEL", "c" + i));
        }
        nothingIsLeft();
    }
}
