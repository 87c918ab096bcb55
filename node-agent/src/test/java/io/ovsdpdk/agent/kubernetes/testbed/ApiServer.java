package io.ovsdpdk.agent.kubernetes.testbed;

import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.ConfigBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.server.mock.KubernetesCrudDispatcher;
import io.fabric8.mockwebserver.MockWebServer;
import io.fabric8.mockwebserver.http.Dispatcher;
import io.fabric8.mockwebserver.http.MockResponse;
import io.fabric8.mockwebserver.http.RecordedRequest;
import io.fabric8.mockwebserver.http.Response;
import io.fabric8.mockwebserver.http.WebSocket;
import io.fabric8.mockwebserver.http.WebSocketListener;
import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.InetAddress;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * fabric8's API server, which keeps what it is given and tells watches of it, on a port of this machine; with what it
 * lacks: selection of pods by their node, {@code pods/status}, words for what is missing, tokens, faults, and an end and a new beginning on the
 * same port and with the same contents. For any number of threads.
 */
public final class ApiServer implements AutoCloseable {
    /** It tells each request on standard error, and {@link #requests} does too; held here, or its level would be lost. */
    private static final Logger LOG_OF_SERVER = Logger.getLogger(MockWebServer.class.getName());

    static {
        LOG_OF_SERVER.setLevel(Level.WARNING);
    }

    /** Pods get this label, and a selection by node becomes one by it: the server knows no other fields than names. */
    private static final String NODE_LABEL = "testbed/node";

    private static final Pattern BY_NODE = Pattern.compile("fieldSelector=spec\\.nodeName(?:%3D|=)([^&]*)");

    private final KubernetesCrudDispatcher contents = new KubernetesCrudDispatcher();
    private final PodStatusSubresource podStatus = new PodStatusSubresource(contents::dispatch);
    private final List<String> requests = new CopyOnWriteArrayList<>();
    private final Set<WebSocket> watches = ConcurrentHashMap.newKeySet();
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition opened = lock.newCondition();
    private volatile Function<RecordedRequest, Optional<MockResponse>> fault = _ -> Optional.empty();
    private volatile Optional<String> token = Optional.empty();
    private final boolean https;
    private MockWebServer server;
    private KubernetesClient client;
    private final int port;

    private ApiServer(boolean https) {
        this.https = https;
        server = server();
        server.start(InetAddress.getLoopbackAddress(), 0);
        port = server.getPort();
        client = newClient();
    }

    /** An API server that has begun to listen, without TLS. */
    public static ApiServer start() {
        return new ApiServer(false);
    }

    /** Likewise, with TLS and a certificate for {@code localhost} and 127.0.0.1. */
    public static ApiServer startWithTls() {
        return new ApiServer(true);
    }

    private MockWebServer server() {
        MockWebServer fresh = new MockWebServer();
        // the JDK's HTTP client would ask for it
        fresh.setHttp2ClearTextEnabled(false);
        if (https) {
            fresh.useHttps();
        }
        fresh.setDispatcher(new Dispatcher() {
            @Override
            public MockResponse dispatch(RecordedRequest request) {
                return answer(request);
            }
        });
        return fresh;
    }

    private KubernetesClient newClient() {
        return new KubernetesClientBuilder()
                .withConfig(new ConfigBuilder(Config.empty())
                        .withMasterUrl(url())
                        .withTrustCerts(https)
                        .withOauthTokenProvider(() -> token.orElse(""))
                        .build())
                .build();
    }

    private MockResponse answer(RecordedRequest request) {
        requests.add(request.getMethod() + " " + URLDecoder.decode(request.getPath(), StandardCharsets.UTF_8));
        if (token.isPresent() && !("Bearer " + token.get()).equals(request.getHeader("Authorization"))) {
            return new MockResponse().setResponseCode(401);
        }
        if (isWatch(request) && !"websocket".equalsIgnoreCase(request.getHeader("Upgrade"))) {
            // fabric8's client goes on so when a web socket could not be had; its server has only those. Then it begins
            // anew
            return new MockResponse().setResponseCode(410);
        }
        return fault.apply(request).orElseGet(() -> contentsFor(request));
    }

    private MockResponse contentsFor(RecordedRequest request) {
        Matcher byNode = BY_NODE.matcher(request.getPath());
        String path = byNode.replaceAll(found -> "labelSelector=" + NODE_LABEL + "%3D" + found.group(1));
        if (PodStatusSubresource.isMeant(request)) {
            return podStatus.answer(request);
        }
        MockResponse response = contents.dispatch(new RecordedRequest(
                request.getHttpVersion(), request.method(), path, request.getHeaders(), request.getBody()));
        if (response.code() == HttpURLConnection.HTTP_NOT_FOUND) {
            return PodStatusSubresource.failure(HttpURLConnection.HTTP_NOT_FOUND, "NotFound");
        }
        if (response.getWebSocketListener() != null) {
            response.withWebSocketUpgrade(new Noted(response.getWebSocketListener()));
        }
        return response;
    }

    /**
     * A watch that can be broken from here. What it sends goes through a queue: fabric8's own waits for the server's one
     * thread while that waits for it, when a watch ends as something is being sent.
     */
    private final class Noted extends WebSocketListener {
        private final WebSocketListener watch;
        private final ExecutorService queue =
                Executors.newSingleThreadExecutor(Thread.ofVirtual().factory());

