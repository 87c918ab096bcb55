package io.ovsdpdk.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.Reply;
import io.ovsdpdk.api.Request;
import io.ovsdpdk.api.Wire;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** With real sockets; the clients are java.nio's, as the plugin is. */
class AgentServerTest {
    private static final Request STATUS = new Request.Status();
    private static final Duration LONG = Duration.ofSeconds(30);
    private static final Duration SHORT = Duration.ofMillis(300);

    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
    private final CountDownLatch goOn = new CountDownLatch(1);
    private final AtomicInteger asked = new AtomicInteger();
    private Path folder;
    private AgentServer server;

    @BeforeEach
    void makeFolder() throws Exception {
        folder = Files.createTempDirectory(Path.of("/tmp"), "s");
    }

    @AfterEach
    void close() throws Exception {
        goOn.countDown();
        threads.shutdownNow();
        if (server != null) {
            server.close();
        }
        TestAgent.run("rm", "-r", folder.toString());
    }

    private Path socket() {
        return folder.resolve("agent.sock");
    }

    private static Set<Integer> ourselves() throws IOException {
        return Set.of((int) Files.getAttribute(Path.of("/proc/self"), "unix:uid"));
    }

    private void serve(Duration receive, Duration send, Function<Request, Reply> handler) throws IOException {
        server = new AgentServer(socket(), ourselves(), receive, send, request -> {
            asked.incrementAndGet();
            return handler.apply(request);
        });
        server.start();
    }

    private void serve(Function<Request, Reply> handler) throws IOException {
        serve(LONG, LONG, handler);
    }

    private Reply waitAndConfirm(Request request) {
        try {
            goOn.await();
            return new Reply.Done();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return new Reply.Failed(new CniException(ErrorCode.TRY_AGAIN, "interrupted"));
        }
    }

    private SocketChannel connect() throws IOException {
        return SocketChannel.open(UnixDomainSocketAddress.of(socket()));
    }

    private static void send(SocketChannel client, byte[] bytes) throws IOException {
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        while (buffer.hasRemaining()) {
            client.write(buffer);
        }
    }

    /** Everything until the server closes the connection. */
    private static byte[] readAll(SocketChannel client) throws IOException {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        ByteBuffer buffer = ByteBuffer.allocate(8192);
        while (client.read(buffer.clear()) >= 0) {
            all.write(buffer.array(), 0, buffer.position());
        }
        return all.toByteArray();
    }

    private Reply ask(Request request) throws Exception {
        try (SocketChannel client = connect()) {
            send(client, Wire.encode(request));
            return Wire.decodeReply(readAll(client));
        }
    }

    private static void assertFailed(ErrorCode code, String words, byte[] reply) throws CniException {
        assertThat(Wire.decodeReply(reply)).isInstanceOfSatisfying(Reply.Failed.class, failed -> {
            assertThat(failed.error()).hasMessageContaining(words);
            assertThat(failed.error().code()).isEqualTo(code.code());
        });
    }

