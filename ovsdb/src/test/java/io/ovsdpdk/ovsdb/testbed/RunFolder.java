package io.ovsdpdk.ovsdb.testbed;

import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ThreadLocalRandom;

/**
 * A new folder {@code /tmp/ovs-<6 hex>} and the servers that run in it; both go when it is closed, or when the JVM
 * ends. The name is short because the sockets below it must fit into the 107 bytes of a unix socket's address.
 */
final class RunFolder implements Closeable {
    private final Path path;
    private final List<ChildProcess> children = new CopyOnWriteArrayList<>();
    private final Thread shutdownHook = new Thread(this::removeAtExit, "run-folder-shutdown");

    private RunFolder(Path path) {
        this.path = path;
    }

    static RunFolder create() throws IOException {
        RunFolder folder = new RunFolder(createFolder());
        Runtime.getRuntime().addShutdownHook(folder.shutdownHook);
        return folder;
    }

    private static Path createFolder() throws IOException {
        while (true) {
            int number = ThreadLocalRandom.current().nextInt(1 << 24);
            Path path = Path.of("/tmp/ovs-" + HexFormat.of().toHexDigits(number, 6));
            try {
                return Files.createDirectory(path);
            } catch (FileAlreadyExistsException e) {
                continue; // another run's; the next number
            }
        }
    }

    Path path() {
        return path;
    }

    /** Starts a server of Open vSwitch that keeps its files in the folder and writes to {@code <name>.log}. */
    ChildProcess start(String name, List<String> command) throws IOException {
        String place = path.toString();
        Map<String, String> environment = Map.of(
                "OVS_RUNDIR", place,
                "OVS_LOGDIR", place,
                "OVS_DBDIR", place,
                "OVS_SYSCONFDIR", place,
                "RUNTIME_DIRECTORY", place); // DPDK's, else /var/run/dpdk
        ChildProcess child = ChildProcess.start(command, environment, path.resolve(name + ".log"));
        children.add(child);
        return child;
    }

    /** Kills the servers and removes the folder. */
    @Override
    public void close() throws IOException {
        remove();
        try {
            Runtime.getRuntime().removeShutdownHook(shutdownHook);
        } catch (IllegalStateException e) {
            return; // the JVM is ending, and the hook finds nothing left to do
        }
    }

    private void removeAtExit() {
        try {
            remove();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private synchronized void remove() throws IOException {
        for (ChildProcess child : children) {
            child.kill();
        }
        if (Files.exists(path)) {
            FolderTree.delete(path);
        }
    }
}
