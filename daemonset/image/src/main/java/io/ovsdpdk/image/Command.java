package io.ovsdpdk.image;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** A program of the build machine that is run to its end. */
final class Command {
    private static final int LIMIT_SECONDS = 300;

    private Command() {}

    /**
     * @return what it printed, on both streams
     * @throws IOException when it fails, with what it printed, or doesn't end within five minutes
     */
    static String run(List<String> command) throws IOException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        try {
            CompletableFuture<byte[]> printed = CompletableFuture.supplyAsync(() -> read(process));
            if (!process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)) {
                throw new IOException("no end within " + LIMIT_SECONDS + " s of " + String.join(" ", command));
            }
            String output = new String(printed.join(), StandardCharsets.UTF_8);
            if (process.exitValue() != 0) {
                throw new IOException(
                        "exit status " + process.exitValue() + " of " + String.join(" ", command) + ": " + output);
            }
            return output;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted in " + command.getFirst());
        } finally {
            process.destroyForcibly();
        }
    }

    private static byte[] read(Process process) {
        try {
            return process.getInputStream().readAllBytes();
        } catch (IOException e) {
            return ("its output can't be read: " + e).getBytes(StandardCharsets.UTF_8);
        }
    }
}
