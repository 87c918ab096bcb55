package io.ovsdpdk.e2e;

import io.ovsdpdk.api.Request;
import io.ovsdpdk.api.Wire;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;

/** A process of its own that asks the agent for its status and prints the answer. */
final class StatusClient {
    private StatusClient() {}

    /** @param arguments the agent's socket */
    public static void main(String[] arguments) throws IOException {
        try (RawClient client = RawClient.connect(Path.of(arguments[0]))) {
            System.out.print(client.send(Wire.encode(new Request.Status())).answer(Duration.ofSeconds(10)));
        }
    }
}
