package io.ovsdpdk.ovsdb.testbed;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * A server that runs in the foreground as a child of this JVM and dies with it, even if the JVM is killed.
 *
 * <p>The kernel sends a child its parent-death signal when the <em>thread</em> that started it ends, not the process.
 * So each child has a thread of its own, which starts it and lives as long as it does.
 */
public final class ChildProcess {
    private static final Duration TERMINATION = Duration.ofSeconds(10);

    private final Process process;
    private final Path output;
    private boolean suspended;

    private ChildProcess(Process process, Path output) {
        this.process = process;
        this.output = output;
    }

    /**
     * Starts {@code command}; stdout and stderr are appended to {@code output}.
     *
     * @throws IOException if the program could not be started
     */
    public static ChildProcess start(List<String> command, Map<String, String> environment, Path output)
            throws IOException {
        List<String> boundToThisJvm = new ArrayList<>(List.of(Program.SETPRIV.path(), "--pdeathsig", "KILL"));
        boundToThisJvm.addAll(command);
        ProcessBuilder builder = new ProcessBuilder(boundToThisJvm)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(output.toFile()));
        builder.environment().putAll(environment);
        CompletableFuture<Process> started = new CompletableFuture<>();
        Thread.ofPlatform().daemon().name("child-" + output.getFileName()).start(() -> {
            try {
                Process process = builder.start();
                started.complete(process);
                process.onExit().join();
            } catch (IOException e) {
                started.completeExceptionally(new UncheckedIOException(e));
            }
        });
        try {
            return new ChildProcess(started.join(), output);
        } catch (CompletionException e) {
            throw new IOException("cannot start " + command.getFirst(), e.getCause());
        }
    }

    /** Whether it runs. */
    public boolean isAlive() {
        return process.isAlive();
    }

    /** Its process ID; unshare and setpriv give way to the program, so it is the program's. */
    public long pid() {
        return process.pid();
    }

    /** Done when it has ended. */
    public CompletableFuture<Process> onExit() {
        return process.onExit();
    }

    /** Waits until the process has ended, or the time is up; true if it has ended. */
    public boolean awaitExit(Duration atMost) throws IOException {
        try {
            return process.waitFor(atMost.toNanos(), TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while waiting for process " + process.pid());
        }
    }

    /** SIGSTOP: the process keeps its sockets and answers nothing. Returns when all its threads stand still. */
    public void suspend() throws IOException {
        signal("STOP");
        suspended = true;
        long end = System.nanoTime() + TERMINATION.toNanos();
        while (!standsStill()) {
            if (System.nanoTime() > end) {
                throw new IOException("process " + pid() + " does not stop");
            }
            LockSupport.parkNanos(1_000_000);
        }
    }

    /** The signal reaches a thread that runs on another processor only in the end. */
    private boolean standsStill() throws IOException {
        try (DirectoryStream<Path> threads = Files.newDirectoryStream(Path.of("/proc/" + pid() + "/task"))) {
            for (Path thread : threads) {
                String stat = Files.readString(thread.resolve("stat"));
                if (stat.charAt(stat.lastIndexOf(')') + 2) != 'T') {
                    return false;
                }
            }
        }
        return true;
    }

    /** SIGCONT. */
    public void resume() throws IOException {
        signal("CONT");
        suspended = false;
    }

    private void signal(String name) throws IOException {
        CommandLine.run(Duration.ofSeconds(10), List.of("/bin/sh", "-c", "kill -" + name + " " + process.pid()));
    }

    /** SIGTERM, and SIGKILL if that is not enough. A suspended process is resumed, or it would not see the signal. */
    public void terminate() throws IOException {
        if (suspended && process.isAlive()) {
            resume();
        }
        process.destroy();
        if (!awaitExit(TERMINATION)) {
            kill();
        }
    }

    /** SIGKILL, and waits for the end. */
    public void kill() throws IOException {
        process.destroyForcibly();
        if (!awaitExit(TERMINATION)) {
            throw new IOException("process " + process.pid() + " survives SIGKILL");
        }
    }

    /** What it has written to stdout and stderr. */
    public String output() throws IOException {
        return Files.readString(output);
    }
}
