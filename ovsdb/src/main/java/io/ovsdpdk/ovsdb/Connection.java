package io.ovsdpdk.ovsdb;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;

/**
 * One connection to ovsdb-server, from connect to its end; never used again.
 *
 * <p>Threads: one reader, which alone calls {@link #connect}, {@link #receive} and {@link #abandon}; one writer, which
 * this class starts and which alone writes, so that a server that doesn't read blocks nobody else; any number of callers
 * of {@link #call}. {@link #end} may be called from anywhere, any number of times: it closes the socket, which ends the
 * read or write that is under way, and the reader then does the rest.
 */
final class Connection implements AutoCloseable {

    /**
     * Messages that a server that doesn't read may leave waiting: more than callers that have deadlines ever have under way.
     */
    static final int LONGEST_QUEUE = 4096;

    /** Ends the writer; compared by identity. */
    private static final Outgoing LAST = new Outgoing(new byte[0]);

    /**
     * Row UUIDs are field names in updates. With canonical field names the parser, which lives as long as the connection,
     * would remember every UUID that ever passed.
     */
    static final ObjectMapper JSON = JsonMapper.builder(JsonFactory.builder()
                    .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
                    .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
                    .build())
            .defaultPropertyInclusion(
                    JsonInclude.Value.construct(JsonInclude.Include.NON_NULL, JsonInclude.Include.NON_NULL))
            .build();

    private final UnixDomainSocketAddress address;
    private final SocketChannel channel;
    private final MeteredInput input;
    private final BlockingQueue<Outgoing> outgoing = new LinkedBlockingQueue<>(LONGEST_QUEUE);
    private final Map<Long, Call> pending = new ConcurrentHashMap<>();
    private final AtomicLong lastId = new AtomicLong();
    private final AtomicReference<String> endReason = new AtomicReference<>();
    /** The reader's; made when the first message is waited for, because the parser looks at the first bytes at once. */
    private Optional<MappingIterator<JsonNode>> messages = Optional.empty();

    private volatile boolean abandoned;
    private volatile boolean probing;

    Connection(Path socket, int longestMessage) throws IOException {
        this.address = UnixDomainSocketAddress.of(socket);
        this.channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        this.input = new MeteredInput(Channels.newInputStream(channel), longestMessage);
    }

    /**
     * Connects and starts the writer. The server's backlog may be full and this wait: {@link #end} ends it.
     *
     * @throws IOException if nobody listens there
     */
    void connect() throws IOException {
        channel.connect(address);
        Thread.ofPlatform().daemon().name("ovsdb-writer").start(this::write);
    }

    /**
     * Waits for the next message.
     *
     * @throws IOException if the connection has ended
     * @throws OvsdbProtocolException if what came is no message
     */
    Message receive() throws IOException, OvsdbProtocolException {
        try {
            input.nextMessage();
            if (messages.isEmpty()) {
                messages = Optional.of(JSON.readerFor(JsonNode.class).readValues(input));
            }
            if (!messages.get().hasNextValue()) {
                throw new EOFException("the server closed the connection");
            }
            JsonNode message = messages.get().nextValue();
            probing = false;
            return Message.of(message);
        } catch (JsonProcessingException e) {
            throw new OvsdbProtocolException("the server sent what is no JSON: " + e.getOriginalMessage(), e);
        }
    }

    /**
     * Sends a request without waiting for anything.
     *
     * @throws IllegalArgumentException if the parameters can't be written as JSON that ovsdb-server reads
     */
    Call call(String method, List<?> parameters) {
        long id = lastId.incrementAndGet();
        Map<String, Object> message = new LinkedHashMap<>();
        message.put("method", method);
        message.put("params", parameters);
        message.put("id", id);
        Call call = new Call(id, method, new Outgoing(bytes(message)));
        pending.put(id, call);
        if (!outgoing.offer(call.request()) && pending.remove(id) != null) {
            call.abandon(LONGEST_QUEUE + " messages wait for the server to read");
        }
        // The reader sets the flag before it empties the map: either it finds this call there or we see the flag
        if (abandoned && pending.remove(id) != null) {
            call.abandon(endReason());
        }
        return call;
    }

    /** Nobody waits any more: its answer is ignored, and it isn't sent if it wasn't yet. */
    void forget(Call call) {
        if (pending.remove(call.id()) != null && call.request().withdraw()) {
            outgoing.remove(call.request());
        }
    }

