package io.ovsdpdk.ovsdb;

import java.util.concurrent.atomic.AtomicReference;

/**
 * A message on its way to the writer thread.
 *
 * <p>Whether the server can have seen it is decided once: either the writer takes it, or whoever gave it up takes it
 * back. That decides between "unavailable, repeat" and "outcome unknown, look first".
 */
final class Outgoing {

    private enum Fate {
        QUEUED,
        TAKEN,
        WITHDRAWN
    }

    private final byte[] bytes;
    private final AtomicReference<Fate> fate = new AtomicReference<>(Fate.QUEUED);

    Outgoing(byte[] bytes) {
        this.bytes = bytes;
    }

    byte[] bytes() {
        return bytes;
    }

    /** For the writer, before the first byte; false when it was withdrawn. */
    boolean take() {
        return fate.compareAndSet(Fate.QUEUED, Fate.TAKEN);
    }

    /** True when the server can't have seen it, and now never will. */
    boolean withdraw() {
        return fate.compareAndSet(Fate.QUEUED, Fate.WITHDRAWN) || fate.get() == Fate.WITHDRAWN;
    }
}
