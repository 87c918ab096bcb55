package io.ovsdpdk.e2e;

import io.ovsdpdk.api.MacAddress;
import java.io.Closeable;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * A guest on a vhost-user port, without a virtual machine: the front-end in server mode, which is what QEMU is for a
 * {@code dpdkvhostuserclient} port. It listens on a unix socket, the switch connects, and frames go through virtqueues
 * in memory that both map.
 *
 * <p>To be used by one thread at a time. An interrupt does not end a wait; its deadline does.
 */
public final class VhostUserGuest implements Closeable {
    /** The longest frame in bytes, without the frame check sequence. */
    public static final int MAX_FRAME = VirtioNet.MAX_FRAME;

    /** The shortest frame in bytes: two addresses and the ethertype. */
    public static final int MIN_FRAME = 14;

    private final Path path;
    private final MacAddress mac;
    private final Resources resources;
    private final Descriptor listener;
    private final VirtioNet device;
    private Optional<VhostUserConnection> connection = Optional.empty();

    private VhostUserGuest(Path path, MacAddress mac, Resources resources, Descriptor listener, VirtioNet device) {
        this.path = path;
        this.mac = mac;
        this.resources = resources;
        this.listener = listener;
        this.device = device;
    }

    /**
     * Makes the guest's memory and listens. Who may connect to the socket is up to the process's umask. A socket that is
     * left from an earlier guest is replaced.
     *
     * @param mac the address of the guest's interface; the switch learns it from the frames that are sent
     * @throws IllegalArgumentException if the path has more than 107 bytes, which is all that a unix socket's address
     *     holds
     * @throws FileAlreadyExistsException if there is something other than a socket
     * @throws IOException if the folder is missing or not writable
     */
    public static VhostUserGuest listen(Path path, MacAddress mac) throws IOException {
        Resources resources = new Resources();
        try {
            Descriptor listener = resources.add(Linux.unixSocket());
            removeStaleSocket(path);
            Linux.bind(listener, path);
            resources.add(() -> Files.deleteIfExists(path));
            Linux.listen(listener, 1);
            return new VhostUserGuest(path, mac, resources, listener, resources.add(VirtioNet.create()));
        } catch (IOException | RuntimeException e) {
            resources.closeAfter(e);
            throw e;
        }
    }

    private static void removeStaleSocket(Path path) throws IOException {
        if (Files.notExists(path, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        if (!Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS)
                .isOther()) {
            throw new FileAlreadyExistsException(path.toString(), null, "it is no socket");
        }
        Files.delete(path);
    }

    /**
     * Waits for the switch to connect and gives it the queues. Until the switch polls them, which takes it up to some
     * 100 ms more, frames are lost.
     *
     * @throws IllegalStateException if the switch is connected
     * @throws SocketTimeoutException if it does not connect, or does not answer, within {@code atMost}
     * @throws java.net.ProtocolException if the negotiation fails
     */
    public void awaitConnection(Duration atMost) throws IOException {
        if (connected()) {
            throw new IllegalStateException("the switch is connected to " + path);
        }
        awaitConnection(Deadline.after(atMost));
    }

    private void awaitConnection(Deadline deadline) throws IOException {
        disconnect();
        SocketTimeoutException late = new SocketTimeoutException("no switch has connected in time to " + path);
        while (connection.isEmpty()) {
            if (!Linux.poll(deadline.left(), listener).getFirst().readable()) {
                throw late;
            }
            try {
                accept(deadline);
            } catch (SwitchGoneException e) {
                late.addSuppressed(e); // a switch that ended before its connection was accepted; there will be another
            }
        }
    }

    private void accept(Deadline deadline) throws IOException {
        VhostUserConnection accepted = new VhostUserConnection(Linux.accept(listener));
        try {
            device.connect(accepted, deadline);
            connection = Optional.of(accepted);
        } catch (IOException | RuntimeException e) {
            accepted.close();
            throw e;
        }
    }

    /**
     * Waits until the switch has closed the connection.
     *
     * @throws IllegalStateException if there has been none
     * @throws SocketTimeoutException if it is still there after {@code atMost}
     */
    public void awaitDisconnection(Duration atMost) throws IOException {
        awaitDisconnection(Deadline.after(atMost));
    }

    private void awaitDisconnection(Deadline deadline) throws IOException {
        Descriptor socket = established().socket();
        while (!Linux.poll(deadline.left(), socket).getFirst().hungUp()) {
            if (deadline.passed()) {
                throw new SocketTimeoutException("the switch is still connected to " + path);
            }
        }
    }

    /**
     * Waits until the switch has closed the connection, has connected again and has the queues again. What was in
     * flight is lost.
     *
     * @throws IllegalStateException if there has been no connection
     * @throws SocketTimeoutException if this takes longer than {@code atMost}
     * @throws java.net.ProtocolException if the negotiation fails
     */
    public void awaitReconnection(Duration atMost) throws IOException {
        Deadline deadline = Deadline.after(atMost);
        awaitDisconnection(deadline);
        awaitConnection(deadline);
    }

    /** Whether the switch is connected at this moment. */
    public boolean connected() throws IOException {
        return connection.isPresent() && connection.get().alive();
    }

    /**
     * Hands a frame to the switch, which may still drop it.
     *
     * @param frame {@link #MIN_FRAME} to {@link #MAX_FRAME} bytes, from the destination address on, without the frame
     *     check sequence
     * @return false if the queue is full, because the switch has not fetched the 256 frames before
     * @throws IllegalArgumentException if the frame has another length
     * @throws IllegalStateException if there has been no connection
     * @throws SwitchGoneException if the switch has closed the connection
     */
    public boolean send(byte[] frame) throws IOException {
        if (frame.length < MIN_FRAME || frame.length > MAX_FRAME) {
            throw new IllegalArgumentException(
                    "a frame has %d to %d bytes, this one has %d".formatted(MIN_FRAME, MAX_FRAME, frame.length));
        }
        if (!established().alive()) {
            throw gone();
        }
        return device.send(frame);
    }

    /**
     * Waits for frames.
     *
     * @return all that have arrived, in order; empty if none has within {@code atMost}
     * @throws IllegalStateException if there has been no connection
     * @throws SwitchGoneException if no frame is left and the switch has closed the connection; at once, not at the
     *     end of {@code atMost}
     */
    public List<byte[]> receive(Duration atMost) throws IOException {
        Descriptor socket = established().socket();
        Deadline deadline = Deadline.after(atMost);
        while (true) {
            List<byte[]> frames = device.take();
            if (!frames.isEmpty()) {
                return frames;
            }
            List<Linux.Events> events = Linux.poll(deadline.left(), device.arrival(), socket);
            if (events.getFirst().readable()) {
                device.acknowledgeArrival();
            } else if (events.getLast().hungUp()) {
                throw gone();
            } else if (deadline.passed()) {
                return List.of();
            }
        }
    }

    private VhostUserConnection established() {
        return connection.orElseThrow(() -> new IllegalStateException("no switch has connected yet to " + path));
    }

    private SwitchGoneException gone() {
        return new SwitchGoneException("the switch has closed the connection to " + path);
    }

    /** The address of the guest's interface. */
    public MacAddress mac() {
        return mac;
    }

    /** Where the guest listens. */
    public Path path() {
        return path;
    }

    private void disconnect() throws IOException {
        Optional<VhostUserConnection> ended = connection;
        connection = Optional.empty();
        if (ended.isPresent()) {
            ended.get().close();
        }
    }

    /** Closes the connection, the memory and the socket, and removes the socket's file. */
    @Override
    public void close() throws IOException {
        try (resources) {
            disconnect();
        }
    }
}
