package io.ovsdpdk.e2e;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/**
 * A control group whose processes share a limit of memory; one that goes over it is killed, as in a container. Of whichever
 * version of control groups this machine has the memory controller in.
 */
final class MemoryLimit implements AutoCloseable {
    private final Path group;
    private final Path kills;

    private MemoryLimit(Path group, Path kills) {
        this.group = group;
        this.kills = kills;
    }

    /** @throws IOException when we may make no such group here */
    static MemoryLimit of(long bytes) throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/self/mountinfo"))) {
            // ID, parent, device, root, mount point, options … - type, source, options of the file system
            Path mount = Path.of(line.split(" ")[4]);
            String[] system = line.substring(line.indexOf(" - ") + 3).split(" ");
            if (system[0].equals("cgroup")
                    && Arrays.asList(system[2].split(",")).contains("memory")) {
                return version1(mount, bytes);
            }
            if (system[0].equals("cgroup2")
                    && words(mount.resolve("cgroup.controllers")).contains("memory")) {
                return version2(mount, bytes);
            }
        }
        throw new IOException("no control groups with a memory controller are mounted here: mount -t cgroup2");
    }

    private static MemoryLimit version1(Path mount, long bytes) throws IOException {
        Path group = Files.createTempDirectory(mount, "ovs-dpdk-cni-");
        Files.writeString(group.resolve("memory.limit_in_bytes"), Long.toString(bytes));
        Path withSwap = group.resolve("memory.memsw.limit_in_bytes");
        if (Files.exists(withSwap)) {
            Files.writeString(withSwap, Long.toString(bytes));
        }
        return new MemoryLimit(group, group.resolve("memory.oom_control"));
    }

    private static MemoryLimit version2(Path mount, long bytes) throws IOException {
        if (!words(mount.resolve("cgroup.subtree_control")).contains("memory")) {
            Files.writeString(mount.resolve("cgroup.subtree_control"), "+memory");
        }
        Path group = Files.createTempDirectory(mount, "ovs-dpdk-cni-");
        Files.writeString(group.resolve("memory.max"), Long.toString(bytes));
        if (Files.exists(group.resolve("memory.swap.max"))) {
            Files.writeString(group.resolve("memory.swap.max"), "0");
        }
        return new MemoryLimit(group, group.resolve("memory.events"));
    }

    private static List<String> words(Path file) throws IOException {
        return List.of(Files.readString(file).strip().split("\\s+"));
    }

    /** What starts another program in the group: its own arguments, then that program's. */
    String[] starter() {
        return new String[] {
            "/bin/sh",
            "-e",
            "-c",
            "echo $$ >\"$1\"; shift; exec \"$@\"",
            "sh",
            group.resolve("cgroup.procs").toString()
        };
    }

    /** How many processes were killed because of the limit. */
    long kills() throws IOException {
        return Files.readAllLines(kills).stream()
                .filter(line -> line.startsWith("oom_kill "))
                .mapToLong(line -> Long.parseLong(line.split(" ")[1]))
                .findFirst()
                .orElseThrow(() -> new IOException(kills + " does not tell"));
    }

    /** All its processes must have ended. */
    @Override
    public void close() throws IOException {
        Files.delete(group);
    }
}
