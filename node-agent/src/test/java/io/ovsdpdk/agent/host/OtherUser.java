package io.ovsdpdk.agent.host;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Somebody without rights of root and in no group but his own, who makes sockets and connects to sockets: with processes,
 * since the permissions of one of ours would prove nothing.
 *
 * @param uid the user's number, and that of his group
 */
record OtherUser(int uid) {

    private static final String LISTEN = """
            use Socket; $| = 1;
            umask oct $ARGV[1];
            socket(S, PF_UNIX, SOCK_STREAM, 0) or die "$!\\n";
            bind(S, pack_sockaddr_un($ARGV[0])) or die "$!\\n";
            listen(S, 5) or die "$!\\n";
            print "listening\\n";
            <STDIN>;
            """;

    private static final String CONNECT = """
            use Socket;
            socket(S, PF_UNIX, SOCK_STREAM, 0) or die "$!\\n";
            print connect(S, pack_sockaddr_un($ARGV[0])) ? "connected" : "$!";
            """;

    /** A process that listens until it is closed; the socket stays. */
    static final class Listener implements AutoCloseable {
        private final Process process;

        private Listener(Process process) {
            this.process = process;
        }

        @Override
        public void close() {
            process.destroyForcibly().onExit().join();
        }
    }

    /** Returns when it listens. */
    Listener listen(Path socket, int umask) throws IOException {
        Process process = perl(LISTEN, socket.toString(), Integer.toOctalString(umask));
        BufferedReader output = process.inputReader();
        String line = output.readLine();
        if (!"listening".equals(line)) {
            throw new IOException("user " + uid + " can't listen at " + socket + ": " + line);
        }
        return new Listener(process);
    }

    /** Tries once: {@code "connected"}, or what the kernel says. */
    String connect(Path socket) throws IOException {
        return output(perl(CONNECT, socket.toString()));
    }

    /** Runs a shell's script to its end, with arguments {@code $1} and on. */
    String run(String script, Object... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of("/bin/sh", "-e", "-c", script, "sh"));
        Arrays.stream(arguments).map(Object::toString).forEach(command::add);
        return output(start(command));
    }

    private static String output(Process process) throws IOException {
        String output = new String(process.getInputStream().readAllBytes());
        process.onExit().join();
        return output;
    }

    private Process perl(String script, String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of("/usr/bin/perl", "-e", script));
        command.addAll(List.of(arguments));
        return start(command);
    }

    private Process start(List<String> command) throws IOException {
        List<String> asUser =
                new ArrayList<>(List.of("setpriv", "--reuid=" + uid, "--regid=" + uid, "--clear-groups", "--"));
        asUser.addAll(command);
        return new ProcessBuilder(asUser).redirectErrorStream(true).start();
    }
}
