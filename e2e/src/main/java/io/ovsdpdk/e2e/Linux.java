package io.ovsdpdk.e2e;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * The system calls of a vhost-user front-end that Java does not have: descriptors passed over unix sockets, memory and
 * events without a name. Numbers are those of x86-64 and arm64. A call that a signal interrupts is repeated.
 */
@SuppressWarnings("restricted")
final class Linux {
    /** Bytes of a path in {@code sockaddr_un}, without the terminating zero. */
    static final int MAX_SOCKET_PATH = 107;

    private static final int AF_UNIX = 1;
    private static final int SOCK_STREAM = 1;
    private static final int CLOEXEC = 0x80000; // SOCK_CLOEXEC and EFD_CLOEXEC
    private static final int MFD_CLOEXEC = 1;
    private static final int MSG_NOSIGNAL = 0x4000;
    private static final int SOL_SOCKET = 1;
    private static final int SCM_RIGHTS = 1;
    private static final short POLLIN = 0x1;
    private static final short POLLERR = 0x8;
    private static final short POLLHUP = 0x10;
    private static final short POLLRDHUP = 0x2000;
    private static final int EINTR = 4;

    /** {@code struct msghdr}, {@code struct iovec}, {@code struct cmsghdr}, {@code struct pollfd} of a 64-bit system. */
    private static final int MSGHDR_BYTES = 56;

    private static final int CMSGHDR_BYTES = 16;
    private static final int POLLFD_BYTES = 8;

    private static final Linker LINKER = Linker.nativeLinker();
    private static final StructLayout CALL_STATE = Linker.Option.captureStateLayout();
    private static final VarHandle ERRNO = CALL_STATE.varHandle(MemoryLayout.PathElement.groupElement("errno"));

    private static final MethodHandle SOCKET = systemCall("socket", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT);
    private static final MethodHandle BIND = systemCall("bind", JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT);
    private static final MethodHandle LISTEN = systemCall("listen", JAVA_INT, JAVA_INT, JAVA_INT);
    private static final MethodHandle ACCEPT4 = systemCall("accept4", JAVA_INT, JAVA_INT, ADDRESS, ADDRESS, JAVA_INT);
    private static final MethodHandle SENDMSG = systemCall("sendmsg", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT);
    private static final MethodHandle POLL = systemCall("poll", JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT);
    private static final MethodHandle READ = systemCall("read", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG);
    private static final MethodHandle WRITE = systemCall("write", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG);
    private static final MethodHandle CLOSE = systemCall("close", JAVA_INT, JAVA_INT);
    private static final MethodHandle EVENTFD = systemCall("eventfd", JAVA_INT, JAVA_INT, JAVA_INT);
    private static final MethodHandle MEMFD_CREATE = systemCall("memfd_create", JAVA_INT, ADDRESS, JAVA_INT);
    private static final MethodHandle STRERROR = LINKER.downcallHandle(
            LINKER.defaultLookup().findOrThrow("strerror"), FunctionDescriptor.of(ADDRESS, JAVA_INT));

    private Linux() {}

    /** What poll(2) saw on one descriptor. */
    record Events(boolean readable, boolean hungUp) {}

    @FunctionalInterface
    private interface Invocation {
        /** Calls with {@code errno} as the place for the error number; negative when it failed. */
        long invoke(MemorySegment errno, Arena arena) throws Throwable;
    }

    /** A new stream socket, not yet bound. */
    static Descriptor unixSocket() throws IOException {
        return new Descriptor((int)
                call("socket", (errno, arena) -> (int) SOCKET.invokeExact(errno, AF_UNIX, SOCK_STREAM | CLOEXEC, 0)));
    }

    /**
     * Gives the socket its path, which must not exist yet.
     *
     * @throws IllegalArgumentException if the path has more than {@link #MAX_SOCKET_PATH} bytes
     */
    static void bind(Descriptor socket, Path path) throws IOException {
        byte[] name = path.toString().getBytes(StandardCharsets.UTF_8);
        if (name.length > MAX_SOCKET_PATH) {
            throw new IllegalArgumentException("the path of a unix socket has at most " + MAX_SOCKET_PATH
                    + " bytes, this one has " + name.length + ": " + path);
        }
        call("bind " + path, (errno, arena) -> {
            int length = Short.BYTES + name.length + 1;
            MemorySegment address = arena.allocate(length, Short.BYTES);
            address.set(JAVA_SHORT, 0, (short) AF_UNIX);
            MemorySegment.copy(name, 0, address, JAVA_BYTE, Short.BYTES, name.length);
            return (int) BIND.invokeExact(errno, socket.number(), address, length);
        });
    }

    static void listen(Descriptor socket, int backlog) throws IOException {
        call("listen", (errno, arena) -> (int) LISTEN.invokeExact(errno, socket.number(), backlog));
    }

    static Descriptor accept(Descriptor socket) throws IOException {
        return new Descriptor((int) call("accept4", (errno, arena) ->
                (int) ACCEPT4.invokeExact(errno, socket.number(), MemorySegment.NULL, MemorySegment.NULL, CLOEXEC)));
    }

    /** Sends all of {@code bytes}, and the descriptors with them. */
    static void send(Descriptor socket, byte[] bytes, Descriptor... descriptors) throws IOException {
        long sent = call("sendmsg", (errno, arena) ->
                (long) SENDMSG.invokeExact(errno, socket.number(), message(arena, bytes, descriptors), MSG_NOSIGNAL));
        if (sent != bytes.length) {
            throw new IOException("sendmsg took " + sent + " of " + bytes.length + " bytes");
        }
    }

