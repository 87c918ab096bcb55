package io.ovsdpdk.e2e;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * A message of Protocol Buffers without its schema: enough of the encoding to speak CRI with a container runtime, and with hook sidecars as virt-launcher does. Fields
 * have numbers, values are numbers, texts, bytes or messages; what else a peer sends is read over.
 */
final class ProtobufMessage {
    private static final int VARINT = 0;
    private static final int FIXED64 = 1;
    private static final int LENGTH_DELIMITED = 2;
    private static final int FIXED32 = 5;

    static final ProtobufMessage EMPTY = new ProtobufMessage(new byte[0]);

    private final byte[] encoded;

    ProtobufMessage(byte[] encoded) {
        this.encoded = encoded.clone();
    }

    byte[] bytes() {
        return encoded.clone();
    }

    /** The message with one more field; a field that is there already is repeated. */
    ProtobufMessage with(int field, long number) {
        ByteArrayOutputStream more = start(field, VARINT);
        writeVarint(more, number);
        return new ProtobufMessage(more.toByteArray());
    }

    ProtobufMessage with(int field, String text) {
        return with(field, text.getBytes(StandardCharsets.UTF_8));
    }

    ProtobufMessage with(int field, ProtobufMessage message) {
        return with(field, message.encoded);
    }

    ProtobufMessage with(int field, byte[] value) {
        ByteArrayOutputStream more = start(field, LENGTH_DELIMITED);
        writeVarint(more, value.length);
        more.writeBytes(value);
        return new ProtobufMessage(more.toByteArray());
    }

    private ByteArrayOutputStream start(int field, int wireType) {
        ByteArrayOutputStream more = new ByteArrayOutputStream();
        more.writeBytes(encoded);
        writeVarint(more, (long) field << 3 | wireType);
        return more;
    }

    private static void writeVarint(ByteArrayOutputStream to, long number) {
        long rest = number;
        while ((rest & ~0x7fL) != 0) {
            to.write((int) (rest & 0x7f | 0x80));
            rest >>>= 7;
        }
        to.write((int) rest);
    }

    /** The field's number; 0 where it is missing. */
    long number(int field) {
        return new Reading(field).number;
    }

    /** The field's text; empty where it is missing. */
    String text(int field) {
        return new String(bytes(field), StandardCharsets.UTF_8);
    }

    /** All texts of a repeated field. */
    List<String> texts(int field) {
        return new Reading(field)
                .values.stream()
                        .map(value -> new String(value, StandardCharsets.UTF_8))
                        .toList();
    }

    /** The field's bytes; none where it is missing. */
    byte[] bytes(int field) {
        List<byte[]> found = new Reading(field).values;
        return found.isEmpty() ? new byte[0] : found.getLast();
    }

    /** The field's message; an empty one where it is missing. */
    ProtobufMessage message(int field) {
        List<ProtobufMessage> found = messages(field);
        return found.isEmpty() ? EMPTY : found.getLast();
    }

    /** All messages of a repeated field. */
    List<ProtobufMessage> messages(int field) {
        return new Reading(field).values.stream().map(ProtobufMessage::new).toList();
    }

    /** One pass through the message, in search of a field. */
    private final class Reading {
        private final List<byte[]> values = new ArrayList<>();
        private long number;
        private int position;

        Reading(int wanted) {
            while (position < encoded.length) {
                long tag = varint();
                boolean match = tag >>> 3 == wanted;
                switch ((int) (tag & 7)) {
                    case VARINT -> {
                        long value = varint();
                        number = match ? value : number;
                    }
                    case LENGTH_DELIMITED -> {
                        byte[] value = take(Math.toIntExact(varint()));
                        if (match) {
                            values.add(value);
                        }
                    }
                    case FIXED64 -> take(Long.BYTES);
                    case FIXED32 -> take(Integer.BYTES);
                    default -> throw new IllegalArgumentException("no Protocol Buffers: tag " + tag);
                }
            }
        }

        private long varint() {
            long value = 0;
            for (int shift = 0; ; shift += 7) {
                byte next = take(1)[0];
                value |= (long) (next & 0x7f) << shift;
                if (next >= 0) {
                    return value;
                }
            }
        }

        private byte[] take(int count) {
            byte[] taken = new byte[count];
            System.arraycopy(encoded, position, taken, 0, count);
            position += count;
            return taken;
        }
    }
}
