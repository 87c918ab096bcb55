package io.ovsdpdk.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Standard streams that are not what they should be: closed, cut off, full, with nobody at the other end. */
@Tag("native")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class StandardStreamsTest {
    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final String IFNAME = "net1";
    private static final int DECODING = 6;

    /** What a pipe holds on Linux, in bytes. */
    private static final int PIPE = 1 << 16;

    private Node node;
    private String container;
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
    void takeContainer() {
        container = node.newContainer();
        network = node.network("1.1.0", "fast");
    }

    @AfterEach
    void deletionLeavesNothing() throws IOException {
        assertThat(call("DEL").run().status()).isZero();
        assertThat(node.remains()).isEmpty();
    }

    private PluginCall call(String command) throws IOException {
        return node.call(command, container, IFNAME, network);
    }

    /** A call whose streams the shell has changed. */
    private PluginCall redirected(String command, String redirection) throws IOException {
        return call(command).by("/bin/sh", "-c", "exec \"$@\" " + redirection, "sh");
    }

    private static int status(Process process) throws InterruptedException {
        assertThat(process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS))
                .as("it has ended")
                .isTrue();
        return process.exitValue();
    }

    @ParameterizedTest
    @ValueSource(strings = {"ADD", "DEL", "CHECK", "GC", "STATUS"})
    void closedInputIsAnError(String command) throws IOException {
        PluginCall.Outcome outcome = redirected(command, "<&-").run();

        assertThat(outcome.status()).as("%s", outcome).isEqualTo(1);
        assertThat(outcome.code()).isIn(5, DECODING);
        assertThat(node.remains()).isEmpty();
    }

    @Test
    void closedInputIsEnoughForVersion() throws IOException {
        assertThat(redirected("VERSION", "<&-").run().json().path("supportedVersions"))
                .hasSize(5);
    }

    @Test
    void emptyInputIsAnError() throws IOException {
        PluginCall.Outcome outcome = redirected("ADD", "</dev/null").run();

        assertThat(outcome.code()).as("%s", outcome).isEqualTo(DECODING);
        assertThat(node.remains()).isEmpty();
    }

    @Test
    void inputThatEndsEarlyIsAnError() throws IOException {
        PluginCall whole = call("ADD");

        PluginCall.Outcome outcome = whole.with(new String(whole.network(), StandardCharsets.UTF_8)
                        .substring(0, 40)
                        .getBytes(StandardCharsets.UTF_8))
                .run();

        assertThat(outcome.code()).as("%s", outcome).isEqualTo(DECODING);
        assertThat(node.remains()).isEmpty();
    }

    /** A descriptor that is free is the next one that is opened: the agent's connection, say. */
    @Test
    void closedErrorStreamHarmsNothing() throws IOException {
        network.put("logLevel", "debug");

        PluginCall.Outcome outcome = redirected("ADD", "2>&-").run();

        assertThat(outcome.status()).as("%s", outcome).isZero();
        assertThat(outcome.json().at("/interfaces/0/name").asText()).isEqualTo(IFNAME);
        assertThat(node.attachedContainers()).containsExactly(container);
    }

    @Test
    void closedErrorStreamHarmsNoIpamPlugin() throws IOException {
        network.put("cniVersion", "1.0.0").put("logLevel", "debug");
        network.putObject("ipam")
                .put("type", "host-local")
                .put("subnet", "10.1.0.0/24")
                .put("dataDir", node.folder().resolve("leases").toString());

        PluginCall.Outcome outcome = redirected("ADD", "2>&-").run();

        assertThat(outcome.status()).as("%s", outcome).isZero();
        assertThat(outcome.json().at("/ips/0/address").asText()).startsWith("10.1.0.");
    }

    /** The runtime was killed: no signal ends the plugin in the middle. */
    @Test
    void resultWhoseReaderIsGoneIsAFailureAndTheRepeatedAddGivesIt() throws Exception {
        Process process = call("ADD").process().start();
        process.getInputStream().close();
        try (OutputStream stdin = process.getOutputStream()) {
            stdin.write(call("ADD").network());
        }

        assertThat(status(process)).isEqualTo(1);
        assertThat(node.attachedContainers()).containsExactly(container);
        PluginCall.Outcome repeated = call("ADD").run();
        assertThat(repeated.status()).as("%s", repeated).isZero();
        assertThat(node.attachedContainers()).containsExactly(container);
    }

    @Test
    void resultWaitsForAReaderThatStalls() throws Exception {
        Path pipe = fullPipe();
        // Read and written: opening it waits for nobody
        try (RandomAccessFile reader = new RandomAccessFile(pipe.toFile(), "rw")) {
            reader.write(new byte[PIPE]);
            Process process =
                    call("ADD").process().redirectOutput(pipe.toFile()).start();
            try (OutputStream stdin = process.getOutputStream()) {
                stdin.write(call("ADD").network());
            }
            await().atMost(PATIENCE).until(() -> writes(process));
            assertThat(node.attachedContainers()).containsExactly(container);
            assertThat(process.isAlive()).isTrue();

            reader.readFully(new byte[PIPE]);

            assertThat(status(process)).isZero();
            String repeated = call("ADD").run().stdout();
            byte[] result = new byte[repeated.length()];
            reader.readFully(result);
            assertThat(new String(result, StandardCharsets.UTF_8)).isEqualTo(repeated);
        }
    }

    private Path fullPipe() throws Exception {
        Path pipe = node.folder().resolve("pipe");
        Files.deleteIfExists(pipe);
        assertThat(new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor())
                .isZero();
        return pipe;
    }

    /** Whether one of its threads is in {@code write(1, …)}. */
    private static boolean writes(Process process) throws IOException {
        Path tasks = Path.of("/proc", Long.toString(process.pid()), "task");
        try (var threads = Files.list(tasks)) {
            for (Path thread : threads.toList()) {
                List<String> call = List.of(
                        Files.readString(thread.resolve("syscall")).strip().split(" "));
                if (call.size() > 1 && call.get(0).equals("1") && call.get(1).equals("0x1")) {
                    return true;
                }
            }
        }
        return false;
    }
}
