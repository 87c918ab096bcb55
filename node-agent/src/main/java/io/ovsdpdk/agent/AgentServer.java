package io.ovsdpdk.agent;

import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.Reply;
import io.ovsdpdk.api.Request;
import io.ovsdpdk.api.Wire;
import io.ovsdpdk.ovsdb.Deadline;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import jnr.enxio.channels.NativeSelectorProvider;
import jnr.unixsocket.Credentials;
import jnr.unixsocket.UnixServerSocketChannel;
import jnr.unixsocket.UnixSocketAddress;
import jnr.unixsocket.UnixSocketChannel;
import jnr.unixsocket.UnixSocketOptions;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Serves the plugin on a unix socket: one request line and one reply line a connection.
 *
 * <p>Threads: one accepts. Reading a request and writing a reply happen on platform threads, one for each connection
 * that is being read or written, because a blocking call of jnr would pin the carrier of a virtual thread: two silent
 * clients would stop a machine of two cores. What a request asks for is done on a virtual thread of its own. A slot is
 * taken for each connection from accept to close, and there are {@value #SLOTS}; who comes when all are taken is told
 * to come again.
 */
final class AgentServer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(AgentServer.class);

    /** Twice what a node can start at once (kubelet's 110 pods), and a bound for threads and memory. */
    private static final int SLOTS = 256;

    /** The longest a thread sits in a read, in milliseconds, before it looks whether the server is stopping. */
    private static final int READ_SLICE_MILLIS = 250;

    private static final Duration SEND_TIMEOUT = Duration.ofSeconds(10);

    private final Path socket;
    private final Set<Integer> allowedUids;
    private final Duration receiveTimeout;
    private final Function<Request, Reply> handler;

    private final Semaphore slots = new Semaphore(SLOTS);
    private final ExecutorService io = Executors.newCachedThreadPool(
            Thread.ofPlatform().name("agent-io-", 1).daemon().factory());
    private final ExecutorService requests = Executors.newThreadPerTaskExecutor(
            Thread.ofVirtual().name("request-", 1).factory());
    private final Selector selector;
    private final UnixServerSocketChannel server;
    private final Thread acceptor = Thread.ofPlatform().name("agent-accept").unstarted(this::accept);
    private volatile boolean stopping;

    /**
     * Binds the socket, in place of one that a dead agent left. The caller made sure that no other agent lives.
     *
     * @param socket in a folder that only root can enter: a fresh socket is open to all for a moment
     * @param allowedUids who may ask, by the numeric user ID of the peer's process
     * @param receiveTimeout within which a client must have sent its whole request
     * @param handler fulfils a request; called on a virtual thread
     * @throws IOException when the socket can't be bound
     */
    AgentServer(Path socket, Set<Integer> allowedUids, Duration receiveTimeout, Function<Request, Reply> handler)
            throws IOException {
        this.socket = socket;
        this.allowedUids = Set.copyOf(allowedUids);
        this.receiveTimeout = receiveTimeout;
        this.handler = handler;
        Files.deleteIfExists(socket);
        server = UnixServerSocketChannel.open();
        try {
            server.socket().bind(new UnixSocketAddress(socket.toFile()), 1024);
            Files.setPosixFilePermissions(socket, PosixFilePermissions.fromString("rw-------"));
            server.configureBlocking(false);
            selector = NativeSelectorProvider.getInstance().openSelector();
            server.register(selector, SelectionKey.OP_ACCEPT);
        } catch (IOException e) {
            server.close();
            throw e;
        }
    }

    void start() {
        acceptor.start();
    }

    private void accept() {
        while (!stopping) {
            try {
                selector.select();
                selector.selectedKeys().clear();
                UnixSocketChannel client;
                while (!stopping && (client = server.accept()) != null) {
                    welcome(client);
                }
            } catch (IOException | RuntimeException e) {
                // out of descriptors, most likely: those in use come back, so go on
                LOG.warn("could not accept a connection: {}", e.toString());
            }
        }
    }

    private void welcome(UnixSocketChannel client) throws IOException {
        try {
            client.configureBlocking(true);
            Credentials peer = client.getOption(UnixSocketOptions.SO_PEERCRED);
            if (!allowedUids.contains(peer.getUid())) {
                LOG.warn("refused a connection: peer uid={} pid={} is not allowed", peer.getUid(), peer.getPid());
                client.close();
                return;
            }
            client.setOption(UnixSocketOptions.SO_SNDTIMEO, (int) SEND_TIMEOUT.toMillis());
            client.setOption(UnixSocketOptions.SO_RCVTIMEO, READ_SLICE_MILLIS);
            if (slots.tryAcquire()) {
                io.execute(() -> receive(client));
            } else {
                LOG.warn("refused a connection: {} are being served", SLOTS);
                // fits the empty buffer of a fresh socket: does not block
                write(
                        client,
                        new Reply.Failed(new CniException(
                                ErrorCode.TRY_AGAIN,
                                "the agent is serving " + SLOTS + " requests already",
                                "try again")));
                client.close();
            }
        } catch (IOException | RuntimeException e) {
            client.close();
            throw e;
        }
    }

    private void receive(UnixSocketChannel client) {
        Request request;
        try {
            request = Wire.decodeRequest(readLine(client));
        } catch (CniException e) {
            LOG.warn("refused a request: {}", e.getMessage());
            answer(client, new Reply.Failed(e));
            return;
        } catch (IOException e) {
            LOG.warn("lost a connection before its request came: {}", e.getMessage());
            close(client);
            return;
        } catch (RuntimeException | Error e) {
            answer(client, bug(e));
            return;
        }
        requests.execute(() -> {
            Reply reply;
            try {
                reply = handler.apply(request);
            } catch (RuntimeException | Error e) {
                reply = bug(e);
            }
            Reply result = reply;
            io.execute(() -> answer(client, result));
        });
    }

    private static Reply bug(Throwable e) {
        LOG.error("a bug in the agent", e);
        return new Reply.Failed(new CniException(ErrorCode.INTERNAL, "a bug in the agent: " + e, "please report it"));
    }

    /**
     * @throws CniException {@link ErrorCode#DECODING} when there is more or less than one line of bearable length
     * @throws IOException when the client is silent for too long, goes away, or the server stops
     */
    private byte[] readLine(UnixSocketChannel client) throws IOException, CniException {
        Deadline deadline = Deadline.after(receiveTimeout);
        ByteBuffer buffer = ByteBuffer.allocate(8192);
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        while (true) {
            int read = client.read(buffer.clear());
            if (read < 0) {
                if (line.size() == 0) {
                    throw new IOException("the client closed it");
                }
                throw new CniException(ErrorCode.DECODING, "the request ends before its line does");
            }
            if (stopping) {
                throw new IOException("the agent is stopping");
            }
            if (read == 0 && deadline.expired()) {
                throw new IOException("no whole request within " + receiveTimeout.toMillis() + " ms");
            }
            for (int i = 0; i < read; i++) {
                if (buffer.get(i) == '\n') {
                    line.write(buffer.array(), 0, i);
                    if (i != read - 1) {
                        throw new CniException(ErrorCode.DECODING, "there is something behind the request's line");
                    }
                    return line.toByteArray();
                }
            }
            line.write(buffer.array(), 0, read);
            if (line.size() > Json.MAX_BYTES) {
                throw new CniException(
                        ErrorCode.DECODING, "the request has more than " + Json.MAX_BYTES + " bytes, the limit");
            }
            if (deadline.expired()) {
                throw new IOException("no whole request within " + receiveTimeout.toMillis() + " ms");
            }
        }
    }

    private void answer(UnixSocketChannel client, Reply reply) {
        try {
            write(client, reply);
        } catch (IOException | RuntimeException e) {
            // the runtime gave up on the plugin: what was made stays until its DEL comes
            LOG.warn("could not deliver a reply: {}", e.getMessage());
        } finally {
            close(client);
        }
    }

    private static void write(UnixSocketChannel client, Reply reply) throws IOException {
        Deadline deadline = Deadline.after(SEND_TIMEOUT);
        ByteBuffer bytes = ByteBuffer.wrap(Wire.encode(reply));
        while (bytes.hasRemaining()) {
            if (client.write(bytes) <= 0 && deadline.expired()) {
                throw new IOException("the client does not read its reply");
            }
        }
    }

    private void close(UnixSocketChannel client) {
        try {
            client.close();
        } catch (IOException e) {
            LOG.warn("could not close a connection: {}", e.getMessage());
        } finally {
            slots.release();
        }
    }

    /** Connections that are being served now. */
    int connections() {
        return SLOTS - slots.availablePermits();
    }

    /**
     * Takes no more requests and waits for those under way.
     *
     * @return false when some were still under way after {@code grace}
     */
    boolean stop(Duration grace) throws IOException, InterruptedException {
        stopping = true;
        selector.wakeup();
        acceptor.join();
        server.close();
        selector.close();
        Files.deleteIfExists(socket);
        return slots.tryAcquire(SLOTS, grace.toMillis(), TimeUnit.MILLISECONDS);
    }

    @Override
    public void close() throws IOException {
        try {
            stop(Duration.ZERO);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        io.shutdownNow();
        requests.shutdownNow();
    }
}
