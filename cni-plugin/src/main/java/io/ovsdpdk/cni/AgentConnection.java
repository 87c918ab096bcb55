package io.ovsdpdk.cni;

import io.ovsdpdk.api.Json;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/**
 * One connection to the agent: a line there, a line back, before a deadline, at which a thread of its own closes it. So
 * neither an agent that stands still nor one that dribbles can hold us. Not a {@link java.nio.channels.Selector}, which
 * takes a static executable a millisecond to set up, while the agent needs the processor.
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

    /** Why the request could not be sent; empty as long as it could. */
    private String broken = "";

    private volatile boolean late;

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
        // As much as goes without waiting, as a rule all of it: the agent works while the thread starts
        send(channel);
        channel.configureBlocking(true);
        Thread watch = Thread.ofPlatform().daemon().name("deadline").start(() -> closeAt(end, channel));
        try {
            while (request.hasRemaining() && broken.isEmpty()) {
                send(channel);
            }
            return receive(channel);
        } finally {
            watch.interrupt();
            leave(channel);
        }
    }

    /**
     * Before a close in blocking mode the JDK asks the socket how long it lingers, and for that the kernel, with five TCP
     * sockets, what options there are. A unix socket does not linger.
     */
    private static void leave(SocketChannel channel) {
        try {
            channel.configureBlocking(false);
        } catch (IOException e) {
            // At the deadline it was closed already
            return;
        }
    }

    /** Ends a read or write that is under way. */
    private void closeAt(long end, SocketChannel channel) {
        try {
            TimeUnit.NANOSECONDS.sleep(end - System.nanoTime());
            late = true;
            channel.close();
        } catch (InterruptedException | IOException e) {
            // It is over, or as good as closed
            Thread.currentThread().interrupt();
        }
    }

    private void send(SocketChannel channel) {
        try {
            channel.write(request);
        } catch (IOException e) {
            // It may have answered before it closed: what remains is to read that
            broken = reason(e);
        }
    }

    private Outcome receive(SocketChannel channel) {
        try {
            while (true) {
                chunk.clear();
                int count = channel.read(chunk);
                if (count < 0) {
                    return new Outcome.Lost(broken.isEmpty() ? "it closed the connection" : broken, isSent());
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
            return late ? new Outcome.Silent(isSent()) : new Outcome.Lost(reason(e), isSent());
        }
    }

    private boolean isSent() {
        return !request.hasRemaining();
    }

    private static String reason(IOException e) {
        return e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
    }
}
