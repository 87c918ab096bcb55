package io.ovsdpdk.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.ovsdpdk.api.MacAddress;
import io.ovsdpdk.ovsdb.testbed.OvsDpdk;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.SocketTimeoutException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("long")
class VhostUserGuestTest {
    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final MacAddress MAC_A = new MacAddress("02:00:00:00:00:0a");
    private static final MacAddress MAC_B = new MacAddress("02:00:00:00:00:0b");

    @Nested
    class OnSwitch {
        @AutoClose
        private OvsDpdk ovs;

        @AutoClose
        private VhostUserGuest a;

        @AutoClose
        private VhostUserGuest b;

        @BeforeEach
        void connectTwoGuests() throws IOException {
            ovs = OvsDpdk.start();
            ovs.addBridge("br0");
            a = guest(ovs, "a", MAC_A);
            b = guest(ovs, "b", MAC_B);
            a.awaitConnection(PATIENCE);
            b.awaitConnection(PATIENCE);
        }

        @Test
        void guestsExchangeFramesBothWays() throws IOException {
            PingPong pingPong = PingPong.play(a, b, 100);

            assertThat(pingPong.completed()).isEqualTo(100);
            assertThat(pingPong.medianRoundTrip()).isPositive();
        }

        @ParameterizedTest
        @ValueSource(ints = {60, 1514})
        void framesArriveUnalteredAndInOrder(int length) throws IOException {
            PingPong.play(a, b, 1);
            List<byte[]> sent = frames(1000, length);

            assertThat(carry(a, b, sent))
                    .usingElementComparator(Arrays::compare)
                    .containsExactlyElementsOf(sent);
        }

        @Test
        void guestsComeBackAfterRestartOfSwitch() throws IOException {
            PingPong.play(a, b, 1);

            ovs.stopSwitch();
            ovs.startSwitch();
            a.awaitReconnection(PATIENCE);
            b.awaitReconnection(PATIENCE);

            assertThat(PingPong.play(a, b, 20).completed()).isEqualTo(20);
        }

        @Test
        void guestsComeBackAfterKillOfSwitch() throws IOException {
            PingPong.play(a, b, 1);

            ovs.killSwitch();
            ovs.startSwitch();
            a.awaitReconnection(PATIENCE);
            b.awaitReconnection(PATIENCE);

            assertThat(PingPong.play(a, b, 20).completed()).isEqualTo(20);
        }

        @Test
        void guestIsToldThatItsPortWasDeleted() throws IOException {
            PingPong.play(a, b, 1);

            ovs.vsctl("del-port", "br0", "a");

            assertThatThrownBy(() -> a.receive(PATIENCE)).isInstanceOf(SwitchGoneException.class);
            assertThatThrownBy(() -> a.send(TestFrame.between(a, b, 2).bytes()))
                    .isInstanceOf(SwitchGoneException.class);
            assertThat(a.connected()).isFalse();
            assertThat(b.connected()).isTrue();
        }

        @Test
        void waitingGuestIsToldThatItsSwitchWasKilled() throws Exception {
            PingPong.play(a, b, 1);
            Thread killer = Thread.ofVirtual().unstarted(this::killSwitch);

            killer.start();
            assertThatThrownBy(() -> a.receive(PATIENCE)).isInstanceOf(SwitchGoneException.class);
            killer.join();

            b.awaitDisconnection(PATIENCE);
            assertThat(b.connected()).isFalse();
        }

