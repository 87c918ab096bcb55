package io.ovsdpdk.cni;

import io.ovsdpdk.api.Json;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;

/**
 * One connection to the agent: a line there, a line back, before a deadline. Nothing in it blocks, so neither an agent
 * that stands still nor one that dribbles can hold us. One thread uses it.
 */
final class AgentConnection {
    /** How it went. */
    sealed interface Outcome {
        /** @param line without its end */
        record Answered(byte[] line) implements Outcome {}

        /** Nobody listens, or no more connections are taken just now. */
        record Absent(String reason) implements Outcome {}

        /** @param sent whether the whole request was on its way when the connection went */
        record Lost(String reason, boolean sent) implements Outcome {}

        record Silent(boolean sent) implements Outcome {}

        record TooLong() implements Outcome {}
    }

    private final ByteBuffer request;
    private final ByteArrayOutputStream answer = new ByteArrayOutputStream();
    private final ByteBuffer chunk = ByteBuffer.allocate(8192);
    private String broken = "it closed the connection";

    private AgentConnection(byte[] request) {
        this.request = ByteBuffer.wrap(request);
    }

    static Outcome exchange(Path socket, byte[] request, Duration within) {
        long end = System.nanoTime() + within.toNanos();
        try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            channel.configureBlocking(false);
            if (!channel.connect(UnixDomainSocketAddress.of(socket))) {
                // A unix socket connects at once or not at all, not even when the listener's queue is full
                return new Outcome.Absent("it does not take the connection");
            }
            return new AgentConnection(request).converse(channel, end);
        } catch (IOException e) {
            return new Outcome.Absent(reason(e));
        }
    }

    /** Whether somebody listens there. */
    static boolean possible(Path socket) {
        try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            return channel.connect(UnixDomainSocketAddress.of(socket));
        } catch (IOException e) {
            return false;
        }
    }

    private Outcome converse(SocketChannel channel, long end) throws IOException {
        try (Selector selector = Selector.open()) {
            SelectionKey key = channel.register(selector, SelectionKey.OP_READ | SelectionKey.OP_WRITE);
            while (true) {
                send(channel);
                Outcome outcome = receive(channel);
                if (outcome != null) {
                    return outcome;
                }
                key.interestOps(
                        request.hasRemaining() ? SelectionKey.OP_READ | SelectionKey.OP_WRITE : SelectionKey.OP_READ);
                long millis = (end - System.nanoTime()) / 1_000_000;
                if (millis <= 0) {
                    return new Outcome.Silent(!request.hasRemaining());
                }
                selector.select(millis);
            }
        }
    }

    private void send(SocketChannel channel) {
        try {
            if (request.hasRemaining()) {
                channel.write(request);
            }
        } catch (IOException e) {
            // It may have answered before it closed: what remains is to read that
            broken = reason(e);
        }
    }

    /** @return null as long as the answer is not complete */
    private Outcome receive(SocketChannel channel) {
        try {
            while (true) {
                chunk.clear();
                int count = channel.read(chunk);
                if (count < 0) {
                    return new Outcome.Lost(broken, !request.hasRemaining());
                }
                if (count == 0) {
                    return null;
                }
                for (int i = 0; i < count; i++) {
                    if (chunk.get(i) == '\n') {
                        answer.write(chunk.array(), 0, i);
                        return new Outcome.Answered(answer.toByteArray());
                    }
                }
                answer.write(chunk.array(), 0, count);
                if (answer.size() > Json.MAX_BYTES) {
                    return new Outcome.TooLong();
                }
            }
        } catch (IOException e) {
            return new Outcome.Lost(reason(e), !request.hasRemaining());
        }
    }

    private static String reason(IOException e) {
        return e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
    }
}
