package io.ovsdpdk.e2e;

import static io.ovsdpdk.e2e.Replies.added;
import static io.ovsdpdk.e2e.Replies.addedMac;
import static io.ovsdpdk.e2e.Replies.done;
import static io.ovsdpdk.e2e.Replies.failed;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.MacAddress;
import io.ovsdpdk.api.Reply;
import io.ovsdpdk.api.Request;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A switch that runs as root or as another user, and guests of pods with any user and umask. */
class SwitchUserTest {
    private static final int OVS = 4242;
    private static final int QEMU = 107;
    private static final String IFNAME = "net1";

    /** The switch tries once a second. */
    private static final Duration SOON = Duration.ofSeconds(2);

    private static GuestProcess guest(
            Node node, String classes, String container, MacAddress mac, int uid, String umask) throws IOException {
        return GuestProcess.start(classes, node.workloadSocket(container, IFNAME), mac, uid, umask);
    }

    private static MacAddress attach(Node node, String container) throws IOException {
        return addedMac(node.ask(node.add(container, IFNAME)));
    }

    @ParameterizedTest
    @ValueSource(ints = {0, OVS})
    @Tag("long")
    void guestsOfAnyUserAndUmaskAreConnectedToSoonAfterTheirSocketsAppear(int ovsUser) throws Exception {
        Map<String, Duration> late = new TreeMap<>();
        try (Node node = Node.startWithSwitchOf(ovsUser)) {
            String classes = GuestProcess.classesIn(node.folder());
            for (int pod : new int[] {0, QEMU, 4711}) {
                for (String umask : new String[] {"002", "022", "077"}) {
                    String container = node.newContainer();
                    MacAddress mac = attach(node, container);
                    try (GuestProcess guest = guest(node, classes, container, mac, pod, umask)) {
                        Duration took = guest.awaitConnection();
                        if (took.compareTo(SOON) > 0) {
                            late.put("pod " + pod + " umask " + umask, took);
                        }
                    }
                    done(node.ask(node.delete(container, IFNAME)));
                }
            }
            assertThat(node.remains()).isEmpty();
        }
        assertThat(late).isEmpty();
    }

    @Test
    void guestsOfASwitchThatIsNotRootHaveTheirLinkAndAreInOrder() throws Exception {
        try (Node node = Node.startWithSwitchOf(OVS)) {
            String classes = GuestProcess.classesIn(node.folder());
            String machine = node.newContainer();
            String application = node.newContainer();
            MacAddress applicationMac = attach(node, application);
            try (GuestProcess guest = guest(node, classes, machine, attach(node, machine), QEMU, "077");
                    // In this process, which is root with a usual umask
                    VhostUserGuest other =
                            VhostUserGuest.listen(node.workloadSocket(application, IFNAME), applicationMac)) {
                guest.awaitConnection();
                other.awaitConnection(Duration.ofSeconds(20));

                node.ovs().vsctl("wait-until", "Interface", portOf(node, machine), "link_state=up");
                node.ovs().vsctl("wait-until", "Interface", portOf(node, application), "link_state=up");
                added(node.ask(new Request.Check(node.add(machine, IFNAME).attachment())));
                assertThat(node.ask(new Request.List()))
                        .asInstanceOf(InstanceOfAssertFactories.type(Reply.Listed.class))
                        .satisfies(listed -> assertThat(listed.attachments())
                                .hasSize(2)
                                .allSatisfy(view -> assertThat(view.problem()).isEmpty()));
            }
            done(node.ask(node.delete(machine, IFNAME)));
            done(node.ask(node.delete(application, IFNAME)));
            assertThat(node.remains()).isEmpty();
        }
    }

    private static String portOf(Node node, String container) throws IOException {
        return node.row("Interface", container, IFNAME).get("name").asText();
    }

    @Test
    void folderThatTheSwitchCanNotBeLetIntoIsRefused() throws Exception {
        try (Node node = Node.startWithSwitchOf(OVS)) {
            Path sharedDir = Files.createDirectory(node.sharedRoot().resolve("ram"));
            // Has no access control lists; the node unmounts it
            Process mount = new ProcessBuilder("mount", "-t", "ramfs", "none", sharedDir.toString())
                    .inheritIO()
                    .start();
            assertThat(mount.waitFor()).isZero();
            ObjectNode network = node.network("1.1.0", "dpdk-net").put("sharedDir", sharedDir.toString());

            Reply reply = node.ask(node.add(node.newContainer(), IFNAME, network, Duration.ofSeconds(10)));

            failed(reply, ErrorCode.CONFIGURATION);
            assertThat(((Reply.Failed) reply).error().details())
                    .contains("the switch does not run as root", "access control lists");
            assertThat(sharedDir).isEmptyDirectory();
            assertThat(node.ports()).isEmpty();
            assertThat(node.mounts()).containsExactly(sharedDir);
        }
    }

    @Test
    @Tag("long")
    void guestThatComesWhileNoAgentRunsIsConnectedToWhenOneDoes() throws Exception {
        try (Node node = Node.startWithSwitchOf(OVS)) {
            String classes = GuestProcess.classesIn(node.folder());
            String container = node.newContainer();
            MacAddress mac = attach(node, container);
            node.killAgent();

            try (GuestProcess guest = guest(node, classes, container, mac, QEMU, "077")) {
                node.startAgent();

                guest.awaitConnection();
            }
            Path folder = node.workloadSocket(container, IFNAME).getParent();
            assertThat(folder).isEmptyDirectory();
            try (GuestProcess guest = guest(node, classes, container, mac, QEMU, "022")) {
                assertThat(guest.awaitConnection()).as("the next guest").isLessThan(SOON);
            }
        }
    }

    @Test
    @Tag("long")
    void libvirtsVirtualMachineNeedsNoAgent() throws Exception {
        try (Node node = Node.startWithSwitchOf(OVS)) {
            String classes = GuestProcess.classesIn(node.folder());
            String container = node.newContainer();
            MacAddress mac = attach(node, container);
            node.killAgent();

            try (GuestProcess guest = guest(node, classes, container, mac, QEMU, "002")) {
                assertThat(guest.awaitConnection()).isLessThan(SOON);
            }
        }
    }

    /**
     * What the other tests show is the agent's doing. The switch tries its disconnected ports one after the other: when it
     * has found two guests that came later, it has tried the first one.
     */
    @Test
    @Tag("long")
    void switchThatIsTakenForRootDoesNotReachAGuestThatKeepsItsSocketToItself() throws Exception {
        try (Node node = Node.startWithSwitchOf(OVS)) {
            String classes = GuestProcess.classesIn(node.folder());
            node.stopAgent();
            node.startAgent("--ovs-user=0");
            String container = node.newContainer();
            String open = node.newContainer();
            MacAddress mac = attach(node, container);
            MacAddress openMac = attach(node, open);
            // Only the socket's own rights are to keep the switch out
            Files.setPosixFilePermissions(node.runDir().resolve("p"), PosixFilePermissions.fromString("rwx--x--x"));

            try (GuestProcess guest = guest(node, classes, container, mac, QEMU, "077")) {
                for (int i = 0; i < 2; i++) {
                    try (GuestProcess witness = guest(node, classes, open, openMac, QEMU, "000")) {
                        witness.awaitConnection();
                    }
                }
                assertThat(node.row("Interface", container, IFNAME)
                                .at("/status/status")
                                .asText())
                        .isEqualTo("disconnected");

                node.stopAgent();
                node.startAgent("--ovs-user=" + OVS);

                guest.awaitConnection();
            }
        }
    }
}
