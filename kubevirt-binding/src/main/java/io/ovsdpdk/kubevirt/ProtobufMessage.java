package io.ovsdpdk.kubevirt;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * The hook's messages have fields of bytes, text and small numbers only: so much of protobuf's encoding, and no more, is
 * read and written here.
 */
final class ProtobufMessage {
    private static final int VARINT = 0;
    private static final int FIXED64 = 1;
    private static final int LENGTH_DELIMITED = 2;
    private static final int FIXED32 = 5;

    private final byte[] message;
    private int position;

    private ProtobufMessage(byte[] message) {
        this.message = message;
    }

    /**
     * A field of bytes or text. Of one that occurs several times the last counts; unknown ones are skipped.
     *
     * @param message encoded
     * @param field its number
     * @return empty where it is missing
     * @throws IllegalArgumentException if the message is broken
     */
    static byte[] bytes(byte[] message, int field) {
        return new ProtobufMessage(message).last(field);
    }

    private byte[] last(int field) {
        byte[] found = new byte[0];
        while (position < message.length) {
            long key = varint();
            switch ((int) key & 7) {
                case VARINT -> varint();
                case FIXED64 -> skip(8);
                case FIXED32 -> skip(4);
                case LENGTH_DELIMITED -> {
                    long length = varint();
                    int start = position;
                    skip(length);
                    if (key >>> 3 == field) {
                        found = Arrays.copyOfRange(message, start, position);
                    }
                }
                default -> throw new IllegalArgumentException("broken message: wire type " + (key & 7));
            }
        }
        return found;
    }

    private void skip(long length) {
        if (length < 0 || length > message.length - position) {
            throw new IllegalArgumentException("broken message: a field of " + length + " bytes is longer than it");
        }
        position += (int) length;
    }

    private long varint() {
        long value = 0;
        for (int shift = 0; shift < Long.SIZE && position < message.length; shift += 7) {
            byte next = message[position++];
            value |= (next & 0x7fL) << shift;
            if (next >= 0) {
                return value;
            }
        }
        throw new IllegalArgumentException("broken message: a number without an end");
    }

    /** Puts a message together. */
    static final class Builder {
        private final ByteArrayOutputStream encoded = new ByteArrayOutputStream();

        Builder text(int field, String value) {
            return bytes(field, value.getBytes(StandardCharsets.UTF_8));
        }

        Builder bytes(int field, byte[] value) {
            varint((long) field << 3 | LENGTH_DELIMITED);
            varint(value.length);
            encoded.writeBytes(value);
            return this;
        }

        byte[] build() {
            return encoded.toByteArray();
        }

        private void varint(long value) {
            long left = value;
            while ((left & ~0x7fL) != 0) {
                encoded.write((int) (left & 0x7f | 0x80));
                left >>>= 7;
            }
            encoded.write((int) left);
        }
    }
}
