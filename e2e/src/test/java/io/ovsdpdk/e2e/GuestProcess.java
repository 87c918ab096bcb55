package io.ovsdpdk.e2e;

import io.ovsdpdk.api.MacAddress;
import java.io.BufferedReader;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/** A {@link VhostUserGuest} as a process of its own, with the user and the umask of some pod. It ends when it is closed. */
final class GuestProcess implements Closeable {
    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final String LISTENING = "listening";
    private static final String CONNECTED = "connected after ms: ";

    private final Process process;
    private final BufferedReader output;

    private GuestProcess(Process process) {
        this.process = process;
        this.output = process.inputReader();
    }

    /**
     * Returns when the guest listens.
     *
     * @param classes of {@link #classesIn}
     * @param umask in octal digits
     */
    static GuestProcess start(String classes, Path socket, MacAddress mac, int uid, String umask) throws IOException {
        Process process = new ProcessBuilder(
                        "setpriv",
                        "--reuid=" + uid,
                        "--regid=" + uid,
                        "--clear-groups",
                        "--pdeathsig=KILL",
                        "--",
                        "sh",
                        "-c",
                        "umask $0 && exec \"$@\"",
                        umask,
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-XX:+UseSerialGC",
                        "-XX:TieredStopAtLevel=1",
                        "-Xmx64m",
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        classes,
                        GuestProcess.class.getName(),
                        socket.toString(),
                        mac.text())
                .redirectErrorStream(true)
                .start();
        GuestProcess guest = new GuestProcess(process);
        guest.line(LISTENING);
        return guest;
    }

    /**
     * Copies the guest's classes to where every user can read them, into a new folder {@code guest} of this one, and returns
     * a class path.
     */
    static String classesIn(Path folder) throws Exception {
        Path copies = Files.createDirectory(folder.resolve("guest"));
        List<String> classPath = new ArrayList<>();
        for (Class<?> type : List.of(GuestProcess.class, VhostUserGuest.class, MacAddress.class)) {
            Path place = Path.of(
                    type.getProtectionDomain().getCodeSource().getLocation().toURI());
            Path copy = copies.resolve(type.getSimpleName());
            shell("cp -r \"$1\" \"$2\" && chmod -R a+rX \"$3\"", place, copy, copies);
            classPath.add(copy.toString());
        }
        return String.join(":", classPath);
    }

    private static void shell(String script, Path... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of("/bin/sh", "-c", script, "sh"));
        Arrays.stream(arguments).map(Path::toString).forEach(command::add);
        Process process = new ProcessBuilder(command).inheritIO().start();
        if (process.onExit().join().exitValue() != 0) {
            throw new IOException("failed: " + command);
        }
    }

    /** The guest's process: listens, says when the switch has connected, and stays until its standard input ends. */
    public static void main(String[] arguments) throws IOException {
        try (VhostUserGuest guest = VhostUserGuest.listen(Path.of(arguments[0]), new MacAddress(arguments[1]))) {
            long start = System.nanoTime();
            System.out.println(LISTENING);
            guest.awaitConnection(PATIENCE);
            System.out.println(
                    CONNECTED + Duration.ofNanos(System.nanoTime() - start).toMillis());
            while (System.in.read() >= 0) {
                // whatever is said, only the end counts
            }
        }
    }

    /** Waits for the switch, and returns how long after the socket's appearance it had connected and knew the queues. */
    Duration awaitConnection() throws IOException {
        return Duration.ofMillis(Long.parseLong(line(CONNECTED)));
    }

    /** What stands behind these words, which the next line must begin with. */
    private String line(String words) throws IOException {
        String line = output.readLine();
        if (line == null || !line.startsWith(words)) {
            throw new IOException("the guest says \"" + line + "\", not \"" + words + "\": "
                    + output.lines().collect(Collectors.joining("\n")));
        }
        return line.substring(words.length());
    }

    @Override
    public void close() throws IOException {
        process.getOutputStream().close();
        process.onExit().orTimeout(10, TimeUnit.SECONDS).join();
    }
}
