package io.ovsdpdk.e2e;

import com.fasterxml.jackson.databind.JsonNode;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.Json;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * All of a node that a request could have changed.
 *
 * @param database every cell of the switch's database but those that change by themselves
 * @param files every file below the node's folder but the agent's log: path, type, mode, owner, size
 */
record NodeState(Set<String> database, Set<String> files) {
    /** Counters and measurements; {@code next_cfg} and {@code cur_cfg} count the changes that were waited for. */
    private static final Set<String> RESTLESS =
            Set.of("statistics", "status", "rstp_status", "rstp_statistics", "link_resets", "next_cfg", "cur_cfg");

    static NodeState of(Node node) throws IOException {
        return new NodeState(database(node), files(node));
    }

    private static Set<String> database(Node node) throws IOException {
        Process dump = new ProcessBuilder(
                        "ovsdb-client",
                        "--format=json",
                        "dump",
                        "unix:" + node.ovs().socket(),
                        "Open_vSwitch")
                .redirectErrorStream(true)
                .start();
        Set<String> cells = new TreeSet<>();
        try (BufferedReader output = dump.inputReader()) {
            for (String table : output.readAllLines()) {
                addCells(cells, Json.readObject("table", table.getBytes(StandardCharsets.UTF_8)));
            }
        } catch (CniException e) {
            throw new IOException("the dump of ovsdb-client can't be read", e);
        }
        if (cells.isEmpty()) {
            throw new IOException("ovsdb-client dumps nothing");
        }
        return cells;
    }

    private static void addCells(Set<String> cells, JsonNode table) {
        JsonNode columns = table.path("headings");
        for (JsonNode row : table.path("data")) {
            for (int i = 0; i < columns.size(); i++) {
                String column = columns.get(i).asText();
                if (!RESTLESS.contains(column)) {
                    cells.add("%s %s %s=%s".formatted(table.path("caption").asText(), row.get(0), column, row.get(i)));
                }
            }
        }
    }

    private static Set<String> files(Node node) throws IOException {
        Set<String> files = new TreeSet<>();
        List<Path> found;
        try (Stream<Path> walk = Files.walk(node.folder())) {
            found = walk.filter(path -> !path.endsWith("agent.log")).toList();
        }
        for (Path path : found) {
            PosixFileAttributes attributes =
                    Files.readAttributes(path, PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
            String type = attributes.isDirectory()
                    ? "folder"
                    : attributes.isRegularFile() ? attributes.size() + " bytes" : "neither file nor folder";
            files.add("%s %s %s %s"
                    .formatted(
                            path, PosixFilePermissions.toString(attributes.permissions()), attributes.owner(), type));
        }
        return files;
    }
}
