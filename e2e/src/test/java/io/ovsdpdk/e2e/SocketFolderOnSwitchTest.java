package io.ovsdpdk.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.MacAddress;
import io.ovsdpdk.api.Reply;
import io.ovsdpdk.api.Request;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/** What a container may do to its socket folder, and what the switch does not do then. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class SocketFolderOnSwitchTest {
    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final MacAddress MAC = new MacAddress("02:00:00:00:00:0a");

    private Node node;
    private ObjectNode network;
    private String container;

    /** The container's socket folder, which the container may write to. */
    private Path folder;

    /** What is none of this container's business. */
    private Path elsewhere;

    @BeforeAll
    void startNode() throws IOException {
        node = Node.start();
        network = node.network("1.1.0", "fast");
    }

    @BeforeEach
    void takeContainer() throws IOException {
        container = node.newContainer();
        folder = node.workloadSocket(container, "net1").getParent();
        elsewhere = Files.createDirectory(node.folder().resolve("elsewhere-" + container.substring(0, 12)));
    }

    @AfterEach
    void removeAttachments() throws IOException {
        node.ask(new Request.Collect("fast", Set.of()));
        node.ovs().vsctl("--if-exists", "del-port", "careless");
    }

    @AfterAll
    void closeNode() throws IOException {
        node.close();
    }

    private void attach(String containerId, String ifname) throws IOException {
        Reply reply = node.ask(new Request.Add(node.request(containerId, ifname, network), Json.object(), PATIENCE));
        assertThat(reply).isInstanceOf(Reply.Added.class);
    }

    private void detach(String ifname) throws IOException {
        assertThat(node.ask(new Request.Delete(new AttachmentId(container, ifname))))
                .isEqualTo(new Reply.Done());
    }

    private PluginCall add(String ifname, ObjectNode wanted) throws IOException {
        return node.call("ADD", container, ifname, wanted);
    }

    private static String modeOf(Path path) throws IOException {
        return "%o %s:%s"
                .formatted(
                        (int) Files.getAttribute(path, "unix:mode") & 07777,
                        Files.getAttribute(path, "unix:uid"),
                        Files.getAttribute(path, "unix:gid"));
    }

    /**
     * The switch tries all its disconnected ports once a second, one after the other. So when it has found a listener that
     * came up after another port was made, three times anew, it has tried that other port at least twice.
     */
    private void awaitAttemptsOfTheSwitch() throws IOException {
        String witness = node.newContainer();
        attach(witness, "net1");
        for (int i = 0; i < 3; i++) {
            try (Listener listener = Listener.on(node.workloadSocket(witness, "net1"))) {
                await().atMost(PATIENCE).until(listener::wasConnectedTo);
            }
        }
    }

    /** Makes a port past the agent: the trap does work, so it is the agent's mount that keeps the switch from it. */
    private void assertTrapped(Listener trap, Path socket) throws IOException {
        node.ovs()
                .vsctl(
                        "add-port",
                        "br0",
                        "careless",
                        "--",
                        "set",
                        "Interface",
                        "careless",
                        "type=dpdkvhostuserclient",
                        "options:vhost-server-path=" + socket);
        await().atMost(PATIENCE).until(trap::wasConnectedTo);
    }

    @Test
    void linkInTheFolderDoesNotLeadTheSwitchToAnotherSocket() throws IOException {
        attach(container, "net1");
        try (Listener victim = Listener.on(elsewhere.resolve("net1.sock"))) {
            Path link = Files.createSymbolicLink(folder.resolve("net2.sock"), elsewhere.resolve("net1.sock"));

            PluginCall.Outcome add = add("net2", network).run();
            assertThat(add.status()).as("%s", add).isZero();
            assertThat(link).as("what is in the socket's place goes").doesNotExist();
            Files.createSymbolicLink(link, elsewhere.resolve("net1.sock"));
            awaitAttemptsOfTheSwitch();

            assertThat(victim.wasConnectedTo()).isFalse();
            assertTrapped(victim, link);
        }
    }

    @Test
    void linkInPlaceOfTheFolderDoesNotLeadTheSwitchElsewhere() throws IOException {
        attach(container, "net1");
        try (Listener victim = Listener.on(elsewhere.resolve("net1.sock"))) {
            Files.delete(folder);
            Files.createSymbolicLink(folder, elsewhere);

            awaitAttemptsOfTheSwitch();

            assertThat(victim.wasConnectedTo()).isFalse();
            assertTrapped(victim, folder.resolve("net1.sock"));
        }
    }

    @Test
    void linkInPlaceOfTheFolderIsFoundByCheckAndGetsNoSecondInterface() throws IOException {
        attach(container, "net1");
        Files.delete(folder);
        Files.createSymbolicLink(folder, elsewhere);

        Reply check = node.ask(new Request.Check(node.request(container, "net1", network)));
        Reply add = node.ask(new Request.Add(node.request(container, "net2", network), Json.object(), PATIENCE));

        assertFailed(check, ErrorCode.CONFIGURATION, "the socket folder is gone or was replaced");
        assertFailed(add, ErrorCode.CONFIGURATION, "can't make the socket folder " + folder);
        assertThat(elsewhere).isEmptyDirectory();
        assertThat(node.ports()).hasSize(1);
    }

    private static void assertFailed(Reply reply, ErrorCode code, String words) {
        assertThat(reply).isInstanceOfSatisfying(Reply.Failed.class, failed -> {
            assertThat(failed.error().code()).isEqualTo(code.code());
            assertThat(failed.error()).hasMessageContaining(words);
        });
    }

    @Test
    void linkInPlaceOfTheFolderIsRemovedAndWhatItLeadsToStays() throws IOException {
        attach(container, "net1");
        Files.delete(folder);
        Files.createSymbolicLink(folder, elsewhere);
        Path precious = Files.writeString(elsewhere.resolve("net1.sock"), "precious");

        PluginCall.Outcome del = node.call("DEL", container, "net1", network).run();

        assertThat(del.status()).as("%s", del).isZero();
        assertThat(precious).hasContent("precious");
        assertThat(node.remains()).isEmpty();
    }

    @Test
    void linkInSharedDirIsRefused() throws IOException {
        Path link = Files.createSymbolicLink(node.sharedRoot().resolve("tenant"), elsewhere);
        try {
            PluginCall.Outcome add = add(
                            "net1",
                            network.deepCopy()
                                    .put("sharedDir", link.resolve("sockets").toString()))
                    .run();

            assertThat(add.code()).as("%s", add).isEqualTo(7);
            assertThat(add.json().get("msg").asText())
                    .contains("can't make the socket folder " + link.resolve("sockets"));
            assertThat(add.json().get("details").asText()).contains("no part of sharedDir", "may be a link or a file");
            assertThat(elsewhere).isEmptyDirectory();
            assertThat(node.ports()).isEmpty();
            assertThat(node.mounts()).isEmpty();
        } finally {
            Files.delete(link);
        }
        assertThat(node.remains()).isEmpty();
    }

    @Test
    void sharedDirIsRootsAndTheFolderIsOpenToTheContainer() throws IOException {
        Path sharedDir = node.sharedRoot().resolve("tenant");
        try {
            PluginCall.Outcome add = add("net1", network.deepCopy().put("sharedDir", sharedDir.toString()))
                    .run();

            assertThat(add.status()).as("%s", add).isZero();
            assertThat(modeOf(sharedDir)).isEqualTo("711 0:0");
            assertThat(modeOf(sharedDir.resolve(folder.getFileName()))).isEqualTo("777 0:0");
        } finally {
            detach("net1");
            Files.delete(sharedDir);
        }
    }

    @Test
    void modeOfASharedDirThatIsThereIsTheAdministrators() throws IOException {
        Path sharedDir = Files.createDirectory(node.sharedRoot().resolve("tenant"));
        Files.setPosixFilePermissions(sharedDir, PosixFilePermissions.fromString("rwxr-x---"));
        try {
            PluginCall.Outcome add = add("net1", network.deepCopy().put("sharedDir", sharedDir.toString()))
                    .run();

            assertThat(add.status()).as("%s", add).isZero();
            assertThat(modeOf(sharedDir)).isEqualTo("750 0:0");
        } finally {
            detach("net1");
            Files.delete(sharedDir);
        }
    }

    @Test
    void interfacesOfAContainerShareFolderAndMountUntilTheLastOneGoes() throws IOException {
        attach(container, "net1");
        attach(container, "net2");
        assertThat(node.mounts()).hasSize(1);
        try (VhostUserGuest guest = VhostUserGuest.listen(folder.resolve("net1.sock"), MAC);
                Listener other = Listener.on(folder.resolve("net2.sock"))) {
            guest.awaitConnection(PATIENCE);
            await().atMost(PATIENCE).until(other::wasConnectedTo);

            node.call("DEL", container, "net2", network).run();

            assertThat(folder.resolve("net2.sock")).doesNotExist();
            assertThat(guest.connected()).isTrue();
            assertThat(node.mounts()).hasSize(1);
        }
        try (VhostUserGuest successor = VhostUserGuest.listen(folder.resolve("net1.sock"), MAC)) {
            successor.awaitConnection(PATIENCE);
            assertThat(successor.connected())
                    .as("through the mount that stayed")
                    .isTrue();
        }

        node.call("DEL", container, "net1", network).run();

        assertThat(node.remains()).isEmpty();
    }

    /** Whichever of the two is the last one; a few times, since they must meet. */
    @RepeatedTest(12)
    void interfacesOfAContainerThatGoAtOnceLeaveNothing() throws IOException {
        attach(container, "net1");
        attach(container, "net2");

        Reply reply = node.ask(new Request.Collect("fast", Set.of()));

        assertThat(reply).isEqualTo(new Reply.Done());
        assertThat(node.remains()).isEmpty();
    }

    @Test
    void whateverTheContainerLeavesGoesWithTheLastInterface() throws Exception {
        attach(container, "net1");
        Path precious = Files.writeString(elsewhere.resolve("precious"), "precious");
        shell("""
                umask 077
                echo junk > file
                mkfifo fifo
                mkdir -p a/b/c/d && echo junk > a/b/c/d/file && chmod 000 a/b
                ln -s "$1" link-to-folder
                ln -s "$1/precious" a/link-to-file
                ln -s /does/not/exist dangling
                ln -s . loop
                mkdir net1.sock && echo junk > net1.sock/file
                echo junk > "$(printf '\\377\\376')"
                mkdir "$(printf 'folder\\200')" && echo junk > "$(printf 'folder\\200/\\300')"
                echo junk > -rf
                echo junk > 'two
                lines'
                """, elsewhere.toString());

        PluginCall.Outcome del = node.call("DEL", container, "net1", network).run();

        assertThat(del.status()).as("%s", del).isZero();
        assertThat(node.remains()).isEmpty();
        assertThat(precious).hasContent("precious");
    }

    /** As the container would in its folder: names that are no UTF-8, and FIFOs, are beyond Java. */
    private void shell(String script, String argument) throws IOException, InterruptedException {
        Process process = new ProcessBuilder("/bin/sh", "-e", "-c", script, "sh", argument)
                .directory(folder.toFile())
                .redirectErrorStream(true)
                .start();
        String output = new String(process.getInputStream().readAllBytes());
        assertThat(process.waitFor(10, TimeUnit.SECONDS)).isTrue();
        assertThat(process.exitValue()).as(output).isZero();
    }
}
