package io.ovsdpdk.e2e;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CompletableFuture;

/** What a process writes, read while it runs, so that a full pipe doesn't stop it. */
final class Output {
    private final CompletableFuture<byte[]> bytes = new CompletableFuture<>();
    private final StringBuilder notes = new StringBuilder();

    private Output() {}

    static Output of(InputStream stream) {
        Output output = new Output();
        Thread.ofVirtual().start(() -> {
            try (stream) {
                output.bytes.complete(stream.readAllBytes());
            } catch (IOException e) {
                output.bytes.completeExceptionally(e);
            }
        });
        return output;
    }

    void note(String text) {
        notes.append(text).append('\n');
    }

    /** All of it, once the process has closed it. */
    String text() {
        return notes + new String(bytes.join(), StandardCharsets.UTF_8);
    }
}
