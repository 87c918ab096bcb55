package io.ovsdpdk.e2e;

import java.io.Closeable;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;

/** Somebody who listens on a unix socket and does no more than see who connects. */
final class Listener implements Closeable {
    private final Path path;
    private final ServerSocketChannel channel;

    private Listener(Path path, ServerSocketChannel channel) {
        this.path = path;
        this.channel = channel;
    }

    /** Connections of any user are taken. */
    static Listener on(Path path) throws IOException {
        ServerSocketChannel channel = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        channel.bind(UnixDomainSocketAddress.of(path));
        channel.configureBlocking(false);
        return new Listener(path, channel);
    }

    /** Whether anybody has connected since the last time that this was asked; that connection is closed. */
    boolean wasConnectedTo() throws IOException {
        try (SocketChannel connection = channel.accept()) {
            return connection != null;
        }
    }

    @Override
    public void close() throws IOException {
        try (channel) {
            Files.deleteIfExists(path);
        }
    }
}
