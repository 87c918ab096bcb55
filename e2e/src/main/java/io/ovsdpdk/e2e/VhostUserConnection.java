package io.ovsdpdk.e2e;

import java.io.Closeable;
import java.io.IOException;
import java.net.ProtocolException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;

/**
 * A switch that has connected to a guest's socket, and the vhost-user protocol with it (QEMU's "Vhost-user Protocol",
 * the front-end's side): one virtio-net queue pair, every message acknowledged.
 */
final class VhostUserConnection implements Closeable {
    private static final int HEADER_BYTES = 12;
    private static final int VERSION = 1;
    private static final int REPLY = 1 << 2;
    private static final int NEED_REPLY = 1 << 3;

    private static final long VIRTIO_VERSION_1 = 1L << 32;
    private static final long PROTOCOL_FEATURES = 1L << 30;
    private static final long NEEDED_FEATURES = VIRTIO_VERSION_1 | PROTOCOL_FEATURES;
    private static final long REPLY_ACK = 1L << 3;

    private enum Request {
        GET_FEATURES(1),
        SET_FEATURES(2),
        SET_OWNER(3),
        SET_MEM_TABLE(5),
        SET_VRING_NUM(8),
        SET_VRING_ADDR(9),
        SET_VRING_BASE(10),
        SET_VRING_KICK(12),
        SET_VRING_CALL(13),
        GET_PROTOCOL_FEATURES(15),
        SET_PROTOCOL_FEATURES(16),
        SET_VRING_ENABLE(18);

        private final int code;

        Request(int code) {
            this.code = code;
        }
    }

    private final Descriptor socket;

    VhostUserConnection(Descriptor socket) {
        this.socket = socket;
    }

    /** The connection's socket, to wait for the switch's end. */
    Descriptor socket() {
        return socket;
    }

    /** Whether the switch has not closed the connection. */
    boolean alive() throws IOException {
        return !Linux.poll(Duration.ZERO, socket).getFirst().hungUp();
    }

    /**
     * Gives the switch the guest's memory and its queues, and enables them.
     *
     * @throws SwitchGoneException if the switch closes the connection
     * @throws ProtocolException if it lacks a feature, refuses a message or answers something else
     * @throws SocketTimeoutException if it does not answer before the deadline
     */
    void negotiate(GuestMemory memory, SplitVirtqueue receive, SplitVirtqueue transmit, Deadline deadline)
            throws IOException {
        requireFeatures("virtio", NEEDED_FEATURES, get(Request.GET_FEATURES, deadline));
        requireFeatures("protocol", REPLY_ACK, get(Request.GET_PROTOCOL_FEATURES, deadline));
        send(Request.SET_PROTOCOL_FEATURES, 0, payload(Long.BYTES).putLong(REPLY_ACK));
        set(Request.SET_OWNER, payload(0), deadline);
        set(Request.SET_FEATURES, payload(Long.BYTES).putLong(NEEDED_FEATURES), deadline);
        set(Request.SET_MEM_TABLE, region(memory), deadline, memory.file());
        configure(0, receive, deadline);
        configure(1, transmit, deadline);
        enable(0, deadline);
        enable(1, deadline);
    }

    private static void requireFeatures(String kind, long needed, long offered) throws ProtocolException {
        if ((offered & needed) != needed) {
            throw new ProtocolException(
                    "the switch lacks %s features: 0x%x are needed, 0x%x offered".formatted(kind, needed, offered));
        }
    }

    private static ByteBuffer region(GuestMemory memory) {
        return payload(2 * Integer.BYTES + 4 * Long.BYTES)
                .putInt(1) // regions
                .putInt(0) // padding
                .putLong(0) // guest-physical address
                .putLong(memory.size())
                .putLong(GuestMemory.USER_ADDRESS)
                .putLong(0); // offset in the file
    }

