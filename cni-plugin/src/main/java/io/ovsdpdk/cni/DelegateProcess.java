package io.ovsdpdk.cni;

import io.ovsdpdk.api.Json;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * One run of a delegated plugin. It gets its time and not more; then it is killed with all that it started.
 *
 * <p>Three threads of their own feed it, read what it says, and hand on its standard error, so that no full pipe stops
 * it or us; the caller's thread waits.
 */
final class DelegateProcess {
    /** How it went. */
    sealed interface Outcome {
        /** @param stdout at most {@link Json#MAX_BYTES} and one more, which says that there was more */
        record Ended(int status, byte[] stdout) implements Outcome {}

        record TimedOut() implements Outcome {}
    }

    private final Process process;
    private final long end;

    private DelegateProcess(Process process, long end) {
        this.process = process;
        this.end = end;
    }

    /**
     * @param stderr gets what the plugin writes to its own
     * @throws IOException when it can't be started
     */
    static Outcome run(
            Path executable, Map<String, String> environment, byte[] stdin, PrintStream stderr, Duration within)
            throws IOException {
        ProcessBuilder builder = new ProcessBuilder(executable.toString());
        builder.environment().clear();
        builder.environment().putAll(environment);
        long end = System.nanoTime() + within.toNanos();
        return new DelegateProcess(builder.start(), end).converse(stdin, stderr);
    }

    private Outcome converse(byte[] stdin, PrintStream stderr) throws IOException {
        FutureTask<byte[]> stdout = new FutureTask<>(this::read);
        FutureTask<Void> errors = new FutureTask<>(() -> handOn(stderr), null);
        start("stdin", () -> feed(stdin));
        start("stdout", stdout);
        start("stderr", errors);
        try {
            byte[] output = stdout.get(left(), TimeUnit.NANOSECONDS);
            if (process.waitFor(left(), TimeUnit.NANOSECONDS)) {
                lastWords(errors);
                return new Outcome.Ended(process.exitValue(), output);
            }
        } catch (TimeoutException e) {
            // Killed below
        } catch (ExecutionException e) {
            throw new IOException("what it says can't be read: " + e.getCause(), e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            kill();
        }
        return new Outcome.TimedOut();
    }

    /** What it wrote before it ended is in the pipe; but something that it left running may hold the pipe open. */
    private static void lastWords(FutureTask<Void> errors) throws InterruptedException, ExecutionException {
        try {
            errors.get(100, TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            return;
        }
    }

    private byte[] read() throws IOException {
        try (InputStream in = process.getInputStream()) {
            return in.readNBytes(Json.MAX_BYTES + 1);
        }
    }

    private void feed(byte[] stdin) {
        try (OutputStream out = process.getOutputStream()) {
            out.write(stdin);
        } catch (IOException e) {
            // It need not read its input; if it should have, it says so itself
            return;
        }
    }

    private void handOn(PrintStream stderr) {
        byte[] chunk = new byte[4096];
        try (InputStream in = process.getErrorStream()) {
            for (int count = in.read(chunk); count >= 0; count = in.read(chunk)) {
                stderr.write(chunk, 0, count);
            }
            stderr.flush();
        } catch (IOException e) {
            // The pipe goes when we kill it
            return;
        }
    }

    /** The plugin first, lest it goes on when its children are gone. It is dead when this returns. */
    private void kill() {
        if (process.isAlive()) {
            List<ProcessHandle> children = process.descendants().toList();
            process.destroyForcibly();
            children.forEach(ProcessHandle::destroyForcibly);
            process.onExit().join();
        }
    }

    private long left() {
        return Math.max(0, end - System.nanoTime());
    }

    private static void start(String name, Runnable task) {
        Thread thread = new Thread(task, "delegate " + name);
        thread.setDaemon(true);
        thread.start();
    }
}
