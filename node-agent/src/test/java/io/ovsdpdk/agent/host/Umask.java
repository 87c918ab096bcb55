package io.ovsdpdk.agent.host;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/** The process's umask while a test lasts. */
@SuppressWarnings("restricted")
final class Umask implements AutoCloseable {

    private static final MethodHandle UMASK = Linker.nativeLinker()
            .downcallHandle(
                    Linker.nativeLinker().defaultLookup().findOrThrow("umask"),
                    FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));

    private final int before;

    Umask(int umask) {
        before = set(umask);
    }

    private static int set(int umask) {
        try {
            return (int) UMASK.invokeExact(umask);
        } catch (Throwable e) {
            throw new AssertionError("a native call throws nothing", e);
        }
    }

    @Override
    public void close() {
        set(before);
    }
}
