package io.ovsdpdk.bench;

import java.io.IOException;
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
        Spawn spawn = new Spawn(command, environment, input, scratch.resolve("stdout"), Path.of("/dev/null"));
        long start = System.nanoTime();
        int status = spawn.run();
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
        int status =
                new Spawn(measured, environment, input(scratch), scratch.resolve("stdout"), Path.of("/dev/null")).run();
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
}
