package io.ovsdpdk.e2e;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/**
 * A control group whose processes share a limit of processor time, as Kubernetes sets it for a container. Of whichever
 * version of control groups this machine has the controller in.
 */
final class CpuLimit implements AutoCloseable {
    private static final int PERIOD_MICROS = 100_000;

    private final Path group;

    private CpuLimit(Path group) {
        this.group = group;
    }

    /**
     * @param millis thousandths of a processor
     * @throws IOException when we may make no such group here
     */
    static CpuLimit of(int millis) throws IOException {
        String quota = Integer.toString(millis * PERIOD_MICROS / 1000);
        for (String line : Files.readAllLines(Path.of("/proc/self/mountinfo"))) {
            // ID, parent, device, root, mount point, options … - type, source, options of the file system
            Path mount = Path.of(line.split(" ")[4]);
            String[] system = line.substring(line.indexOf(" - ") + 3).split(" ");
            if (system[0].equals("cgroup")
                    && Arrays.asList(system[2].split(",")).contains("cpu")) {
                Path group = Files.createTempDirectory(mount, "ovs-dpdk-cni-");
                Files.writeString(group.resolve("cpu.cfs_period_us"), Integer.toString(PERIOD_MICROS));
                Files.writeString(group.resolve("cpu.cfs_quota_us"), quota);
                return new CpuLimit(group);
            }
            if (system[0].equals("cgroup2")
                    && words(mount.resolve("cgroup.controllers")).contains("cpu")) {
                if (!words(mount.resolve("cgroup.subtree_control")).contains("cpu")) {
                    Files.writeString(mount.resolve("cgroup.subtree_control"), "+cpu");
                }
                Path group = Files.createTempDirectory(mount, "ovs-dpdk-cni-");
                Files.writeString(group.resolve("cpu.max"), quota + " " + PERIOD_MICROS);
                return new CpuLimit(group);
            }
        }
        throw new IOException("no control groups with a cpu controller are mounted here: mount -t cgroup2");
    }

    private static List<String> words(Path file) throws IOException {
        return List.of(Files.readString(file).strip().split("\\s+"));
    }

    /** Takes a process and its later children into the group. */
    void add(long pid) throws IOException {
        Files.writeString(group.resolve("cgroup.procs"), Long.toString(pid));
    }

    /** All its processes must have ended. */
    @Override
    public void close() throws IOException {
        Files.delete(group);
    }
}
