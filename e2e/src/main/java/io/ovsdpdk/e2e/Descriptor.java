package io.ovsdpdk.e2e;

import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;

/** An open file descriptor of this process, which it closes once. */
final class Descriptor implements Closeable {
    private final int number;
    private boolean closed;

    Descriptor(int number) {
        this.number = number;
    }

    /** @throws IllegalStateException if it is closed: the number may be another file's by now */
    int number() {
        if (closed) {
            throw new IllegalStateException("file descriptor " + number + " is closed");
        }
        return number;
    }

    /** Where the file can be opened once more. */
    Path path() {
        return Path.of("/proc/self/fd/" + number());
    }

    @Override
    public void close() throws IOException {
        if (!closed) {
            closed = true;
            Linux.close(number);
        }
    }
}
