package io.ovsdpdk.agent.kubernetes.testbed;

import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.ovsdpdk.agent.kubernetes.ApiServerAccess;
import io.ovsdpdk.ovsdb.testbed.ChildProcess;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;

/**
 * A real {@code kube-apiserver} on an {@code etcd} of its own, both on free ports of the loopback interface. There are no
 * kubelets and controllers: pods are bound to nodes by who makes them, and stay as they are.
 */
public final class KubeApiServer implements AutoCloseable {
    private static final Duration START = Duration.ofSeconds(60);

    private final Path programs;
    private final Path folder;
    private final int etcdPort = freePort();
    private final int port = freePort();
    private final ChildProcess etcd;
    private ChildProcess server;

    /**
     * Starts both, and waits until they are ready.
     *
     * @param programs folder with {@code etcd} and {@code kube-apiserver}
     * @param folder an empty one for what they keep
     */
    public KubeApiServer(Path programs, Path folder) throws IOException {
        this.programs = programs;
        this.folder = folder;
        // Token, user, its ID, its groups
        Files.writeString(folder.resolve("tokens"), """
                admin,admin,1,system:masters
                agent,system:serviceaccount:ovs-dpdk-cni:ovs-dpdk-agent,2
                """);
        run("openssl", "genrsa", "-out", folder.resolve("key").toString(), "2048");
        int peerPort = freePort();
        etcd = ChildProcess.start(
                List.of(
                        programs.resolve("etcd").toString(),
                        "--data-dir=" + folder.resolve("etcd"),
                        "--listen-client-urls=http://127.0.0.1:" + etcdPort,
                        "--advertise-client-urls=http://127.0.0.1:" + etcdPort,
                        "--listen-peer-urls=http://127.0.0.1:" + peerPort,
                        "--unsafe-no-fsync"),
                Map.of(),
                folder.resolve("etcd.log"));
        start();
    }

    /** Starts the server, the first time or again, on the same port and with the same contents. */
    public void start() throws IOException {
        server = ChildProcess.start(
                List.of(
                        programs.resolve("kube-apiserver").toString(),
                        "--etcd-servers=http://127.0.0.1:" + etcdPort,
                        "--bind-address=127.0.0.1",
                        "--secure-port=" + port,
                        "--insecure-port=0",
                        "--cert-dir=" + folder.resolve("certificates"),
                        "--token-auth-file=" + folder.resolve("tokens"),
                        "--authorization-mode=RBAC",
                        "--service-account-issuer=https://kubernetes.default.svc",
                        "--service-account-key-file=" + folder.resolve("key"),
                        "--service-account-signing-key-file=" + folder.resolve("key"),
                        "--service-cluster-ip-range=10.0.0.0/24",
                        "--endpoint-reconciler-type=none",
                        // No controller makes the ServiceAccounts that it asks for
                        "--disable-admission-plugins=ServiceAccount"),
                Map.of(),
                folder.resolve("kube-apiserver.log"));
        long end = System.nanoTime() + START.toNanos();
        try (KubernetesClient admin = client("admin")) {
            while (!isReady(admin)) {
                if (!server.isAlive() || System.nanoTime() > end) {
                    throw new IOException("kube-apiserver does not come up:\n" + server.output());
                }
                LockSupport.parkNanos(Duration.ofMillis(50).toNanos());
            }
        }
    }

    private static boolean isReady(KubernetesClient admin) {
        try {
            return "ok".equals(admin.raw("/readyz"))
                    && admin.namespaces().withName("default").get() != null;
        } catch (KubernetesClientException e) {
            return false;
        }
    }

    /** SIGKILL: its connections break. */
    public void kill() throws IOException {
        server.kill();
    }

    /** As the agent's ServiceAccount ({@code agent}), or with all rights ({@code admin}); the caller closes it. */
    public KubernetesClient client(String token) throws IOException {
        Path kubeconfig = Files.writeString(folder.resolve("kubeconfig-" + token), """
                apiVersion: v1
                kind: Config
                clusters:
                - name: testbed
                  cluster: {server: "https://127.0.0.1:%d", insecure-skip-tls-verify: true}
                users:
                - name: user
                  user: {token: "%s"}
                contexts:
                - name: testbed
                  context: {cluster: testbed, user: user}
                current-context: testbed
                """.formatted(port, token));
        return new ApiServerAccess.OfKubeconfig(kubeconfig).client();
    }

    /**
     * The way of a pod with a ServiceAccount.
     *
     * @param serviceAccount a folder, which gets {@code ca.crt}; whoever calls writes {@code token}
     */
    public ApiServerAccess accessOfPod(Path serviceAccount) throws IOException {
        Files.copy(
                folder.resolve("certificates/apiserver.crt"),
                serviceAccount.resolve("ca.crt"),
                StandardCopyOption.REPLACE_EXISTING);
        return new ApiServerAccess.OfPod("127.0.0.1", String.valueOf(port), serviceAccount);
    }

    /** Forgets what its contents were before now: nobody can watch from an earlier version on. */
    public void compact() throws IOException {
        String answer = post("/v3/kv/put", "{\"key\": \"dGVzdA==\"}");
        String revision = answer.replaceAll(".*\"revision\":\"(\\d+)\".*", "$1");
        post("/v3/kv/compaction", "{\"revision\": " + revision + ", \"physical\": true}");
    }

    private String post(String path, String body) throws IOException {
        URI uri = URI.create("http://127.0.0.1:" + etcdPort + path);
        try (HttpClient http = HttpClient.newHttpClient()) {
            HttpResponse<String> answer = http.send(
                    HttpRequest.newBuilder(uri)
                            .POST(HttpRequest.BodyPublishers.ofString(body))
                            .build(),
                    HttpResponse.BodyHandlers.ofString());
            if (answer.statusCode() != 200) {
                throw new IOException(path + " answers " + answer.body());
            }
            return answer.body().strip();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while asking etcd");
        }
    }

    private static int freePort() {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        } catch (IOException e) {
            throw new IllegalStateException("no free port", e);
        }
    }

    private static void run(String... command) throws IOException {
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        if (process.onExit().join().exitValue() != 0) {
            throw new IOException(String.join(" ", command) + " failed");
        }
    }

    @Override
    public void close() throws IOException {
        server.kill();
        etcd.kill();
    }
}
