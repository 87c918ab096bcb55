package io.ovsdpdk.e2e;

import java.io.IOException;

/** A system call failed; the message names the call, what it was for, and the error in the C library's words. */
final class LinuxException extends IOException {
    private static final long serialVersionUID = 1L;

    private static final int EPIPE = 32;
    private static final int ECONNRESET = 104;

    private final int errno;

    LinuxException(String message, int errno) {
        super(message);
        this.errno = errno;
    }

    /** Whether the socket's other end has gone. */
    boolean peerGone() {
        return errno == EPIPE || errno == ECONNRESET;
    }
}
