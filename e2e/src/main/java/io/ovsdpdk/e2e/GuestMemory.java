package io.ovsdpdk.e2e;

import java.io.Closeable;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.StandardOpenOption;

/** A guest's memory: one region that the switch maps too. Guest-physical addresses begin at 0. */
final class GuestMemory implements Closeable {
    /** Where the region would lie in QEMU's address space. The switch only computes with it. */
    static final long USER_ADDRESS = 0x7f00_0000_0000L;

    private final Descriptor file;
    private final Arena arena;
    private final MemorySegment region;

    private GuestMemory(Descriptor file, Arena arena, MemorySegment region) {
        this.file = file;
        this.arena = arena;
        this.region = region;
    }

    /**
     * Memory of zeros.
     *
     * @param size bytes; pages take memory when they are first written
     * @throws IOException if there is not enough memory or no descriptor left
     */
    static GuestMemory allocate(long size) throws IOException {
        Descriptor file = Linux.memfd("guest");
        Arena arena = Arena.ofShared();
        try (FileChannel channel = FileChannel.open(file.path(), StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.allocate(1), size - 1);
            return new GuestMemory(file, arena, channel.map(FileChannel.MapMode.READ_WRITE, 0, size, arena));
        } catch (IOException e) {
            arena.close();
            file.close();
            throw e;
        }
    }

    /** Bytes. */
    long size() {
        return region.byteSize();
    }

    /** The file behind it, for the switch to map. */
    Descriptor file() {
        return file;
    }

    MemorySegment slice(long address, long size) {
        return region.asSlice(address, size);
    }

    @Override
    public void close() throws IOException {
        arena.close();
        file.close();
    }
}
