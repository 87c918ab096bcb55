package io.ovsdpdk.e2e;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;

/** A client of the agent's socket that need not keep to the protocol. */
final class RawClient implements AutoCloseable {
    private final SocketChannel channel;
    private final Selector selector;

    private RawClient(SocketChannel channel, Selector selector) {
        this.channel = channel;
        this.selector = selector;
    }

    static RawClient connect(Path socket) throws IOException {
        SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket));
        channel.configureBlocking(false);
        Selector selector = Selector.open();
        channel.register(selector, SelectionKey.OP_READ);
        return new RawClient(channel, selector);
    }

    RawClient send(String text) {
        return send(text.getBytes(StandardCharsets.UTF_8));
    }

    /** As much as the agent takes: it may close before it has read all. */
    RawClient send(byte[] bytes) {
        Deadline deadline = Deadline.after(Duration.ofSeconds(5));
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        try {
            while (buffer.hasRemaining() && !deadline.passed()) {
                channel.write(buffer);
            }
        } catch (IOException e) {
            return this; // what it has answered until now is what counts
        }
        return this;
    }

    /** Says that no more will come, and goes on reading. */
    RawClient finish() throws IOException {
        channel.shutdownOutput();
        return this;
    }

    /**
     * What the agent says until it ends its line, closes or resets the connection.
     *
     * @throws SocketTimeoutException if it does none of these in time
     */
    String answer(Duration atMost) throws IOException {
        Deadline deadline = Deadline.after(atMost);
        ByteArrayOutputStream answer = new ByteArrayOutputStream();
        ByteBuffer buffer = ByteBuffer.allocate(65536);
        do {
            selector.select(Math.max(1, deadline.millisLeft()));
            selector.selectedKeys().clear();
            int read = read(buffer.clear());
            if (read > 0) {
                answer.write(buffer.array(), 0, read);
            }
            if (read < 0 || read > 0 && buffer.get(read - 1) == '\n') {
                return answer.toString(StandardCharsets.UTF_8);
            }
        } while (!deadline.passed());
        throw new SocketTimeoutException("no answer within " + atMost.toMillis() + " ms");
    }

    private int read(ByteBuffer buffer) {
        try {
            return channel.read(buffer);
        } catch (IOException e) {
            return -1; // reset: there were bytes that the agent did not want to read
        }
    }

    /** Whether the agent closes the connection, without a word, within that time. */
    boolean isClosedWithin(Duration atMost) throws IOException {
        try {
            return answer(atMost).isEmpty();
        } catch (SocketTimeoutException e) {
            return false;
        }
    }

    @Override
    public void close() throws IOException {
        selector.close();
        channel.close();
    }
}
