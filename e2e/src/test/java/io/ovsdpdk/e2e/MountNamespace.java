package io.ovsdpdk.e2e;

import io.ovsdpdk.ovsdb.testbed.ChildProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;

/**
 * The files of a node of its own on this machine: {@code /run}, {@code /opt} and {@code /var/lib} are private, so that
 * programs find and leave there what they would on a real node, at the very same paths. All mounts are shared among those
 * who are in it, as systemd sets it up, and none is with us.
 */
final class MountNamespace implements AutoCloseable {
    private static final Duration START = Duration.ofSeconds(10);

    private static final String SCRIPT = """
            set -e
            mount -t tmpfs -o mode=755 tmpfs /run
            for folder in opt var/lib; do
              mkdir -p "$0/$folder/upper" "$0/$folder/work"
              mount -t overlay -o "lowerdir=/$folder,upperdir=$0/$folder/upper,workdir=$0/$folder/work" overlay "/$folder"
            done
            mount --make-rshared /
            touch "$0/ready"
            exec sleep infinity
            """;

    private final ChildProcess holder;

    private MountNamespace(ChildProcess holder) {
        this.holder = holder;
    }

    /** @param folder where what is written to its private folders lies; must exist */
    static MountNamespace create(Path folder) throws IOException {
        Path log = folder.resolve("namespace.log");
        ChildProcess holder = ChildProcess.start(
                List.of("unshare", "--mount", "--propagation=private", "sh", "-c", SCRIPT, folder.toString()),
                Map.of(),
                log);
        long end = System.nanoTime() + START.toNanos();
        while (Files.notExists(folder.resolve("ready"))) {
            if (!holder.isAlive() || System.nanoTime() > end) {
                holder.kill();
                throw new IOException("no mount namespace: " + Files.readString(log));
            }
            LockSupport.parkNanos(1_000_000);
        }
        return new MountNamespace(holder);
    }

    /** The beginning of a command line for a program that is to see these files. */
    List<String> enter() {
        return List.of("nsenter", "--mount=/proc/" + holder.pid() + "/ns/mnt", "--wdns=/");
    }

    /** Likewise for one in a container: mounts that come later reach it, and its own reach nobody. */
    List<String> enterAsContainer() {
        return Stream.concat(enter().stream(), Stream.of("unshare", "--mount", "--propagation=slave"))
                .toList();
    }

    /** How we reach one of its files. */
    Path path(String absolute) {
        return Path.of("/proc/" + holder.pid() + "/root" + absolute);
    }

    /** The mount points below a folder. */
    List<String> mountsBelow(String folder) throws IOException {
        return Files.readAllLines(Path.of("/proc/" + holder.pid() + "/mountinfo")).stream()
                .map(line -> line.split(" ")[4])
                .filter(mount -> mount.startsWith(folder + "/"))
                .toList();
    }

    @Override
    public void close() throws IOException {
        holder.kill();
    }
}
