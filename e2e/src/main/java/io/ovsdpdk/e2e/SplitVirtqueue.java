package io.ovsdpdk.e2e;

import java.io.Closeable;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.net.ProtocolException;
import java.nio.ByteOrder;
import java.util.Optional;

/**
 * The driver's side of a split virtqueue (virtio 1.1, section 2.6) with one fixed buffer for each descriptor, so a
 * frame never spans two.
 *
 * <p>The switch reads and writes the same memory. Both ring indices are therefore accessed in order: what was written
 * before {@link #offer} publishes is visible to the switch, and what the switch wrote before it counted up is visible
 * after {@link #take}.
 */
final class SplitVirtqueue implements Closeable {
    /** Descriptors, as QEMU's default. */
    static final int SIZE = 256;

    /** Bytes of a buffer: the largest frame that OVS forwards (MTU 9702) and the virtio header fit. */
    static final int BUFFER_BYTES = 10 * 1024;

    private static final int DESCRIPTOR_BYTES = 16;
    private static final int USED_ELEMENT_BYTES = 8;
    private static final short DEVICE_WRITES = 2; // VIRTQ_DESC_F_WRITE

    private static final int DESCRIPTORS = 0;
    private static final int AVAILABLE = 0x1000;
    private static final int USED = 0x2000;
    private static final int BUFFERS = 0x3000;

    /** Offset of the index, and of the ring itself, in both rings. */
    private static final int INDEX = 2;

    private static final int RING = 4;

    /** Bytes of guest memory that a queue takes. */
    static final int BYTES = BUFFERS + SIZE * BUFFER_BYTES;

    private static final ValueLayout.OfShort LE16 = ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt LE32 = ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LE64 = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle SHARED_INDEX = LE16.varHandle();

    private final long address;
    private final MemorySegment memory;
    private final boolean deviceWrites;
    private final Descriptor kick;
    private final Descriptor call;
    private short offered;
    private short taken;

    /** What the switch has done with a buffer. */
    record Used(int descriptor, int length) {}

    private SplitVirtqueue(long address, MemorySegment memory, boolean deviceWrites, Descriptor kick, Descriptor call) {
        this.address = address;
        this.memory = memory;
        this.deviceWrites = deviceWrites;
        this.kick = kick;
        this.call = call;
    }

    /** A queue whose buffers the switch fills. */
    static SplitVirtqueue forReceiving(GuestMemory memory, long address) throws IOException {
        return create(memory, address, true);
    }

    /** A queue whose buffers the switch reads. */
    static SplitVirtqueue forSending(GuestMemory memory, long address) throws IOException {
        return create(memory, address, false);
    }

    private static SplitVirtqueue create(GuestMemory memory, long address, boolean deviceWrites) throws IOException {
        Descriptor kick = Linux.eventfd();
        try {
            return new SplitVirtqueue(address, memory.slice(address, BYTES), deviceWrites, kick, Linux.eventfd());
        } catch (IOException e) {
            kick.close();
            throw e;
        }
    }

    /** Empties the rings. Only while no switch uses them. */
    void reset() {
        memory.asSlice(0, BUFFERS).fill((byte) 0);
        for (int i = 0; i < SIZE; i++) {
            long descriptor = DESCRIPTORS + (long) DESCRIPTOR_BYTES * i;
            memory.set(LE64, descriptor, address + bufferOffset(i));
            memory.set(LE16, descriptor + 12, deviceWrites ? DEVICE_WRITES : 0);
        }
        offered = 0;
        taken = 0;
    }

    /** The buffer of a descriptor, which belongs to the driver until it is offered and again once it is taken. */
    MemorySegment buffer(int descriptor) {
        return memory.asSlice(bufferOffset(descriptor), BUFFER_BYTES);
    }

    private static long bufferOffset(int descriptor) {
        return BUFFERS + (long) descriptor * BUFFER_BYTES;
    }

    /**
     * Hands a buffer to the switch.
     *
     * @param length bytes that the switch may read, or write
     */
    void offer(int descriptor, int length) {
        memory.set(LE32, DESCRIPTORS + (long) DESCRIPTOR_BYTES * descriptor + 8, length);
        memory.set(LE16, AVAILABLE + RING + (long) Short.BYTES * slot(offered), (short) descriptor);
        offered++;
        SHARED_INDEX.setRelease(memory, (long) AVAILABLE + INDEX, offered);
    }

    /**
     * Takes the next buffer that the switch has returned, if there is one.
     *
     * @throws ProtocolException if the switch names a descriptor or a length that can't be
     */
    Optional<Used> take() throws ProtocolException {
        if ((short) SHARED_INDEX.getAcquire(memory, (long) USED + INDEX) == taken) {
            return Optional.empty();
        }
        long element = USED + RING + (long) USED_ELEMENT_BYTES * slot(taken);
        Used used = new Used(memory.get(LE32, element), memory.get(LE32, element + 4));
        if (used.descriptor() < 0 || used.descriptor() >= SIZE || used.length() < 0 || used.length() > BUFFER_BYTES) {
            throw new ProtocolException("the switch returned a buffer that can't be: " + used);
        }
        taken++;
        return Optional.of(used);
    }

    private static int slot(short index) {
        return Short.toUnsignedInt(index) % SIZE;
    }

    /** The eventfd that tells the switch of buffers. */
    Descriptor kick() {
        return kick;
    }

    /** The eventfd by which the switch tells of returned buffers. */
    Descriptor call() {
        return call;
    }

    long descriptorsAddress() {
        return address + DESCRIPTORS;
    }

    long availableAddress() {
        return address + AVAILABLE;
    }

    long usedAddress() {
        return address + USED;
    }

    @Override
    public void close() throws IOException {
        try (kick) {
            call.close();
        }
    }
}
