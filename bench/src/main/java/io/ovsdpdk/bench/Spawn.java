package io.ovsdpdk.bench;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * A process that is started and waited for at the least cost, by posix_spawn(3) and waitpid(2), as container runtimes do
 * it. Java's own way starts a helper first and has another thread wait, which costs more than what is measured. For glibc.
 *
 * @param command a program, looked for in our own {@code PATH}, and its arguments
 * @param stdin a file that it reads
 * @param stdout a file that is replaced
 * @param stderr likewise
 */
@SuppressWarnings("restricted")
record Spawn(List<String> command, Map<String, String> environment, Path stdin, Path stdout, Path stderr) {
    private static final int O_RDONLY = 0;
    private static final int O_WRONLY_CREAT_TRUNC = 01 | 0100 | 01000;
    private static final int MODE = 0600;

    /** More than {@code posix_spawn_file_actions_t} has, whose size the C library keeps to itself. */
    private static final int FILE_ACTIONS_BYTES = 256;

    private static final Linker LINKER = Linker.nativeLinker();
    private static final MethodHandle INIT = function("posix_spawn_file_actions_init", JAVA_INT, ADDRESS);
    private static final MethodHandle DESTROY = function("posix_spawn_file_actions_destroy", JAVA_INT, ADDRESS);
    private static final MethodHandle ADD_OPEN =
            function("posix_spawn_file_actions_addopen", JAVA_INT, ADDRESS, JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT);
    private static final MethodHandle SPAWN =
            function("posix_spawnp", JAVA_INT, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS);
    private static final MethodHandle WAITPID = function("waitpid", JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT);

    private static MethodHandle function(String name, ValueLayout result, ValueLayout... arguments) {
        return LINKER.downcallHandle(
                LINKER.defaultLookup().findOrThrow(name), FunctionDescriptor.of(result, arguments));
    }

    /** @return its exit status; 128 and the signal's number when a signal ended it */
    int run() throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            return await(start(arena), arena.allocate(JAVA_INT));
        } catch (IOException | RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    private int start(Arena arena) throws Throwable {
        MemorySegment actions = arena.allocate(FILE_ACTIONS_BYTES, Long.BYTES);
        check("posix_spawn_file_actions_init", (int) INIT.invokeExact(actions));
        try {
            open(arena, actions, 0, stdin, O_RDONLY);
            open(arena, actions, 1, stdout, O_WRONLY_CREAT_TRUNC);
            open(arena, actions, 2, stderr, O_WRONLY_CREAT_TRUNC);
            MemorySegment pid = arena.allocate(JAVA_INT);
            check("posix_spawnp " + command.getFirst(), (int) SPAWN.invokeExact(
                    pid,
                    arena.allocateFrom(command.getFirst()),
                    actions,
                    MemorySegment.NULL,
                    strings(arena, command),
                    strings(
                            arena,
                            environment.entrySet().stream()
                                    .map(variable -> variable.getKey() + "=" + variable.getValue())
                                    .toList())));
            return pid.get(JAVA_INT, 0);
        } finally {
            check("posix_spawn_file_actions_destroy", (int) DESTROY.invokeExact(actions));
        }
    }

    private static void open(Arena arena, MemorySegment actions, int descriptor, Path file, int flags)
            throws Throwable {
        check("posix_spawn_file_actions_addopen", (int)
                ADD_OPEN.invokeExact(actions, descriptor, arena.allocateFrom(file.toString()), flags, MODE));
    }

    /** An array of strings that ends with a null pointer. */
    private static MemorySegment strings(Arena arena, List<String> strings) {
        MemorySegment array = arena.allocate(ADDRESS, strings.size() + 1L);
        for (int i = 0; i < strings.size(); i++) {
            array.setAtIndex(ADDRESS, i, arena.allocateFrom(strings.get(i)));
        }
        return array;
    }

    /** Without {@code errno} an interrupted wait looks like any other failure, so it is repeated some times. */
    private static int await(int pid, MemorySegment status) throws Throwable {
        for (int attempt = 0; (int) WAITPID.invokeExact(pid, status, 0) != pid; attempt++) {
            if (attempt == 100) {
                throw new IOException("process " + pid + " can't be waited for");
            }
        }
        int value = status.get(JAVA_INT, 0);
        int signal = value & 0x7f;
        return signal == 0 ? value >> 8 & 0xff : 128 + signal;
    }

    private static void check(String call, int error) throws IOException {
        if (error != 0) {
            throw new IOException(call + ": error " + error);
        }
    }
}
