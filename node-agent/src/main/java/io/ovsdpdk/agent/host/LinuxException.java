package io.ovsdpdk.agent.host;

import java.io.IOException;

/** A call of the kernel that failed; the message names the call, the path and the error. */
public final class LinuxException extends IOException {

    private static final long serialVersionUID = 1L;

    private final String call;
    private final int number;
    private final Errno errno;

    /**
     * @param call the system call, {@code openat2}
     * @param path what it was called for, printable
     * @param number the error number, above 0
     */
    LinuxException(String call, String path, int number) {
        this(call, path, number, Errno.of(number));
    }

    private LinuxException(String call, String path, int number, Errno errno) {
        super("%s %s: %s (%s)"
                .formatted(call, path, errno == Errno.OTHER ? "errno " + number : errno.name(), errno.explanation()));
        this.call = call;
        this.number = number;
        this.errno = errno;
    }

    /** The system call that failed, {@code openat2}. */
    public String call() {
        return call;
    }

    /** The error, {@link Errno#OTHER} when its {@link #number()} is none of those listed. */
    public Errno errno() {
        return errno;
    }

    /** The error number as the kernel gave it. */
    public int number() {
        return number;
    }

    /** Whether it is one of these. */
    public boolean is(Errno... any) {
        for (Errno one : any) {
            if (errno == one) {
                return true;
            }
        }
        return false;
    }
}
