package io.ovsdpdk.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.api.Json;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** SIGTERM to the plugin while others work for it: they complete what they do or take it back. */
@Tag("native")
class TerminationTest {
    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final String IFNAME = "net1";

    /** 128 and the signal's number. */
    private static final int TERMINATED = 143;

    /** An IPAM plugin that gives its address when it is told to. */
    private static final String WAITING_IPAM = """
            #!/bin/sh -e
            folder=$(dirname "$0")
            if [ "$CNI_COMMAND" = ADD ]; then
              touch "$folder/begun"
              read -r go <"$folder/go"
            fi
            exec %s/host-local
            """.formatted(Node.CNI_PATH);

    private Node node;
    private String container;
    private ObjectNode network;

    @BeforeEach
    void startNode() throws IOException {
        node = Node.start();
        container = node.newContainer();
        network = node.network("1.0.0", "fast");
    }

    @AfterEach
    void closeNode() throws IOException {
        node.close();
    }

    private PluginCall call(String command) throws IOException {
        return node.call(command, container, IFNAME, network);
    }

    private PluginCall.Outcome succeed(PluginCall call) throws IOException {
        PluginCall.Outcome outcome = call.run();
        assertThat(outcome.status()).as("%s", outcome).isZero();
        return outcome;
    }

    private static Process begin(PluginCall call) throws IOException {
        Process process = call.process().start();
        try (OutputStream stdin = process.getOutputStream()) {
            stdin.write(call.network());
        }
        return process;
    }

    private static void terminate(Process process) throws InterruptedException {
        assertThat(process.isAlive()).as("it is in the middle").isTrue();
        process.destroy();
        assertThat(process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
        assertThat(process.exitValue()).isEqualTo(TERMINATED);
    }

    @Test
    void addIsCompletedByTheAgent() throws Exception {
        node.ovs().suspendSwitch();
        Process add = begin(call("ADD"));
        await().atMost(PATIENCE).until(() -> node.ports().size() == 1);

        terminate(add);
        node.ovs().resumeSwitch();

        await().atMost(PATIENCE).until(() -> node.attachedContainers().equals(List.of(container)));
        succeed(call("ADD"));
        assertThat(node.attachedContainers()).containsExactly(container);
        succeed(call("DEL"));
        assertThat(node.remains()).isEmpty();
    }

    @Test
    void addThatTheSwitchDoesNotServeIsRolledBackByTheAgent() throws Exception {
        node.configure(Json.object().put("addTimeoutSeconds", 1));
        node.ovs().suspendSwitch();
        Process add = begin(call("ADD"));
        await().atMost(PATIENCE).until(() -> node.ports().size() == 1);

        terminate(add);

        await().atMost(PATIENCE).until(() -> node.ports().isEmpty());
        node.ovs().resumeSwitch();
        await().atMost(PATIENCE).until(() -> node.remains().isEmpty());
    }

    /** As a runtime does after a failed ADD, at once. */
    @Test
    void deletionDuringTheAddLeavesNothing() throws Exception {
        node.ovs().suspendSwitch();
        Process add = begin(call("ADD"));
        await().atMost(PATIENCE).until(() -> node.ports().size() == 1);
        terminate(add);

        Process del = begin(call("DEL"));
        node.ovs().resumeSwitch();

        assertThat(del.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
        assertThat(del.exitValue()).isZero();
        assertThat(node.remains()).isEmpty();
    }

    @Test
    void deletionIsCompletedByTheAgent() throws Exception {
        succeed(call("ADD"));
        node.ovs().suspendSwitch();
        Process del = begin(call("DEL"));
        await().atMost(PATIENCE).until(() -> node.ports().isEmpty());

        terminate(del);
        node.ovs().resumeSwitch();

        await().atMost(PATIENCE).until(() -> node.remains().isEmpty());
        succeed(call("DEL"));
    }

    @Test
    void addressThatIsGivenAfterTheEndIsGivenBackByTheDeletion() throws Exception {
        Path plugins = waitingIpam();
        Path lease = node.folder().resolve("leases/fast/10.1.0.2");
        network.putObject("ipam")
                .put("type", "waiting")
                .put("subnet", "10.1.0.0/24")
                .put("dataDir", node.folder().resolve("leases").toString());
        Process add = begin(call("ADD").with("CNI_PATH", plugins.toString()));
        await().atMost(PATIENCE).until(() -> Files.exists(plugins.resolve("begun")));

        terminate(add);
        assertThat(node.remains()).isEmpty();
        Files.writeString(plugins.resolve("go"), "go\n", StandardOpenOption.WRITE);
        await().atMost(PATIENCE).until(() -> Files.exists(lease));

        succeed(call("DEL").with("CNI_PATH", plugins.toString()));
        assertThat(lease).doesNotExist();
        assertThat(node.remains()).isEmpty();
    }

    private Path waitingIpam() throws Exception {
        Path plugins = Files.createDirectory(node.folder().resolve("plugins"));
        Path plugin = Files.writeString(plugins.resolve("waiting"), WAITING_IPAM);
        Files.setPosixFilePermissions(plugin, PosixFilePermissions.fromString("rwxr-xr-x"));
        assertThat(new ProcessBuilder("mkfifo", plugins.resolve("go").toString())
                        .start()
                        .waitFor())
                .isZero();
        return plugins;
    }

    @Test
    void waitingForAnAgentThatIsAwayEndsAtOnceAndLeavesNothing() throws Exception {
        node.stopAgent();
        Process add = begin(call("ADD"));

        terminate(add);

        try (Stream<Path> queue = Files.list(node.runDir().resolve("deletions"))) {
            assertThat(queue.filter(file -> file.toString().endsWith(".json"))).isEmpty();
        }
        assertThat(node.remains()).isEmpty();
    }
}
