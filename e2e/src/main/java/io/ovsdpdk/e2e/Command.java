package io.ovsdpdk.e2e;

import java.io.IOException;
import java.nio.charset.StandardCharsets;

/** A program of the system that is run to its end. */
final class Command {
    private Command() {}

    /**
     * Runs it; what it says on standard error is said on ours.
     *
     * @return what it prints, without white space around it
     * @throws IOException when it fails
     */
    static String run(String... command) throws IOException {
        Process process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (process.onExit().join().exitValue() != 0) {
            throw new IOException("failed: " + String.join(" ", command));
        }
        return said.strip();
    }
}
