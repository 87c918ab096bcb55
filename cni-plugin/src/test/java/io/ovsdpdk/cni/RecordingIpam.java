package io.ovsdpdk.cni;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;

/** An IPAM plugin that speaks CNI 1.1.0, records how it was run, and does what it is told to. */
final class RecordingIpam {
    /** As {@code ipam} of a network configuration. */
    static final String MEMBER = ",\"ipam\":{\"type\":\"recording\"}";

    static final String ADDRESSES =
            "{\"cniVersion\":\"1.1.0\",\"ips\":[{\"address\":\"10.1.0.5/16\",\"gateway\":\"10.1.0.1\"}],\"dns\":{}}";

    private final Path folder;

    RecordingIpam(Path folder) throws IOException {
        this.folder = folder;
        answer("ADD", ADDRESSES);
        answer("VERSION", "{\"cniVersion\":\"1.1.0\",\"supportedVersions\":[\"1.0.0\",\"1.1.0\"]}");
        Path script = folder.resolve("recording");
        Files.writeString(script, """
                #!/bin/sh
                cd '%s'
                echo "$CNI_COMMAND" >> commands
                env > "$CNI_COMMAND.env"
                cat > "$CNI_COMMAND.stdin"
                if [ -f "$CNI_COMMAND.sh" ]; then . "./$CNI_COMMAND.sh"; fi
                """.formatted(folder));
        Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    Path folder() {
        return folder;
    }

    RecordingIpam answer(String command, String json) throws IOException {
        return does(command, "echo '" + json + "'");
    }

    RecordingIpam fails(String command, String json) throws IOException {
        return does(command, "echo '" + json + "'; exit 1");
    }

    /** @param shell what it does after it has recorded a run with that command */
    RecordingIpam does(String command, String shell) throws IOException {
        Files.writeString(folder.resolve(command + ".sh"), shell + "\n");
        return this;
    }

    /** The commands that it was run with, in that order. */
    List<String> commands() throws IOException {
        Path commands = folder.resolve("commands");
        return Files.exists(commands) ? Files.readAllLines(commands) : List.of();
    }

    /** The environment of the last run with that command. */
    List<String> environment(String command) throws IOException {
        return Files.readAllLines(folder.resolve(command + ".env"));
    }

    /** What the last run with that command got on standard input, byte by byte. */
    String stdin(String command) throws IOException {
        return Files.readString(folder.resolve(command + ".stdin"));
    }

    ObjectNode network(String command) throws IOException {
        return ContainerRuntime.json(stdin(command));
    }
}