    private static MemorySegment message(Arena arena, byte[] bytes, Descriptor... descriptors) {
        MemorySegment vector = arena.allocate(ADDRESS.byteSize() + Long.BYTES, Long.BYTES);
        vector.set(ADDRESS, 0, arena.allocateFrom(JAVA_BYTE, bytes)); // iov_base
        vector.set(JAVA_LONG, 8, bytes.length); // iov_len
        MemorySegment message = arena.allocate(MSGHDR_BYTES, Long.BYTES);
        message.set(ADDRESS, 16, vector); // msg_iov
        message.set(JAVA_LONG, 24, 1); // msg_iovlen
        if (descriptors.length > 0) {
            long length = CMSGHDR_BYTES + (long) Integer.BYTES * descriptors.length;
            MemorySegment control = arena.allocate((length + 7) / 8 * 8, Long.BYTES);
            control.set(JAVA_LONG, 0, length); // cmsg_len
            control.set(JAVA_INT, 8, SOL_SOCKET); // cmsg_level
            control.set(JAVA_INT, 12, SCM_RIGHTS); // cmsg_type
            for (int i = 0; i < descriptors.length; i++) {
                control.set(JAVA_INT, CMSGHDR_BYTES + (long) Integer.BYTES * i, descriptors[i].number());
            }
            message.set(ADDRESS, 32, control); // msg_control
            message.set(JAVA_LONG, 40, control.byteSize()); // msg_controllen
        }
        return message;
    }

    /** Reads what is there into {@code buffer} from {@code offset} on; returns the number of bytes, 0 at the end. */
    static int read(Descriptor descriptor, byte[] buffer, int offset) throws IOException {
        return (int) call("read", (errno, arena) -> {
            MemorySegment bytes = arena.allocate(buffer.length - offset);
            long count = (long) READ.invokeExact(errno, descriptor.number(), bytes, bytes.byteSize());
            if (count > 0) {
                MemorySegment.copy(bytes, JAVA_BYTE, 0, buffer, offset, (int) count);
            }
            return count;
        });
    }

    /** A new eventfd with count 0. */
    static Descriptor eventfd() throws IOException {
        return new Descriptor((int) call("eventfd", (errno, arena) -> (int) EVENTFD.invokeExact(errno, 0, CLOEXEC)));
    }

    /** Adds 1 to the eventfd. */
    static void signal(Descriptor eventfd) throws IOException {
        call("write of an eventfd", (errno, arena) ->
                (long) WRITE.invokeExact(errno, eventfd.number(), arena.allocateFrom(JAVA_LONG, 1), (long) Long.BYTES));
    }

    /** A file in memory without a name; {@code name} is shown in /proc only. */
    static Descriptor memfd(String name) throws IOException {
        return new Descriptor((int) call("memfd_create", (errno, arena) ->
                (int) MEMFD_CREATE.invokeExact(errno, arena.allocateFrom(name), MFD_CLOEXEC)));
    }

    /**
     * Waits until one of the descriptors is readable or its other end has gone, or the time is up.
     *
     * @param atMost rounded up to milliseconds; an interrupt of the thread does not end it
     * @return what was seen, in the order of the descriptors
     */
    static List<Events> poll(Duration atMost, Descriptor... descriptors) throws IOException {
        Deadline deadline = Deadline.after(atMost);
        List<Events> seen = new ArrayList<>();
        call("poll", (errno, arena) -> {
            MemorySegment set = arena.allocate((long) POLLFD_BYTES * descriptors.length, Integer.BYTES);
            for (int i = 0; i < descriptors.length; i++) {
                set.set(JAVA_INT, (long) POLLFD_BYTES * i, descriptors[i].number());
                set.set(JAVA_SHORT, (long) POLLFD_BYTES * i + 4, (short) (POLLIN | POLLRDHUP));
            }
            int result = (int) POLL.invokeExact(errno, set, (long) descriptors.length, deadline.millisLeft());
            for (int i = 0; result >= 0 && i < descriptors.length; i++) {
                short events = set.get(JAVA_SHORT, (long) POLLFD_BYTES * i + 6);
                seen.add(new Events((events & POLLIN) != 0, (events & (POLLHUP | POLLRDHUP | POLLERR)) != 0));
            }
            return result;
        });
        return seen;
    }

    static void close(int descriptor) throws IOException {
        call("close", (errno, arena) -> (int) CLOSE.invokeExact(errno, descriptor));
    }

    private static MethodHandle systemCall(String name, ValueLayout result, ValueLayout... arguments) {
        return LINKER.downcallHandle(
                LINKER.defaultLookup().findOrThrow(name),
                FunctionDescriptor.of(result, arguments),
                Linker.Option.captureCallState("errno"));
    }

    private static long call(String what, Invocation invocation) throws IOException {
        while (true) {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment state = arena.allocate(CALL_STATE);
                long result = invocation.invoke(state, arena);
                if (result >= 0) {
                    return result;
                }
                int errno = (int) ERRNO.get(state, 0L);
                if (errno != EINTR) {
                    throw new LinuxException(what + ": " + words(errno), errno);
                }
            } catch (IOException | RuntimeException | Error e) {
                throw e;
            } catch (Throwable e) {
                throw new IllegalStateException("a call of the C library throws nothing: " + what, e);
            }
        }
    }

    private static String words(int errno) throws Throwable {
        MemorySegment text = (MemorySegment) STRERROR.invokeExact(errno);
        return text.reinterpret(Long.MAX_VALUE).getString(0);
    }
}
