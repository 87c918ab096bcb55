package io.ovsdpdk.ovsdb;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * Something on a unix socket that a client takes for ovsdb-server, to do what a real one won't.
 *
 * <p>It answers a client's first three requests as a real one with an empty database does; a test changes that by
 * {@link #on}. Every message of a client is kept for {@link #received}. One virtual thread for each connection.
 */
final class FakeOvsdbServer implements AutoCloseable {

    /** What it does when a request comes. */
    interface Reaction {
        void to(JsonNode request, Peer peer) throws IOException;
    }

    /** One connected client. */
    record Peer(SocketChannel channel) {

        void send(String text) throws IOException {
            ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
        }

        void answer(JsonNode request, String result) throws IOException {
            send("{\"id\":" + request.get("id") + ",\"result\":" + result + ",\"error\":null}");
        }
    }

    static final String INITIAL =
            "{\"Open_vSwitch\":{\"00000000-0000-4000-8000-000000000001\":{\"initial\":{\"next_cfg\":7}}}}";

    private static final ObjectMapper JSON = new ObjectMapper();

    private final Path folder;
    private final ServerSocketChannel listener;
    private final Map<String, Reaction> reactions = new ConcurrentHashMap<>();
    private final BlockingQueue<JsonNode> received = new LinkedBlockingQueue<>();
    private final BlockingQueue<Peer> peers = new LinkedBlockingQueue<>();
    private final List<SocketChannel> channels = new CopyOnWriteArrayList<>();

    FakeOvsdbServer() throws IOException {
        folder = Files.createTempDirectory("ovsdb-fake");
        ObjectNode schema = (ObjectNode) JSON.readTree(
                Path.of("/usr/share/openvswitch/vswitch.ovsschema").toFile());
        on("get_schema", (request, peer) -> peer.answer(request, schema.toString()));
        on("set_db_change_aware", (request, peer) -> peer.answer(request, "{}"));
        on("monitor_cond_since", (request, peer) -> peer.answer(request, monitored(INITIAL)));
        on("echo", (request, peer) -> peer.answer(request, request.get("params").toString()));
        listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        listener.bind(UnixDomainSocketAddress.of(socket()));
        Thread.ofVirtual().start(this::accept);
    }

    static String monitored(String tables) {
        return "[false,\"00000000-0000-0000-0000-000000000000\"," + tables + "]";
    }

    static String update(String tables) {
        return "{\"id\":null,\"method\":\"update3\",\"params\":[\"replica\",\"00000000-0000-0000-0000-000000000000\","
                + tables + "]}";
    }

    Path socket() {
        return folder.resolve("db.sock");
    }

    void on(String method, Reaction reaction) {
        reactions.put(method, reaction);
    }

    /** Each connection in the order of acceptance, once. */
    Peer nextPeer() throws InterruptedException {
        return peers.poll(10, TimeUnit.SECONDS);
    }

    /** The next message of that method (or null for an answer); what came before it is passed over. */
    JsonNode received(String method) throws InterruptedException {
        while (true) {
            JsonNode message = received.poll(10, TimeUnit.SECONDS);
            if (message == null) {
                throw new AssertionError("no " + method + " came");
            }
            if (message.path("method").asText().equals(method)) {
                return message;
            }
        }
    }

    private void accept() {
        try {
            while (true) {
                SocketChannel channel = listener.accept();
                channels.add(channel);
                Peer peer = new Peer(channel);
                peers.add(peer);
                Thread.ofVirtual().start(() -> serve(peer));
            }
        } catch (IOException e) {
            // Closed: the test is over
        }
    }

    private void serve(Peer peer) {
        try (MappingIterator<JsonNode> messages =
                JSON.readerFor(JsonNode.class).readValues(Channels.newInputStream(peer.channel()))) {
            while (messages.hasNextValue()) {
                JsonNode message = messages.nextValue();
                received.add(message);
                Reaction reaction = reactions.get(message.path("method").asText());
                if (reaction != null) {
                    reaction.to(message, peer);
                }
            }
        } catch (IOException e) {
            // The client went away, which is what many tests are about
        }
    }

    @Override
    public void close() throws IOException {
        listener.close();
        for (SocketChannel channel : channels) {
            channel.close();
        }
        Files.deleteIfExists(socket());
        Files.delete(folder);
    }
}
