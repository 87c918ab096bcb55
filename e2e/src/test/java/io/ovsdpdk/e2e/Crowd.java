package io.ovsdpdk.e2e;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

/** Many callers at once, each on a thread of its own. */
final class Crowd implements AutoCloseable {
    private static final long LIMIT_SECONDS = 120;

    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();

    /** All at once, and waits for all. */
    static <T> List<T> of(int size, IntFunction<Callable<T>> caller) throws Exception {
        try (Crowd crowd = new Crowd()) {
            return results(crowd.begin(size, caller));
        }
    }

    /** All at once, and goes on. */
    <T> List<Future<T>> begin(int size, IntFunction<Callable<T>> caller) {
        return IntStream.range(0, size).mapToObj(i -> begin(caller.apply(i))).toList();
    }

    /** One more, and goes on. */
    <T> Future<T> begin(Callable<T> caller) {
        return threads.submit(caller);
    }

    /** Waits for all of them; the first failure is thrown. */
    static <T> List<T> results(List<Future<T>> calls) throws Exception {
        List<T> results = new ArrayList<>();
        for (Future<T> call : calls) {
            results.add(result(call));
        }
        return results;
    }

    static <T> T result(Future<T> call) throws Exception {
        try {
            return call.get(LIMIT_SECONDS, TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            throw e.getCause() instanceof Exception failure ? failure : e;
        } catch (TimeoutException e) {
            throw new IllegalStateException("no answer within " + LIMIT_SECONDS + " s", e);
        }
    }

    /** Interrupts those that still call. */
    @Override
    public void close() {
        threads.shutdownNow();
    }
}