    /** Answers the server's echo. It drops the connection unless the answer has exactly these three members. */
    void answer(Message.Echo echo) {
        Map<String, Object> message = new LinkedHashMap<>();
        message.put("id", echo.id());
        message.put("result", echo.parameters());
        message.put("error", JSON.nullNode());
        if (!outgoing.offer(new Outgoing(bytes(message)))) {
            end("the server asks and does not read");
        }
    }

    /** Gives an answer to whoever waits for it; one that nobody waits for any more is dropped. */
    void settle(Message.Result answer) {
        Optional.ofNullable(pending.remove(answer.id())).ifPresent(call -> call.succeed(answer.result()));
    }

    /** Likewise. */
    void settle(Message.Failure answer) {
        Optional.ofNullable(pending.remove(answer.id())).ifPresent(call -> call.fail(answer.error()));
    }

    /**
     * Looks after a silent server; called now and then. After one interval of silence it is asked for an echo, after two
     * the connection ends. Half a message counts as a sign of life.
     */
    void probe(long intervalNanos) {
        long silence = input.silenceNanos();
        if (silence > 2 * intervalNanos) {
            end("the server has been silent for " + silence / 1_000_000 + " ms");
        } else if (silence > intervalNanos && !probing) {
            probing = true;
            call("echo", List.of());
        }
    }

    /** Ends the connection; the first reason given is the one that is told. */
    void end(String reason) {
        endReason.compareAndSet(null, reason);
        try {
            channel.close();
        } catch (IOException e) {
            // The descriptor is gone all the same, and the first reason is the one of interest
            endReason.updateAndGet(first -> first + " (closing: " + e.getMessage() + ")");
        }
    }

    /** Why it ended; if nobody ended it, it hasn't. */
    String endReason() {
        return Optional.ofNullable(endReason.get()).orElse("it has not ended");
    }

    /** After the end: fails all calls at once. */
    void abandon() {
        abandoned = true;
        // What waits there is given up below
        while (!outgoing.offer(LAST)) {
            outgoing.clear();
        }
        for (Long id : pending.keySet()) {
            Optional.ofNullable(pending.remove(id)).ifPresent(call -> call.abandon(endReason()));
        }
    }

    @Override
    public void close() {
        end("closed");
    }

    private void write() {
        try {
            for (Outgoing next = outgoing.take(); next != LAST; next = outgoing.take()) {
                if (next.take()) {
                    ByteBuffer buffer = ByteBuffer.wrap(next.bytes());
                    while (buffer.hasRemaining()) {
                        channel.write(buffer);
                    }
                }
            }
        } catch (IOException e) {
            end("writing to the server: " + reason(e));
        } catch (InterruptedException e) {
            end("the writer thread was interrupted");
        }
    }

    /** What an exception says, or what it is when it says nothing. */
    static String reason(Throwable e) {
        return Optional.ofNullable(e.getMessage()).orElse(e.getClass().getSimpleName());
    }

    private static byte[] bytes(Object message) {
        try {
            byte[] bytes = JSON.writeValueAsBytes(message);
            WireText.check(bytes);
            return bytes;
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException("this can't be sent: " + e.getOriginalMessage(), e);
        }
    }

    /** Remembers when the server last sent anything, and keeps one message from filling the memory. */
    private static final class MeteredInput extends InputStream {

        private final InputStream in;
        private final int longestMessage;
        private long ofThisMessage;
        private volatile long lastRead = System.nanoTime();

        MeteredInput(InputStream in, int longestMessage) {
            this.in = in;
            this.longestMessage = longestMessage;
        }

        /** The parser reads ahead, so what it has of this one already counts for the one before: a few KiB. */
        void nextMessage() {
            ofThisMessage = 0;
        }

        long silenceNanos() {
            return System.nanoTime() - lastRead;
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
        }

        @Override
        public int read(byte[] buffer, int offset, int length) throws IOException {
            int count = in.read(buffer, offset, length);
            lastRead = System.nanoTime();
            ofThisMessage += Math.max(0, count);
            if (ofThisMessage > longestMessage) {
                throw new IOException("the server's message is longer than " + longestMessage + " bytes");
            }
            return count;
        }
    }
}
