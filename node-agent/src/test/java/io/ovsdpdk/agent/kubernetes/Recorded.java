package io.ovsdpdk.agent.kubernetes;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.ovsdpdk.api.Attached;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.MacAddress;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalInt;

/** What Multus 4.3.0 wrote into pods, what the downward API made of it, and interfaces that could be theirs. */
final class Recorded {
    private static final Path RESOURCES = Path.of("src/test/resources");

    /** The address of all interfaces of the recordings but one. */
    static final String MAC = "02:11:22:33:44:55";

    private Recorded() {}

    /** The annotation as Multus left it for a pod. */
    static String networkStatus(String pod) {
        return read("multus/" + pod + "/network-status.json").strip();
    }

    /** A pod's file of annotations. */
    static String annotations(String pod) {
        return read("app-netutil/" + pod + ".annotations");
    }

    static PodInterface ours(String ifname, String socketPath) {
        return ours(ifname, socketPath, MAC, false);
    }

    static PodInterface ours(String ifname, String socketPath, String mac, boolean legacy) {
        return new PodInterface(
                "c0ffee",
                "fast",
                new Attached(
                        ifname, "/run/netns/p1", new MacAddress(mac), OptionalInt.empty(), socketPath, Json.object()),
                legacy);
    }

    static JsonNode json(String text) {
        try {
            return new ObjectMapper().readTree(text);
        } catch (IOException e) {
            throw new AssertionError(text, e);
        }
    }

    private static String read(String file) {
        try {
            return Files.readString(RESOURCES.resolve(file));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
