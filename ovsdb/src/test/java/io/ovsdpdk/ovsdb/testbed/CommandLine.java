package io.ovsdpdk.ovsdb.testbed;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** A command that is run to its end. */
final class CommandLine {
    private CommandLine() {}

    /**
     * Runs {@code command} and returns its stdout without the trailing newline.
     *
     * @throws IOException if it could not be started, exits with another status than 0 (the message holds its stderr),
     *     or does not end within {@code atMost}; then it is killed
     */
    static String run(Duration atMost, List<String> command) throws IOException {
        return run(atMost, command, new CompletableFuture<>());
    }

    /** As {@link #run(Duration, List)}, but gives up as soon as {@code futile} completes. */
    static String run(Duration atMost, List<String> command, CompletableFuture<?> futile) throws IOException {
        Process process = new ProcessBuilder(command).start();
        try {
            FutureTask<String> stdout =
                    new FutureTask<>(() -> new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8));
            FutureTask<String> stderr =
                    new FutureTask<>(() -> new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8));
            Thread.startVirtualThread(stdout);
            Thread.startVirtualThread(stderr);
            CompletableFuture.anyOf(process.onExit(), futile).get(atMost.toNanos(), TimeUnit.NANOSECONDS);
            if (process.isAlive()) {
                throw new IOException("given up: " + String.join(" ", command));
            }
            if (process.exitValue() != 0) {
                throw new IOException("exit status " + process.exitValue() + " of " + String.join(" ", command) + ": "
                        + stderr.get().strip());
            }
            return stdout.get().stripTrailing();
        } catch (TimeoutException e) {
            throw new IOException("no end within " + atMost + " of " + String.join(" ", command), e);
        } catch (ExecutionException e) {
            throw new IOException("cannot follow " + String.join(" ", command), e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted in " + String.join(" ", command));
        } finally {
            process.destroyForcibly();
        }
    }
}