        private void killSwitch() {
            try {
                ovs.killSwitch();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        @Test
        void fullQueueIsReportedWhileSwitchIsSuspended() throws IOException {
            PingPong.play(a, b, 1);
            ovs.suspendSwitch();

            int queued = 0;
            while (queued < 1000 && a.send(TestFrame.between(a, b, queued).bytes())) {
                queued++;
            }
            ovs.resumeSwitch();

            assertThat(queued).isEqualTo(256);
            assertThat(PingPong.play(a, b, 5).completed()).isEqualTo(5);
        }

        @Test
        void closedGuestMakesTheLinkGoDown() throws IOException {
            PingPong.play(a, b, 1);

            a.close();

            ovs.vsctl("wait-until", "Interface", "a", "link_state=down");
            assertThat(a.path()).doesNotExist();
        }
    }

    private static VhostUserGuest guest(OvsDpdk ovs, String port, MacAddress mac) throws IOException {
        VhostUserGuest guest = VhostUserGuest.listen(ovs.folder().resolve(port + ".sock"), mac);
        ovs.vsctl(
                "add-port",
                "br0",
                port,
                "--",
                "set",
                "Interface",
                port,
                "type=dpdkvhostuserclient",
                "options:vhost-server-path=" + guest.path());
        return guest;
    }

    private static List<byte[]> frames(int count, int length) {
        return IntStream.rangeClosed(1, count)
                .mapToObj(sequence -> new TestFrame(MAC_B, MAC_A, sequence, length).bytes())
                .toList();
    }

    /** Sends the frames in bursts that the queues hold, and returns what arrived. */
    private static List<byte[]> carry(VhostUserGuest from, VhostUserGuest to, List<byte[]> frames) throws IOException {
        List<byte[]> received = new ArrayList<>();
        Deadline deadline = Deadline.after(PATIENCE);
        for (int sent = 0; sent < frames.size(); ) {
            int end = Math.min(sent + 50, frames.size());
            for (; sent < end; sent++) {
                assertThat(from.send(frames.get(sent))).isTrue();
            }
            while (received.size() < end && !deadline.passed()) {
                received.addAll(to.receive(deadline.left()));
            }
        }
        return received;
    }

    @Test
    void jumboFramesArriveUnalteredAndInOrder() throws IOException {
        try (OvsDpdk ovs = OvsDpdk.start(512)) {
            ovs.addBridge("br0");
            try (VhostUserGuest a = guest(ovs, "a", MAC_A);
                    VhostUserGuest b = guest(ovs, "b", MAC_B)) {
                ovs.vsctl(
                        "set", "Interface", "a", "mtu_request=9000", "--", "set", "Interface", "b", "mtu_request=9000");
                a.awaitConnection(PATIENCE);
                b.awaitConnection(PATIENCE);
                PingPong.play(a, b, 1);
                List<byte[]> sent = frames(200, 9014);

                assertThat(carry(a, b, sent))
                        .usingElementComparator(Arrays::compare)
                        .containsExactlyElementsOf(sent);
            }
        }
    }

    @TempDir
    private Path folder;

    @Test
    void pathThatIsTooLongIsRefused() {
        Path path = folder.resolve("x".repeat(108 - folder.toString().length() - 1));

        assertThatThrownBy(() -> VhostUserGuest.listen(path, MAC_A))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("at most 107 bytes, this one has 108");
    }

    @Test
    void pathOf107BytesIsServed() throws IOException {
        Path path = folder.resolve("x".repeat(107 - folder.toString().length() - 1));

        try (VhostUserGuest guest = VhostUserGuest.listen(path, MAC_A)) {
            assertThat(guest.path()).isEqualTo(path).exists();
        }

        assertThat(path).doesNotExist();
    }

    @Test
    void fileInTheWayIsKept() throws IOException {
        Path path = Files.writeString(folder.resolve("net1.sock"), "precious");

        assertThatThrownBy(() -> VhostUserGuest.listen(path, MAC_A)).isInstanceOf(FileAlreadyExistsException.class);

        assertThat(path).hasContent("precious");
    }

    @Test
    void waitWithoutSwitchEndsAtItsDeadline() throws IOException {
        try (VhostUserGuest guest = VhostUserGuest.listen(folder.resolve("net1.sock"), MAC_A)) {
            assertThatThrownBy(() -> guest.awaitConnection(Duration.ofMillis(50)))
                    .isInstanceOf(SocketTimeoutException.class)
                    .hasMessageContaining(guest.path().toString());
        }
    }

    @Test
    void guestLeavesNoDescriptorBehind() throws IOException {
        VhostUserGuest.listen(folder.resolve("warm-up.sock"), MAC_A).close();
        long before = descriptors();

        for (int i = 0; i < 20; i++) {
            VhostUserGuest.listen(folder.resolve("net1.sock"), MAC_A).close();
        }

        assertThat(descriptors()).isEqualTo(before);
    }

    private static long descriptors() throws IOException {
        try (var open = Files.list(Path.of("/proc/self/fd"))) {
            return open.count();
        }
    }
}
