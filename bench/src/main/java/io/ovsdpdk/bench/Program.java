package io.ovsdpdk.bench;

import java.io.File;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * A process that is started again and again and timed from its start to its end. What starting it from here costs is in
 * every figure alike: compare differences.
 *
 * @param stdin what it reads
 */
record Program(List<String> command, Map<String, String> environment, byte[] stdin) {
    private static final String TIME = "/usr/bin/time";

    /** How long one run took. */
    Duration run(Path scratch) throws IOException {
        Path input = input(scratch);
        ProcessBuilder builder = builder(command, input, scratch);
        long start = System.nanoTime();
        int status = await(builder.start());
        Duration took = Duration.ofNanos(System.nanoTime() - start);
        if (status != 0) {
            throw failed(status, scratch);
        }
        return took;
    }

    /** The peak resident set size of one run, KiB, as GNU time tells it. */
    long peak(Path scratch) throws IOException {
        Path figures = scratch.resolve("peak");
        List<String> measured = new ArrayList<>(List.of(TIME, "--quiet", "-f", "%M", "-o", figures.toString()));
        measured.addAll(command);
        int status = await(builder(measured, input(scratch), scratch).start());
        if (status != 0) {
            throw failed(status, scratch);
        }
        return Long.parseLong(Files.readString(figures).strip());
    }

    private IOException failed(int status, Path scratch) throws IOException {
        return new IOException(String.join(" ", command) + " ended with " + status + ": "
                + Files.readString(scratch.resolve("stdout")));
    }

    private Path input(Path scratch) throws IOException {
        return Files.write(scratch.resolve("stdin"), stdin);
    }

    private ProcessBuilder builder(List<String> line, Path input, Path scratch) {
        ProcessBuilder builder = new ProcessBuilder(line)
                .redirectInput(input.toFile())
                .redirectOutput(scratch.resolve("stdout").toFile())
                .redirectError(new File("/dev/null"));
        builder.environment().clear();
        builder.environment().putAll(environment);
        return builder;
    }

    private static int await(Process process) throws IOException {
        try {
            return process.waitFor();
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while a program ran");
        }
    }
}