    private void configure(int index, SplitVirtqueue queue, Deadline deadline) throws IOException {
        set(Request.SET_VRING_NUM, state(index, SplitVirtqueue.SIZE), deadline);
        set(Request.SET_VRING_BASE, state(index, 0), deadline);
        ByteBuffer addresses = payload(2 * Integer.BYTES + 4 * Long.BYTES)
                .putInt(index)
                .putInt(0) // flags
                .putLong(GuestMemory.USER_ADDRESS + queue.descriptorsAddress())
                .putLong(GuestMemory.USER_ADDRESS + queue.usedAddress())
                .putLong(GuestMemory.USER_ADDRESS + queue.availableAddress())
                .putLong(0); // no log
        set(Request.SET_VRING_ADDR, addresses, deadline);
        set(Request.SET_VRING_CALL, payload(Long.BYTES).putLong(index), deadline, queue.call());
        set(Request.SET_VRING_KICK, payload(Long.BYTES).putLong(index), deadline, queue.kick());
    }

    private void enable(int index, Deadline deadline) throws IOException {
        set(Request.SET_VRING_ENABLE, state(index, 1), deadline);
    }

    private static ByteBuffer state(int index, int value) {
        return payload(2 * Integer.BYTES).putInt(index).putInt(value);
    }

    private static ByteBuffer payload(int bytes) {
        return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    private long get(Request request, Deadline deadline) throws IOException {
        send(request, 0, payload(0));
        return reply(request, deadline);
    }

    private void set(Request request, ByteBuffer payload, Deadline deadline, Descriptor... descriptors)
            throws IOException {
        send(request, NEED_REPLY, payload, descriptors);
        if (reply(request, deadline) != 0) {
            throw new ProtocolException("the switch refuses " + request);
        }
    }

    private void send(Request request, int flags, ByteBuffer payload, Descriptor... descriptors) throws IOException {
        ByteBuffer message = payload(HEADER_BYTES + payload.capacity())
                .putInt(request.code)
                .putInt(VERSION | flags)
                .putInt(payload.capacity())
                .put(payload.flip());
        try {
            Linux.send(socket, message.array(), descriptors);
        } catch (LinuxException e) {
            throw e.peerGone() ? gone(request, e) : e;
        }
    }

    /** All replies that this guest asks for hold one number. */
    private long reply(Request request, Deadline deadline) throws IOException {
        ByteBuffer header =
                ByteBuffer.wrap(read(request, HEADER_BYTES, deadline)).order(ByteOrder.LITTLE_ENDIAN);
        int code = header.getInt();
        int flags = header.getInt();
        int size = header.getInt();
        if (code != request.code || flags != (VERSION | REPLY) || size != Long.BYTES) {
            throw new ProtocolException("the switch answers %s with message %d, flags 0x%x, %d bytes"
                    .formatted(request, code, flags, size));
        }
        return ByteBuffer.wrap(read(request, Long.BYTES, deadline))
                .order(ByteOrder.LITTLE_ENDIAN)
                .getLong();
    }

    private byte[] read(Request request, int length, Deadline deadline) throws IOException {
        byte[] bytes = new byte[length];
        for (int filled = 0; filled < length; ) {
            Linux.Events events = Linux.poll(deadline.left(), socket).getFirst();
            if (!events.readable() && !events.hungUp()) {
                throw new SocketTimeoutException("the switch does not answer " + request);
            }
            int count = readSome(request, bytes, filled);
            if (count == 0) {
                throw gone(request, null);
            }
            filled += count;
        }
        return bytes;
    }

    private int readSome(Request request, byte[] bytes, int offset) throws IOException {
        try {
            return Linux.read(socket, bytes, offset);
        } catch (LinuxException e) {
            throw e.peerGone() ? gone(request, e) : e;
        }
    }

    private static SwitchGoneException gone(Request request, LinuxException cause) {
        return new SwitchGoneException("the switch closed the connection during " + request, cause);
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