        Noted(WebSocketListener watch) {
            this.watch = watch;
        }

        @Override
        public void onOpen(WebSocket webSocket, Response response) {
            lock.lock();
            try {
                watches.add(webSocket);
                opened.signalAll();
            } finally {
                lock.unlock();
            }
            watch.onOpen(new Queued(webSocket, queue), response);
        }

        @Override
        public void onClosed(WebSocket webSocket, int code, String reason) {
            watches.remove(webSocket);
            watch.onClosed(webSocket, code, reason);
            queue.shutdown();
        }

        @Override
        public void onFailure(WebSocket webSocket, Throwable error, Response response) {
            watches.remove(webSocket);
            watch.onFailure(webSocket, error, response);
            queue.shutdown();
        }
    }

    private record Queued(WebSocket socket, ExecutorService queue) implements WebSocket {
        @Override
        public RecordedRequest request() {
            return socket.request();
        }

        @Override
        public boolean send(String text) {
            return later(() -> socket.send(text));
        }

        @Override
        public boolean send(byte[] bytes) {
            return later(() -> socket.send(bytes));
        }

        @Override
        public boolean close(int code, String reason) {
            return later(() -> socket.close(code, reason));
        }

        /** What comes after the end of the server goes nowhere, and must not fail another test. */
        private boolean later(Callable<Boolean> action) {
            // submit keeps what it throws in a future that nobody reads
            try {
                queue.submit(action);
                return true;
            } catch (RejectedExecutionException e) {
                return false;
            }
        }
    }

    public int port() {
        return port;
    }

    public String url() {
        return (https ? "https" : "http") + "://127.0.0.1:" + port;
    }

    /** The certificate authority that signed the server's certificate; with TLS only, and of the running server only. */
    public Path certificate() {
        return Path.of(server.getSelfSignedCertificate().certificatePath());
    }

    /** The test's own way to the contents: it makes pods, for instance. */
    public KubernetesClient client() {
        return client;
    }

    /** Makes a pod as the API server has it when kubelet sees it: with a UID, on a node. */
    public Pod create(Pod pod) {
        return client.resource(new PodBuilder(pod)
                        .editMetadata()
                        .addToLabels(NODE_LABEL, pod.getSpec().getNodeName())
                        .endMetadata()
                        .build())
                .create();
    }

    /** Somebody sets an annotation of a pod while a request is being answered, and not by a request of his own. */
    public void contentsChange(String namespace, String pod, String annotation, String text) {
        podStatus.annotate("/api/v1/namespaces/" + namespace + "/pods/" + pod, annotation, text);
    }

    /** What was asked so far, method and path with query, in order. */
    public List<String> requests() {
        return List.copyOf(requests);
    }

    public void forgetRequests() {
        requests.clear();
    }

    /** From now on only requests with this bearer token are answered; all others get 401. */
    public void requireToken(String required) {
        token = Optional.of(required);
    }

    /** From now on requests are answered by this, as far as it has an answer. */
    public void answerWith(Function<RecordedRequest, Optional<MockResponse>> answers) {
        fault = answers;
    }

    /** The end of all faults. */
    public void answerWell() {
        fault = _ -> Optional.empty();
    }

    /** Whether a request is for a watch. */
    public static boolean isWatch(RecordedRequest request) {
        return request.getPath().contains("watch=true");
    }

    /** A watch that says at once that its resource version is too old, as after a compaction. */
    public static MockResponse gone() {
        return new MockResponse().withWebSocketUpgrade(new WebSocketListener() {
            @Override
            public void onOpen(WebSocket webSocket, Response response) {
                webSocket.send("""
                        {"type": "ERROR", "object": {"kind": "Status", "apiVersion": "v1", "metadata": {},
                        "status": "Failure", "message": "too old resource version: 1 (2)", "reason": "Expired",
                        "code": 410}}""");
            }
        });
    }

    /** How many watches are open. */
    public int watches() {
        return watches.size();
    }

    /** Ends all watches that are open now. A client may know of its first one sooner than we do: that one is waited for. */
    public void breakWatches() throws InterruptedException {
        lock.lock();
        try {
            for (long left = TimeUnit.SECONDS.toNanos(10); watches.isEmpty(); left = opened.awaitNanos(left)) {
                if (left <= 0) {
                    throw new IllegalStateException("there is no watch");
                }
            }
        } finally {
            lock.unlock();
        }
        watches.forEach(watch -> watch.close(1001, "the test breaks it"));
    }

    /** Nobody answers at the port any more; the contents stay. */
    public void stop() throws IOException {
        client.close();
        server.close();
        watches.clear();
    }

    /** Answers at the same port again. */
    public void restart() {
        server = server();
        server.start(InetAddress.getLoopbackAddress(), port);
        client = newClient();
    }

    /** A kubeconfig that leads here. */
    public Path writeKubeconfig(Path file, String userToken) throws IOException {
        return Files.writeString(file, """
                apiVersion: v1
                kind: Config
                clusters:
                - name: testbed
                  cluster: {server: "%s", insecure-skip-tls-verify: %s}
                users:
                - name: agent
                  user: {token: "%s"}
                contexts:
                - name: testbed
                  context: {cluster: testbed, user: agent}
                current-context: testbed
                """.formatted(url(), https, userToken));
    }

    @Override
    public void close() throws IOException {
        stop();
    }
}
