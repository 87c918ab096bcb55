package io.ovsdpdk.agent.kubernetes;

import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.ConfigBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

/** The ways to the API server: as a pod of the cluster, or by a kubeconfig. Connecting is left to the first request. */
public final class ApiServerAccess {
    /** Where kubelet puts a pod's ServiceAccount. */
    public static final Path SERVICE_ACCOUNT = Path.of("/var/run/secrets/kubernetes.io/serviceaccount");

    private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(5);
    private static final Duration REQUEST_TIMEOUT = Duration.ofSeconds(10);

    /** Of a watch that ended; doubled with each failure, up to 16 s. */
    private static final Duration FIRST_PAUSE = Duration.ofMillis(500);

    private ApiServerAccess() {}

    /**
     * As the pod's ServiceAccount. Its token is read anew for each request, since kubelet replaces it within the hour.
     *
     * @param host {@code KUBERNETES_SERVICE_HOST}, an IPv6 address without brackets
     * @param port {@code KUBERNETES_SERVICE_PORT}
     * @param serviceAccount folder with {@code token} and {@code ca.crt}
     */
    public static KubernetesClient ofPod(String host, String port, Path serviceAccount) {
        Path token = serviceAccount.resolve("token");
        return client(new ConfigBuilder(Config.empty())
                .withMasterUrl("https://" + (host.contains(":") ? "[" + host + "]" : host) + ":" + port)
                .withCaCertFile(serviceAccount.resolve("ca.crt").toString())
                .withOauthTokenProvider(() -> read(token)));
    }

    /**
     * As the current context of a kubeconfig; a token in it is read anew when the API server refuses the old one.
     *
     * @throws IOException when the file is no kubeconfig
     */
    public static KubernetesClient ofKubeconfig(Path kubeconfig) throws IOException {
        try (var _ = Files.newInputStream(kubeconfig)) {
            return client(new ConfigBuilder(Config.fromKubeconfig(kubeconfig.toFile())));
        } catch (KubernetesClientException | IllegalArgumentException e) {
            throw new IOException(kubeconfig + " is no kubeconfig: " + e.getMessage(), e);
        }
    }

    private static KubernetesClient client(ConfigBuilder config) {
        return new KubernetesClientBuilder()
                .withConfig(config.withConnectionTimeout((int) CONNECT_TIMEOUT.toMillis())
                        .withRequestTimeout((int) REQUEST_TIMEOUT.toMillis())
                        .withWatchReconnectInterval((int) FIRST_PAUSE.toMillis())
                        // Whoever asks knows until when an answer is of use, and asks again
                        .withRequestRetryBackoffLimit(0)
                        .withUserAgent("ovs-dpdk-agent")
                        .build())
                .build();
    }

    private static String read(Path token) {
        try {
            return Files.readString(token).strip();
        } catch (IOException e) {
            throw new UncheckedIOException("can't read the token of the ServiceAccount", e);
        }
    }
}
