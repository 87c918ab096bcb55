package io.ovsdpdk.e2e;

import java.io.Closeable;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.ProtocolException;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;

/** The driver of a virtio network device (virtio 1.1, section 5.1) with one queue pair and no offloads. */
final class VirtioNet implements Closeable {
    /** {@code struct virtio_net_hdr}: all zero, as there are no offloads. */
    private static final int HEADER_BYTES = 12;

    /** The longest frame in bytes, without the frame check sequence. */
    static final int MAX_FRAME = SplitVirtqueue.BUFFER_BYTES - HEADER_BYTES;

    private final Resources resources;
    private final GuestMemory memory;
    private final SplitVirtqueue receive;
    private final SplitVirtqueue transmit;
    private final BitSet free = new BitSet(SplitVirtqueue.SIZE); // descriptors of the transmit queue

    private VirtioNet(Resources resources, GuestMemory memory, SplitVirtqueue receive, SplitVirtqueue transmit) {
        this.resources = resources;
        this.memory = memory;
        this.receive = receive;
        this.transmit = transmit;
    }

    static VirtioNet create() throws IOException {
        Resources resources = new Resources();
        try {
            GuestMemory memory = resources.add(GuestMemory.allocate(2L * SplitVirtqueue.BYTES));
            SplitVirtqueue receive = resources.add(SplitVirtqueue.forReceiving(memory, 0));
            SplitVirtqueue transmit = resources.add(SplitVirtqueue.forSending(memory, SplitVirtqueue.BYTES));
            return new VirtioNet(resources, memory, receive, transmit);
        } catch (IOException | RuntimeException e) {
            resources.closeAfter(e);
            throw e;
        }
    }

    /** Empties both queues and gives them to the switch; what was in flight is lost. Throws as the negotiation does. */
    void connect(VhostUserConnection connection, Deadline deadline) throws IOException {
        receive.reset();
        for (int descriptor = 0; descriptor < SplitVirtqueue.SIZE; descriptor++) {
            receive.offer(descriptor, SplitVirtqueue.BUFFER_BYTES);
        }
        transmit.reset();
        free.set(0, SplitVirtqueue.SIZE);
        connection.negotiate(memory, receive, transmit, deadline);
    }

    /** Queues a frame; false if the queue is full. */
    boolean send(byte[] frame) throws IOException {
        for (Optional<SplitVirtqueue.Used> sent = transmit.take(); sent.isPresent(); sent = transmit.take()) {
            free.set(sent.get().descriptor());
        }
        int descriptor = free.nextSetBit(0);
        if (descriptor < 0) {
            return false;
        }
        free.clear(descriptor);
        MemorySegment buffer = transmit.buffer(descriptor);
        buffer.asSlice(0, HEADER_BYTES).fill((byte) 0);
        MemorySegment.copy(frame, 0, buffer, ValueLayout.JAVA_BYTE, HEADER_BYTES, frame.length);
        transmit.offer(descriptor, HEADER_BYTES + frame.length);
        Linux.signal(transmit.kick());
        return true;
    }

    /** All frames that have arrived, in order; their buffers go back to the switch. */
    List<byte[]> take() throws IOException {
        List<byte[]> frames = new ArrayList<>();
        for (Optional<SplitVirtqueue.Used> used = receive.take(); used.isPresent(); used = receive.take()) {
            frames.add(frame(used.get()));
            receive.offer(used.get().descriptor(), SplitVirtqueue.BUFFER_BYTES);
        }
        if (!frames.isEmpty()) {
            Linux.signal(receive.kick());
        }
        return frames;
    }

    private byte[] frame(SplitVirtqueue.Used used) throws ProtocolException {
        if (used.length() < HEADER_BYTES) {
            throw new ProtocolException("the switch delivered less than a header: " + used);
        }
        return receive.buffer(used.descriptor())
                .asSlice(HEADER_BYTES, used.length() - HEADER_BYTES)
                .toArray(ValueLayout.JAVA_BYTE);
    }

    /** Readable when frames have arrived since {@link #acknowledgeArrival}. */
    Descriptor arrival() {
        return receive.call();
    }

    /** Waits until {@link #arrival} is readable and makes it unreadable. Frames are to be taken after this, not before. */
    void acknowledgeArrival() throws IOException {
        Linux.read(receive.call(), new byte[Long.BYTES], 0);
    }

    @Override
    public void close() throws IOException {
        resources.close();
    }
}
