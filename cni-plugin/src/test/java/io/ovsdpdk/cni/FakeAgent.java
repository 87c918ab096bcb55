package io.ovsdpdk.cni;

import io.ovsdpdk.api.Attached;
import io.ovsdpdk.api.AttachmentView;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.MacAddress;
import io.ovsdpdk.api.NodeView;
import io.ovsdpdk.api.OrphanReport;
import io.ovsdpdk.api.Reply;
import io.ovsdpdk.api.Request;
import io.ovsdpdk.api.Wire;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;

/** An agent on a real socket that makes nothing, remembers what it is asked, and misbehaves when told to. */
final class FakeAgent implements AutoCloseable {
    static final MacAddress MAC = new MacAddress("02:00:5e:10:00:01");
    static final String SOCKET_PATH = "/var/lib/cni/usrspcni/0123456789ab/net1.sock";

    /** What happens on one connection after its request. */
    interface Turn {
        void take(Request request, SocketChannel connection) throws IOException;
    }

    private final ServerSocketChannel server;
    private final Thread thread;
    private final List<Request> requests = new CopyOnWriteArrayList<>();
    private final List<SocketChannel> held = new CopyOnWriteArrayList<>();
    private final Queue<Turn> turns = new ConcurrentLinkedQueue<>();
    private volatile OptionalInt mtu = OptionalInt.of(9000);
    private volatile List<AttachmentView> attachments = List.of();
    private volatile OrphanReport orphans = new OrphanReport(List.of(), 300, "");
    private volatile NodeView node =
            new NodeView("1", "3.1", "DPDK 22.11", true, 3, 1024, 2, 0, "full", Optional.empty(), 0, "", "");

    FakeAgent(Path socket) throws IOException {
        server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        server.bind(UnixDomainSocketAddress.of(socket));
        thread = Thread.ofVirtual().name("fake agent").start(this::serve);
    }

    /** What it was asked, in that order. */
    List<Request> requests() {
        return requests;
    }

    /** The same, as names of operations. */
    List<String> operations() {
        return requests.stream()
                .map(request -> request.getClass().getSimpleName())
                .toList();
    }

    FakeAgent withoutMtu() {
        mtu = OptionalInt.empty();
        return this;
    }

    /** What it lists from now on. */
    void has(AttachmentView... views) {
        attachments = List.of(views);
    }

    /** What it finds of orphans from now on. */
    void finds(OrphanReport report) {
        orphans = report;
    }

    /** How its node is from now on. */
    void is(NodeView view) {
        node = view;
    }

    /** The next connections go this way; those after them are served properly. */
    FakeAgent then(Turn... next) {
        turns.addAll(List.of(next));
        return this;
    }

    static Turn reply(Reply reply) {
        return say(new String(Wire.encode(reply), StandardCharsets.UTF_8));
    }

    static Turn fail(ErrorCode code, String message) {
        return reply(new Reply.Failed(new CniException(code, message, "details of " + code)));
    }

    static Turn say(String text) {
        return (request, connection) -> {
            ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
            try (connection) {
                while (bytes.hasRemaining()) {
                    connection.write(bytes);
                }
            } catch (IOException e) {
                // The plugin had enough
                return;
            }
        };
    }

    Turn silence() {
        return (request, connection) -> held.add(connection);
    }

    Turn properly() {
        return (request, connection) -> say(new String(Wire.encode(answer(request)), StandardCharsets.UTF_8))
                .take(request, connection);
    }

    static Attached attached(String ifname, String sandbox, OptionalInt mtu, String ipam) {
        try {
            return new Attached(
                    ifname,
                    sandbox,
                    MAC,
                    mtu,
                    SOCKET_PATH,
                    Json.readObject("test data", ipam.getBytes(StandardCharsets.UTF_8)));
        } catch (CniException e) {
            throw new IllegalArgumentException(e);
        }
    }

    private Reply answer(Request request) {
        return switch (request) {
            case Request.Announce ignored -> new Reply.Announced(Optional.empty());
            case Request.Add add ->
                new Reply.Added(new Attached(
                        add.attachment().id().ifname(), add.attachment().sandbox(), MAC, mtu, SOCKET_PATH, add.ipam()));
            case Request.Check check ->
                new Reply.Added(new Attached(
                        check.attachment().id().ifname(),
                        check.attachment().sandbox(),
                        MAC,
                        mtu,
                        SOCKET_PATH,
                        Json.object()));
            case Request.Delete ignored -> new Reply.Done();
            case Request.Collect ignored -> new Reply.Done();
            case Request.CollectOrphans ignored -> new Reply.Orphans(orphans);
            case Request.Status ignored -> new Reply.Done();
            case Request.Ready ignored -> new Reply.Done();
            case Request.List ignored -> new Reply.Listed(attachments);
            case Request.Inspect ignored -> new Reply.Inspected(node);
        };
    }

    private void serve() {
        try {
            while (true) {
                SocketChannel connection = server.accept();
                Request request = Wire.decodeRequest(line(connection));
                requests.add(request);
                Turn turn = turns.poll();
                (turn == null ? properly() : turn).take(request, connection);
            }
        } catch (IOException e) {
            // Closed: the test is over
            return;
        } catch (CniException e) {
            throw new IllegalStateException(e);
        }
    }

    private static byte[] line(SocketChannel connection) throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        ByteBuffer chunk = ByteBuffer.allocate(1 << 16);
        while (connection.read(chunk) >= 0) {
            line.write(chunk.array(), 0, chunk.position());
            if (chunk.position() > 0 && chunk.get(chunk.position() - 1) == '\n') {
                break;
            }
            chunk.clear();
        }
        return line.toByteArray();
    }

    @Override
    public void close() {
        try {
            server.close();
            // Only then nobody listens any more
            thread.join(Duration.ofSeconds(5));
            for (SocketChannel connection : held) {
                connection.close();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
