package io.ovsdpdk.ovsdb.testbed;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
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
    private final ServerUser user;
    private Optional<ChildProcess> process = Optional.empty();

    private OvsdbServer(RunFolder folder, ServerUser user) {
        this.folder = folder;
        this.user = user;
    }

    /**
     * Creates the folder and an empty database; {@link #start} starts the server.
     *
     * @throws IOException if Open vSwitch is not installed (the message names the package), or the folder or database
     *     could not be made
     */
    public static OvsdbServer create() throws IOException {
        return create(ServerUser.ROOT);
    }

    /** Likewise, for a server that runs as this user. */
    static OvsdbServer create(ServerUser user) throws IOException {
        OvsdbServer server = new OvsdbServer(RunFolder.create(), user);
        try {
            user.own(server.folder());
            server.createDatabase();
            return server;
        } catch (IOException e) {
            throw closeAfter(e, server);
        }
    }

    private void createDatabase() throws IOException {
        CommandLine.run(
                DEADLINE,
                user.command(
                        List.of(Program.OVSDB_TOOL.path(), "create", database().toString(), Program.SCHEMA.path())));
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
        ChildProcess started = folder.start(
                "ovsdb-server",
                user.command(List.of(
                        Program.OVSDB_SERVER.path(),
                        database().toString(),
                        "--remote=punix:" + socket(),
                        "--unixctl=" + control(),
                        "--no-chdir")));
        process = Optional.of(started);
        awaitAnswer(started);
    }

    /**
     * The server makes a second socket, for those who don't see its folder, and has it until it ends.
     *
     * @param socket in a folder that is there
     * @throws IOException if the server doesn't run, or can't make it
     */
    public void listenAt(Path socket) throws IOException {
        CommandLine.run(
                DEADLINE,
                List.of(
                        Program.OVS_APPCTL.path(),
                        "--target=" + control(),
                        "ovsdb-server/add-remote",
                        "punix:" + socket));
        if (!Files.exists(socket)) {
            throw new IOException("ovsdb-server made no socket " + socket + ":\n" + log());
        }
    }

    private void awaitAnswer(ChildProcess started) throws IOException {
        long deadline = System.nanoTime() + DEADLINE.toNanos();
        while (true) {
            try {
                vsctl("--no-wait", "init");
                return;
            } catch (IOException e) {
                if (started.awaitExit(BETWEEN_ATTEMPTS)) {
                    throw new IOException("ovsdb-server has ended:\n" + log(), e);
                }
                if (System.nanoTime() - deadline > 0) {
                    throw new IOException("no answer of ovsdb-server within " + DEADLINE + ":\n" + log(), e);
                }
            }
        }
    }

    /** Kills the server and starts it with an empty database. */
    void lose() throws IOException {
        kill();
        Files.delete(database());
        createDatabase();
        start();
    }

    /** Ends the server with SIGTERM and waits for its end. */
    public void stop() throws IOException {
        started().terminate();
    }

    /** Ends the server with SIGKILL and waits for its end. The database and a stale socket stay. */
    public void kill() throws IOException {
        started().kill();
    }

    /** SIGSTOP: connections stay open, nothing is answered. */
    public void suspend() throws IOException {
        started().suspend();
    }

    /** SIGCONT. */
    public void resume() throws IOException {
        started().resume();
    }

    public boolean isRunning() {
        return process.isPresent() && process.get().isAlive();
    }

    /** The server's process ID, or that of its last run. */
    public long pid() {
        return started().pid();
    }

    private ChildProcess started() {
        return process.orElseThrow(() -> new IllegalStateException("ovsdb-server was never started"));
    }

    /** The private folder, {@code /tmp/ovs-<6 hex>}, mode 0755 or what the umask leaves of it. */
    public Path folder() {
        return folder.path();
    }

    /** The server's unix socket, {@code <folder>/db.sock}. */
    public Path socket() {
        return folder().resolve("db.sock");
    }

    private Path control() {
        return folder().resolve("ovsdb.ctl");
    }

    private Path database() {
        return folder().resolve("conf.db");
    }

    /** What the server has logged so far, in all its runs. */
    public String log() throws IOException {
        return started().output();
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

    ServerUser user() {
        return user;
    }

    /** For another server of Open vSwitch that shares the folder and its fate. */
    RunFolder runFolder() {
        return folder;
    }

    /** Ends the server, and all others in the folder, and removes the folder. */
    @Override
    public void close() throws IOException {
        folder.close();
    }
}
