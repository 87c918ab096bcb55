package io.ovsdpdk.e2e;

import io.ovsdpdk.api.MacAddress;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Optional;

/**
 * A frame of the local experimental ethertype (IEEE 802, 0x88b5) that carries a number. The bytes after the number
 * follow from it, so that two frames of the same length with another number differ almost everywhere.
 *
 * @param sequence the number
 * @param length bytes without the frame check sequence
 */
public record TestFrame(MacAddress destination, MacAddress source, int sequence, int length) {
    /** Bytes of the shortest frame that Ethernet carries. */
    public static final int MIN_LENGTH = 60;

    private static final HexFormat OCTETS = HexFormat.ofDelimiter(":");
    private static final short ETHERTYPE = (short) 0x88b5;
    private static final int ADDRESS_BYTES = 6;

    /** @throws IllegalArgumentException if the length is not {@link #MIN_LENGTH} to {@link VhostUserGuest#MAX_FRAME} */
    public TestFrame {
        if (length < MIN_LENGTH || length > VhostUserGuest.MAX_FRAME) {
            throw new IllegalArgumentException(
                    "a test frame has %d to %d bytes, not %d".formatted(MIN_LENGTH, VhostUserGuest.MAX_FRAME, length));
        }
    }

    /** A frame of {@link #MIN_LENGTH} bytes from one guest to another. */
    public static TestFrame between(VhostUserGuest source, VhostUserGuest destination, int sequence) {
        return new TestFrame(destination.mac(), source.mac(), sequence, MIN_LENGTH);
    }

    /** The test frame that these bytes are; empty if they are another frame, or an altered one. */
    public static Optional<TestFrame> recognise(byte[] bytes) {
        if (bytes.length < MIN_LENGTH || bytes.length > VhostUserGuest.MAX_FRAME) {
            return Optional.empty();
        }
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        String destination = address(buffer);
        String source = address(buffer);
        if (buffer.getShort() != ETHERTYPE) {
            return Optional.empty();
        }
        try {
            TestFrame frame =
                    new TestFrame(new MacAddress(destination), new MacAddress(source), buffer.getInt(), bytes.length);
            return Optional.of(frame).filter(unaltered -> Arrays.equals(unaltered.bytes(), bytes));
        } catch (IllegalArgumentException e) {
            return Optional.empty(); // an address that no interface has
        }
    }

    private static String address(ByteBuffer buffer) {
        byte[] octets = new byte[ADDRESS_BYTES];
        buffer.get(octets);
        return OCTETS.formatHex(octets);
    }

    /** The frame as it is on the wire. */
    public byte[] bytes() {
        ByteBuffer buffer = ByteBuffer.allocate(length)
                .put(OCTETS.parseHex(destination.text()))
                .put(OCTETS.parseHex(source.text()))
                .putShort(ETHERTYPE)
                .putInt(sequence);
        for (int i = 1; buffer.hasRemaining(); i++) {
            buffer.put((byte) (sequence * 31 + i));
        }
        return buffer.array();
    }
}
