package io.ovsdpdk.ovsdb.testbed;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/**
 * A real {@code ovsdb-server} on a database of its own in a private folder, which can be killed, suspended and started
 * again on the same database.
 *
 * <p>Without a vswitchd nothing applies what is written: then give {@link #vsctl} the option {@code --no-wait}.
 *
 * <p>To be used by one thread, except {@link #vsctl}, which any thread may call.
 */
public final class OvsdbServer implements AutoCloseable {
    private static final Duration DEADLINE = Duration.ofSeconds(30);
    private static final Duration BETWEEN_ATTEMPTS = Duration.ofMillis(5);

    private final RunFolder folder;
    private final Thread shutdownHook = new Thread(this::abandon, "ovsdb-server-shutdown");
    private ChildProcess process;

    private OvsdbServer(RunFolder folder) {
        this.folder = folder;
    }

    /**
     * Creates the folder and an empty database; {@link #start} starts the server.
     *
     * @throws IOException if Open vSwitch is not installed (the message names the package), or the folder or database
     *     could not be made
     */
    public static OvsdbServer create() throws IOException {
        OvsdbServer server = new OvsdbServer(RunFolder.create());
        Runtime.getRuntime().addShutdownHook(server.shutdownHook);
        try {
            CommandLine.run(
                    DEADLINE,
                    List.of(
                            Program.OVSDB_TOOL.path(),
                            "create",
                            server.database().toString(),
                            Program.SCHEMA.path()));
            return server;
        } catch (IOException e) {
            throw closeAfter(e, server);
        }
    }

    /** Closes what a failure left, and returns the failure with what closing it added. */
    static IOException closeAfter(IOException failure, OvsdbServer server) {
        try {
            server.close();
        } catch (IOException e) {
            failure.addSuppressed(e);
        }
        return failure;
    }

    /**
     * Starts the server and waits until it answers.
     *
     * @throws IllegalStateException if it runs
     * @throws IOException if it does not answer within 30 s; the message holds its log
     */
    public void start() throws IOException {
        if (isRunning()) {
            throw new IllegalStateException("ovsdb-server runs already");
        }
        process = ChildProcess.start(
                List.of(
                        Program.OVSDB_SERVER.path(),
                        database().toString(),
                        "--remote=punix:" + socket(),
                        "--unixctl=" + folder().resolve("ovsdb.ctl"),
                        "--no-chdir"),
                environment(),
                logFile());
        awaitAnswer();
    }

    private void awaitAnswer() throws IOException {
        long deadline = System.nanoTime() + DEADLINE.toNanos();
        while (true) {
            try {
                vsctl("--no-wait", "init");
                return;
            } catch (IOException e) {
                if (process.awaitExit(BETWEEN_ATTEMPTS)) {
                    throw new IOException("ovsdb-server has ended:\n" + log(), e);
                }
                if (System.nanoTime() - deadline > 0) {
                    throw new IOException("no answer of ovsdb-server within " + DEADLINE + ":\n" + log(), e);
                }
            }
        }
    }

    /** Ends the server with SIGTERM and waits for its end; a server that does not run is left alone. */
    public void stop() throws IOException {
        if (process != null) {
            process.terminate();
        }
    }

    /** Ends the server with SIGKILL and waits for its end. The database and a stale socket stay. */
    public void kill() throws IOException {
        if (process != null) {
            process.kill();
        }
    }

    /** SIGSTOP: connections stay open, nothing is answered. */
    public void suspend() throws IOException {
        process.suspend();
    }

    /** SIGCONT. */
    public void resume() throws IOException {
        process.resume();
    }

    public boolean isRunning() {
        return process != null && process.isAlive();
    }

    /** The server's process ID, or that of its last run. */
    public long pid() {
        return process.pid();
    }

    /** The private folder, {@code /tmp/ovs-<6 hex>}, mode 0755 or what the umask leaves of it. */
    public Path folder() {
        return folder.path();
    }

    /** The server's unix socket, {@code <folder>/db.sock}. */
    public Path socket() {
        return folder().resolve("db.sock");
    }

    private Path database() {
        return folder().resolve("conf.db");
    }

    private Path logFile() {
        return folder().resolve("ovsdb-server.log");
    }

    /** What the server has logged so far, in all its runs. */
    public String log() throws IOException {
        return process.output();
    }

    /** Keeps every file of Open vSwitch inside the folder. */
    Map<String, String> environment() {
        String path = folder().toString();
        return Map.of(
                "OVS_RUNDIR", path,
                "OVS_LOGDIR", path,
                "OVS_DBDIR", path,
                "OVS_SYSCONFDIR", path,
                "RUNTIME_DIRECTORY", path); // DPDK's, else /var/run/dpdk
    }

    /**
     * Runs {@code ovs-vsctl} on this server and returns what it prints, without the last newline.
     *
     * @throws IOException if it fails; the message holds its stderr. It waits at most 30 s for the server and vswitchd
     */
    public String vsctl(String... args) throws IOException {
        return vsctl(new CompletableFuture<>(), args);
    }

    /** As {@link #vsctl(String...)}, but gives up as soon as {@code futile} completes. */
    String vsctl(CompletableFuture<?> futile, String... args) throws IOException {
        List<String> command = new ArrayList<>(
                List.of(Program.OVS_VSCTL.path(), "--db=unix:" + socket(), "--timeout=" + DEADLINE.toSeconds()));
        command.addAll(List.of(args));
        return CommandLine.run(DEADLINE.plusSeconds(5), command, futile);
    }

    /** Ends the server and removes the folder. */
    @Override
    public void close() throws IOException {
        kill();
        folder.delete();
        try {
            Runtime.getRuntime().removeShutdownHook(shutdownHook);
        } catch (IllegalStateException e) {
            return; // the JVM is ending, and the hook finds nothing left to do
        }
    }

    private void abandon() {
        if (process != null) {
            process.abandon();
        }
        try {
            folder.delete();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
