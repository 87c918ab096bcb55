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
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
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
 * <p>Threads: one accepts. It serves whom it accepted, while another one goes on accepting: so nobody waits for a thread to
 * wake up. They are platform threads, because a blocking call of jnr would pin the carrier of a virtual thread: two silent
 * clients would stop a machine of two cores. A slot is taken for each connection from accept to close, and there are
 * {@value #SLOTS}; who comes when all are taken is told to come again.
 */
final class AgentServer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(AgentServer.class);

    /** Twice what a node can start at once (kubelet's 110 pods), and a bound for threads and memory. */
    static final int SLOTS = 256;

    /** The longest a thread sits in a read or write before it looks whether time is up, or the server stopping. */
    private static final int SLICE_MILLIS = 250;

    /** As much as one packet of the kernel's holds: a write of more begins to wait anew with each. */
    private static final int SLICE_BYTES = 16 * 1024;

    private static final int ACCEPT_PAUSE_MILLIS = 100;

    /** For a whole reply, however slowly the client reads. */
    static final Duration SEND_TIMEOUT = Duration.ofSeconds(10);

    private final Path socket;
    private final Set<Integer> allowedUids;
    private final Duration receiveTimeout;
    private final Duration sendTimeout;
    private final Function<Request, Reply> handler;

    private final Semaphore slots = new Semaphore(SLOTS);
    private final ExecutorService connections = Executors.newCachedThreadPool(
            Thread.ofPlatform().name("request-", 1).daemon().factory());
    private final Selector selector;
    private final UnixServerSocketChannel server;
    /** Whoever accepts has it, from the start to the end. */
    private final Semaphore accepting = new Semaphore(1);

    /** Zero once no more requests are taken. */
    private final CountDownLatch stopping = new CountDownLatch(1);

    /**
     * Binds the socket, in place of one that a dead agent left. The caller made sure that no other agent lives.
     *
     * @param socket in a folder that only root can enter: a fresh socket is open to all for a moment
     * @param allowedUids who may ask, by the numeric user ID of the peer's process
     * @param receiveTimeout within which a client must have sent its whole request
     * @param sendTimeout within which it must have read its reply
     * @param handler fulfils a request; called on the connection's thread
     * @throws IOException when the socket can't be bound
     */
    AgentServer(
            Path socket,
            Set<Integer> allowedUids,
            Duration receiveTimeout,
            Duration sendTimeout,
            Function<Request, Reply> handler)
            throws IOException {
        this.socket = socket;
        this.allowedUids = Set.copyOf(allowedUids);
        this.receiveTimeout = receiveTimeout;
        this.sendTimeout = sendTimeout;
        this.handler = handler;
        Files.deleteIfExists(socket);
        selector = NativeSelectorProvider.getInstance().openSelector();
        server = UnixServerSocketChannel.open();
        try {
            server.socket().bind(new UnixSocketAddress(socket.toFile()), 1024);
            Files.setPosixFilePermissions(socket, PosixFilePermissions.fromString("rw-------"));
            server.configureBlocking(false);
            server.register(selector, SelectionKey.OP_ACCEPT);
        } catch (IOException | RuntimeException e) {
            server.close();
            selector.close();
            throw e;
        }
    }

    void start() {
        accepting.acquireUninterruptibly();
        connections.execute(this::accept);
    }

    private void accept() {
        while (stopping.getCount() > 0) {
            try {
                selector.select();
                selector.selectedKeys().clear();
                UnixSocketChannel client;
                while (stopping.getCount() > 0 && (client = server.accept()) != null) {
                    if (isWelcome(client) && isRelieved(client)) {
                        converse(client);
                        return;
                    }
                }
            } catch (IOException | RuntimeException | OutOfMemoryError e) {
                // Out of descriptors, most likely: those in use come back, and asking at once would only burn the core
                LOG.warn("could not accept a connection: {}", e.toString());
                pause();
            }
        }
        accepting.release();
    }

    private void pause() {
        try {
            stopping.await(ACCEPT_PAUSE_MILLIS, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /**
     * Never throws: what one client does must not keep others from being served.
     *
     * @return whether it has a slot; otherwise it is closed
     */
    private boolean isWelcome(UnixSocketChannel client) {
        try {
            client.configureBlocking(true);
            Credentials peer = client.getOption(UnixSocketOptions.SO_PEERCRED);
            if (!allowedUids.contains(peer.getUid())) {
                LOG.warn("refused a connection: peer uid={} pid={} is not allowed", peer.getUid(), peer.getPid());
                client.close();
                return false;
            }
            client.setOption(UnixSocketOptions.SO_SNDTIMEO, SLICE_MILLIS);
            client.setOption(UnixSocketOptions.SO_RCVTIMEO, SLICE_MILLIS);
            if (slots.tryAcquire()) {
                return true;
            }
            LOG.warn("refused a connection: {} are being served", SLOTS);
            // fits the empty buffer of a fresh socket: does not block
            write(client, new Reply.Failed(busy("the agent is serving " + SLOTS + " requests already")));
            client.close();
        } catch (IOException | RuntimeException e) {
            LOG.warn("lost a connection as it came: {}", e.toString());
            closeQuietly(client);
        }
        return false;
    }

    private static CniException busy(String why) {
        return new CniException(ErrorCode.TRY_AGAIN, why, "try again");
    }

    /**
     * Has another thread go on accepting. There may be none: kubelet limits a container's processes.
     *
     * @return whether there was one; otherwise the client, which has a slot, is closed
     */
    private boolean isRelieved(UnixSocketChannel client) {
        try {
            connections.execute(this::accept);
            return true;
        } catch (RejectedExecutionException | OutOfMemoryError e) {
            LOG.warn("no thread for a connection: {}", e.toString());
            close(client);
            return false;
        }
    }

    private void converse(UnixSocketChannel client) {
        try {
            Reply reply = reply(Wire.decodeRequest(readLine(client)));
            if (connections.isShutdown()) {
                // The plugin asks the next agent, which knows what became of it
                LOG.warn("cut off a request: the agent is stopping");
            } else {
                answer(client, reply);
            }
        } catch (CniException e) {
            LOG.warn("refused a request: {}", e.getMessage());
            answer(client, new Reply.Failed(e));
        } catch (IOException e) {
            LOG.warn("lost a connection before its request came: {}", e.getMessage());
        } catch (RuntimeException | Error e) {
            answer(client, bug(e));
        } finally {
            close(client);
        }
    }

    private Reply reply(Request request) {
        try {
            return handler.apply(request);
        } catch (RuntimeException | Error e) {
            return bug(e);
        }
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
            if (stopping.getCount() == 0) {
                throw new IOException("the agent is stopping");
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
        }
    }

    private void write(UnixSocketChannel client, Reply reply) throws IOException {
        Deadline deadline = Deadline.after(sendTimeout);
        ByteBuffer bytes = ByteBuffer.wrap(Wire.encode(reply));
        while (bytes.hasRemaining()) {
            ByteBuffer slice = bytes.slice(bytes.position(), Math.min(SLICE_BYTES, bytes.remaining()));
            client.write(slice);
            bytes.position(bytes.position() + slice.position());
            if (bytes.hasRemaining() && deadline.expired()) {
                throw new IOException("the client does not read its reply");
            }
        }
    }

    /** For a client that has a slot. */
    private void close(UnixSocketChannel client) {
        closeQuietly(client);
        slots.release();
    }

    private static void closeQuietly(UnixSocketChannel client) {
        try {
            client.close();
        } catch (IOException e) {
            LOG.warn("could not close a connection: {}", e.getMessage());
        }
    }

    /** Connections that are being served now. */
    int connections() {
        return SLOTS - slots.availablePermits();
    }

    /**
     * Takes no more requests and waits for those under way. Fine for one that was stopped.
     *
     * @return false when some were still under way after {@code grace}
     */
    boolean stop(Duration grace) throws IOException, InterruptedException {
        stopping.countDown();
        if (selector.isOpen()) {
            // jnr would write into its pipe's descriptor also when that is closed, and another's by now
            selector.wakeup();
        }
        accepting.acquire();
        accepting.release();
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
        connections.shutdownNow();
    }
}
