package io.ovsdpdk.e2e;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.Json;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * One run of the plugin's command line, as a container runtime does it: {@code CNI_*} in the environment, the network
 * configuration on standard input, the result or the error on standard output.
 *
 * @param environment all that the process sees
 * @param network the network configuration
 */
public record PluginCall(List<String> command, Map<String, String> environment, byte[] network) {
    private static final Duration LIMIT = Duration.ofSeconds(90);

    /**
     * What came of it.
     *
     * @param took from the start of the process to its end
     */
    public record Outcome(int status, String stdout, String stderr, Duration took) {
        public boolean succeeded() {
            return status == 0;
        }

        /** The result, or the error. */
        public ObjectNode json() {
            try {
                return Json.readObject("answer of the plugin", stdout.getBytes(StandardCharsets.UTF_8));
            } catch (CniException e) {
                throw new IllegalStateException("status " + status + ", stdout " + stdout + ", stderr " + stderr, e);
            }
        }

        /** The code of the error; 0 after a success. */
        public int code() {
            return succeeded() ? 0 : json().path("code").asInt(-1);
        }
    }

    public PluginCall {
        environment = Map.copyOf(environment);
    }

    /** The same call with another environment variable; {@code null} takes the variable away. */
    public PluginCall with(String variable, String value) {
        Map<String, String> changed = new LinkedHashMap<>(environment);
        if (value == null) {
            changed.remove(variable);
        } else {
            changed.put(variable, value);
        }
        return new PluginCall(command, changed, network);
    }

    /** The same call with another network configuration. */
    public PluginCall with(byte[] otherNetwork) {
        return new PluginCall(command, environment, otherNetwork);
    }

    /** The same call with another network configuration. */
    public PluginCall with(ObjectNode otherNetwork) {
        return with(Json.write(otherNetwork));
    }

    /** The same call by another program, which starts the plugin in its place: its path, its arguments. */
    public PluginCall by(String... starter) {
        List<String> longer = new ArrayList<>(List.of(starter));
        longer.addAll(command);
        return new PluginCall(longer, environment, network);
    }

    /** Its process, which gets the network configuration from the caller. */
    public ProcessBuilder process() {
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.environment().clear();
        builder.environment().putAll(environment);
        return builder;
    }

    /** @throws IOException when it can't be started, or doesn't end within a minute and a half */
    public Outcome run() throws IOException {
        long start = System.nanoTime();
        Process process = process().start();
        Output stdout = Output.of(process.getInputStream());
        Output stderr = Output.of(process.getErrorStream());
        try (OutputStream stdin = process.getOutputStream()) {
            stdin.write(network);
        } catch (IOException e) {
            // It ended without reading all of it, which is its right; what it answers is what counts
            stderr.note("standard input was not read: " + e.getMessage());
        }
        try {
            if (!process.waitFor(LIMIT.toNanos(), TimeUnit.NANOSECONDS)) {
                process.destroyForcibly();
                throw new IOException("the plugin did not end within " + LIMIT.toSeconds() + " s: " + stderr.text());
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while the plugin ran");
        }
        Duration took = Duration.ofNanos(System.nanoTime() - start);
        return new Outcome(process.exitValue(), stdout.text(), stderr.text(), took);
    }
}
