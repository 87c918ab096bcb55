package io.ovsdpdk.image;

import io.ovsdpdk.agent.kubernetes.testbed.ApiServer;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.Reply;
import io.ovsdpdk.api.Request;
import io.ovsdpdk.api.Wire;
import io.ovsdpdk.ovsdb.testbed.ChildProcess;
import io.ovsdpdk.ovsdb.testbed.OvsDpdk;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;

/**
 * The agent of a {@link Layout} as a process that sees itself where the image will have it, in a mount namespace of its own,
 * on a switch, in a cluster. Needs root.
 */
final class StagedAgent implements AutoCloseable {
    private static final Duration START = Duration.ofSeconds(60);

    /** A JVM that is trained writes down what it learned when it ends, which takes longer than all the rest. */
    private static final Duration END = Duration.ofMinutes(3);

    private static final String SERVICE_ACCOUNT = "/run/secrets/kubernetes.io/serviceaccount";

    /** Mounts its first argument where the image has it, the second where a pod has it, and becomes the rest. */
    private static final String IN_PLACE = """
            set -e
            mount -t tmpfs tmpfs /opt
            mkdir %1$s
            mount --bind "$0" %1$s
            mount -t tmpfs tmpfs /run
            mkdir -p %2$s
            mount --bind "$1" %2$s
            shift
            exec "$@"
            """.formatted(Layout.HOME, SERVICE_ACCOUNT);

    private final Path folder;
    private final ChildProcess process;

    private StagedAgent(Path folder, ChildProcess process) {
        this.folder = folder;
        this.process = process;
    }

    /**
     * Starts it and waits until it is ready.
     *
     * @param java the command line of its JVM
     * @param apiServer with TLS; all its tokens are good
     */
    static StagedAgent start(Layout layout, List<String> java, OvsDpdk ovs, ApiServer apiServer) throws IOException {
        Path folder = Files.createTempDirectory(ovs.folder(), "a");
        Path shared = Files.createDirectory(folder.resolve("shared"));
        List<String> command = new ArrayList<>(List.of("unshare", "--mount", "sh", "-c", IN_PLACE));
        command.add(layout.stage().toString());
        command.add(serviceAccount(folder, apiServer).toString());
        command.addAll(java);
        command.addAll(List.of(
                "--ovsdb=unix:" + ovs.socket(),
                "--run-dir=" + folder.resolve("run"),
                "--state-dir=" + folder.resolve("state"),
                "--shared-dir-root=" + shared));
        Map<String, String> environment = Map.of(
                "KUBERNETES_SERVICE_HOST", "127.0.0.1",
                "KUBERNETES_SERVICE_PORT", Integer.toString(apiServer.port()),
                "NODE_NAME", "node-1");
        ChildProcess process = ChildProcess.start(command, environment, folder.resolve("agent.log"));
        StagedAgent agent = new StagedAgent(folder, process);
        try {
            agent.awaitReady();
            return agent;
        } catch (IOException e) {
            agent.close();
            throw e;
        }
    }

    private static Path serviceAccount(Path folder, ApiServer apiServer) throws IOException {
        Path account = Files.createDirectory(folder.resolve("serviceaccount"));
        Files.writeString(account.resolve("token"), "token");
        Files.copy(apiServer.certificate(), account.resolve("ca.crt"));
        return account;
    }

    private void awaitReady() throws IOException {
        long end = System.nanoTime() + START.toNanos();
        while (!isReady()) {
            if (!process.isAlive() || System.nanoTime() > end) {
                throw new IOException("the agent does not come up:\n" + process.output());
            }
            LockSupport.parkNanos(2_000_000);
        }
    }

    private boolean isReady() {
        try {
            return Files.exists(socket()) && exchange(new Request.Ready()) instanceof Reply.Done;
        } catch (IOException | CniException e) {
            // Not yet: nobody listens on a socket that is just being made
            return false;
        }
    }

    private Path socket() {
        return folder.resolve("run/agent/agent.sock");
    }

    /** A folder that a network configuration may name. */
    Path shared() {
        return folder.resolve("shared");
    }

    /** Bytes of memory that it holds. */
    long residentBytes() throws IOException {
        return Files.readAllLines(Path.of("/proc/" + process.pid() + "/status")).stream()
                .filter(line -> line.startsWith("VmRSS:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024)
                .findFirst()
                .orElseThrow();
    }

    /** @throws IOException also when it answers that it failed */
    void ask(Request request) throws IOException {
        try {
            if (exchange(request) instanceof Reply.Failed failed) {
                throw failed.error();
            }
        } catch (CniException e) {
            throw new IOException(request + " failed: " + e.getMessage() + " " + e.details(), e);
        }
    }

    private Reply exchange(Request request) throws IOException, CniException {
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket()))) {
            ByteBuffer bytes = ByteBuffer.wrap(Wire.encode(request));
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
            return Wire.decodeReply(Channels.newInputStream(channel).readAllBytes());
        }
    }

    /** SIGTERM, and waits for its end. */
    void stop() throws IOException {
        ProcessHandle.of(process.pid()).ifPresent(ProcessHandle::destroy);
        if (!process.awaitExit(END)) {
            throw new IOException("the agent does not end:\n" + process.output());
        }
    }

    @Override
    public void close() throws IOException {
        process.kill();
    }
}