    /** Files are the JVM's own. */
    private static long openSockets() throws IOException {
        try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
            return open.filter(AgentServerTest::isSocket).count();
        }
    }

    private static boolean isSocket(Path descriptor) {
        try {
            return Files.readSymbolicLink(descriptor).toString().startsWith("socket:");
        } catch (IOException e) {
            return false; // closed by now
        }
    }

    @Test
    void requestIsAnswered() throws Exception {
        List<Request> seen = new ArrayList<>();
        serve(request -> {
            seen.add(request);
            return new Reply.Done();
        });
        Request request = new Request.Delete(new AttachmentId("c", "net1"));

        assertThat(ask(request)).isEqualTo(new Reply.Done());

        assertThat(seen).containsExactly(request);
    }

    @Test
    void socketIsItsOwnersAlone() throws Exception {
        serve(_ -> new Reply.Done());

        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(socket())))
                .isEqualTo("rw-------");
    }

    @Test
    void socketOfADeadAgentIsReplaced() throws Exception {
        try (var dead = java.nio.channels.ServerSocketChannel.open(java.net.StandardProtocolFamily.UNIX)) {
            dead.bind(UnixDomainSocketAddress.of(socket()));
        }
        assertThat(socket()).exists();

        serve(_ -> new Reply.Done());

        assertThat(ask(STATUS)).isEqualTo(new Reply.Done());
    }

    @Test
    void otherUsersAreRefusedWithoutAnAnswer() throws Exception {
        server = new AgentServer(socket(), Set.of(4711), LONG, LONG, _ -> {
            asked.incrementAndGet();
            return new Reply.Done();
        });
        server.start();

        try (SocketChannel client = connect()) {
            assertThat(readAll(client)).isEmpty();
        }

        assertThat(asked).hasValue(0);
        assertThat(server.connections()).isZero();
    }

    @Test
    void silentClientsDoNotDelayOthersAndAreCutOff() throws Exception {
        serve(SHORT, LONG, _ -> new Reply.Done());
        List<SocketChannel> silent = new ArrayList<>();
        for (int i = 0; i < 16; i++) {
            silent.add(connect());
        }
        await().until(() -> server.connections() == 16);

        assertThat(ask(STATUS)).isEqualTo(new Reply.Done());

        for (SocketChannel client : silent) {
            assertThat(readAll(client)).isEmpty();
            client.close();
        }
        await().until(() -> server.connections() == 0);
    }

    @Test
    void clientThatTricklesIsCutOffToo() throws Exception {
        serve(SHORT, LONG, _ -> new Reply.Done());
        try (SocketChannel client = connect()) {
            send(client, "{".getBytes(StandardCharsets.US_ASCII));
            await().pollInterval(Duration.ofMillis(20)).until(() -> {
                try {
                    send(client, " ".getBytes(StandardCharsets.US_ASCII));
                    return false;
                } catch (IOException e) {
                    return true;
                }
            });
        }

        await().until(() -> server.connections() == 0);
        assertThat(asked).hasValue(0);
    }

    @Test
    void requestInPiecesIsPutTogether() throws Exception {
        serve(_ -> new Reply.Done());
        byte[] line = Wire.encode(STATUS);

        try (SocketChannel client = connect()) {
            for (byte piece : line) {
                send(client, new byte[] {piece});
            }
            assertThat(Wire.decodeReply(readAll(client))).isEqualTo(new Reply.Done());
        }
    }

    @Test
    void halfALineIsADecodingError() throws Exception {
        serve(_ -> new Reply.Done());

        try (SocketChannel client = connect()) {
            send(client, "{\"op\":".getBytes(StandardCharsets.US_ASCII));
            client.shutdownOutput();
            assertFailed(ErrorCode.DECODING, "ends before its line does", readAll(client));
        }
    }

    @Test
    void secondLineIsADecodingError() throws Exception {
        serve(_ -> new Reply.Done());

        try (SocketChannel client = connect()) {
            send(client, "{}\n{}\n".getBytes(StandardCharsets.US_ASCII));
            assertFailed(ErrorCode.DECODING, "behind the request's line", readAll(client));
        }
        assertThat(asked).hasValue(0);
    }

    @Test
    void clientThatLeavesWithoutAWordHarmsNobody() throws Exception {
        serve(_ -> new Reply.Done());

        connect().close();

        await().until(() -> server.connections() == 0);
        assertThat(ask(STATUS)).isEqualTo(new Reply.Done());
    }

    @Test
    void requestOfExactlyTheLimitIsRead() throws Exception {
        serve(_ -> new Reply.Done());
        byte[] line = new byte[Json.MAX_BYTES + 1];
        java.util.Arrays.fill(line, (byte) ' ');
        byte[] status = Wire.encode(STATUS);
        System.arraycopy(status, 0, line, 0, status.length - 1);
        line[Json.MAX_BYTES] = '\n';

        try (SocketChannel client = connect()) {
            send(client, line);
            assertThat(Wire.decodeReply(readAll(client))).isEqualTo(new Reply.Done());
        }
    }

    @Test
    void requestOverTheLimitIsRefused() throws Exception {
        serve(_ -> new Reply.Done());

        try (SocketChannel client = connect()) {
            Future<?> sent = threads.submit(() -> {
                send(client, new byte[4 * Json.MAX_BYTES]);
                return null;
            });
            byte[] reply = readUntilLineFeed(client);
            assertFailed(ErrorCode.DECODING, "more than 1048576 bytes", reply);
            assertThat(sent).failsWithin(Duration.ofSeconds(5));
        }
        await().until(() -> server.connections() == 0);
    }

    /** The server closes with data unread, which the client sees as a reset behind the reply. */
    private static byte[] readUntilLineFeed(SocketChannel client) throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        ByteBuffer one = ByteBuffer.allocate(1);
        while (client.read(one.clear()) > 0 && one.get(0) != '\n') {
            line.write(one.get(0));
        }
        return line.toByteArray();
    }

    @Test
    void oneTooManyIsToldToComeAgain() throws Exception {
        serve(this::waitAndConfirm);
        List<SocketChannel> busy = new ArrayList<>();
        for (int i = 0; i < AgentServer.SLOTS; i++) {
            SocketChannel client = connect();
            send(client, Wire.encode(STATUS));
            busy.add(client);
        }
        await().until(() -> server.connections() == AgentServer.SLOTS);

        try (SocketChannel client = connect()) {
            assertFailed(ErrorCode.TRY_AGAIN, "serving 256 requests", readUntilLineFeed(client));
        }

        goOn.countDown();
        for (SocketChannel client : busy) {
            assertThat(Wire.decodeReply(readAll(client))).isEqualTo(new Reply.Done());
            client.close();
        }
        assertThat(ask(STATUS)).isEqualTo(new Reply.Done());
    }

    private static Reply large() {
        return new Reply.Failed(new CniException(ErrorCode.TRY_AGAIN, "x".repeat(8 * Json.MAX_BYTES)));
    }

    @Test
    void clientThatDoesNotReadItsReplyIsCutOff() throws Exception {
        serve(LONG, SHORT, _ -> large());

        try (SocketChannel client = connect()) {
            send(client, Wire.encode(STATUS));

            await().until(() -> asked.get() == 1 && server.connections() == 0);
        }
    }

    @Test
    void clientThatReadsItsReplyTooSlowlyIsCutOff() throws Exception {
        serve(LONG, SHORT, _ -> large());

        try (SocketChannel client = connect()) {
            send(client, Wire.encode(STATUS));
            ByteBuffer some = ByteBuffer.allocate(64 * 1024);
            await().atMost(Duration.ofSeconds(2))
                    .pollInterval(Duration.ofMillis(50))
                    .until(() -> {
                        client.read(some.clear());
                        return server.connections() == 0;
                    });
        }
    }

    @Test
    void bugInTheHandlerIsToldAndTheServerServesOn() throws Exception {
        serve(_ -> {
            if (asked.get() == 1) {
                throw new IllegalStateException("oops");
            }
            return new Reply.Done();
        });

        try (SocketChannel client = connect()) {
            send(client, Wire.encode(STATUS));
            assertFailed(ErrorCode.INTERNAL, "oops", readAll(client));
        }

        assertThat(ask(STATUS)).isEqualTo(new Reply.Done());
    }

    @Test
    void stopFinishesWhatIsUnderWayAndCutsOffTheSilent() throws Exception {
        serve(this::waitAndConfirm);
        try (SocketChannel silent = connect();
                SocketChannel working = connect()) {
            send(working, Wire.encode(STATUS));
            await().until(() -> asked.get() == 1 && server.connections() == 2);

            Future<Boolean> stopped = threads.submit(() -> server.stop(LONG));
            assertThat(readAll(silent)).isEmpty();
            await().until(() -> !Files.exists(socket()));
            goOn.countDown();

            assertThat(Wire.decodeReply(readAll(working))).isEqualTo(new Reply.Done());
            assertThat(stopped.get()).isTrue();
        }
    }

    @Test
    void stopGivesUpAfterItsGrace() throws Exception {
        serve(this::waitAndConfirm);
        try (SocketChannel working = connect()) {
            send(working, Wire.encode(STATUS));
            await().until(() -> asked.get() == 1);

            assertThat(server.stop(Duration.ofMillis(50))).isFalse();

            server.close();
            assertThat(working.read(ByteBuffer.allocate(1))).isEqualTo(-1);
        }
    }

    /** Descriptors that were the server's are others' after that. */
    @Test
    void closingAfterAStopWritesIntoNothingOfOthers() throws Exception {
        serve(_ -> new Reply.Done());
        server.stop(LONG);
        List<FileChannel> others = new ArrayList<>();
        try {
            for (int i = 0; i < 100; i++) {
                others.add(FileChannel.open(
                        folder.resolve("other" + i), StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE));
            }

            server.close();

            for (FileChannel other : others) {
                assertThat(other.size()).isZero();
            }
        } finally {
            for (FileChannel other : others) {
                other.close();
            }
        }
    }

    @Test
    void nothingLeaksOverManyConnections() throws Exception {
        serve(_ -> new Reply.Done());
        ask(STATUS);
        long before = openSockets();
        List<Future<?>> clients = new ArrayList<>();
        for (int i = 0; i < 500; i++) {
            int kind = i % 4;
            clients.add(threads.submit(() -> {
                try (SocketChannel client = connect()) {
                    switch (kind) {
                        case 0 -> client.shutdownOutput();
                        case 1 -> send(client, "nonsense\n".getBytes(StandardCharsets.US_ASCII));
                        default -> send(client, Wire.encode(STATUS));
                    }
                    return kind == 3 ? new byte[0] : readUntilLineFeed(client);
                }
            }));
            if (i % 100 == 99) {
                for (Future<?> client : clients) {
                    client.get();
                }
            }
        }

        await().until(() -> server.connections() == 0);
        await().untilAsserted(() -> assertThat(openSockets()).isLessThanOrEqualTo(before));
    }
}
