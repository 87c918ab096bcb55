package io.ovsdpdk.agent.kubernetes;

import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.ConfigBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.OAuthTokenProvider;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The ways to the API server. */
public sealed interface ApiServerAccess {
    Duration CONNECT_TIMEOUT = Duration.ofSeconds(5);
    Duration REQUEST_TIMEOUT = Duration.ofSeconds(10);

    /** Of a watch that ended; doubled with each failure, up to 16 s. */
    Duration FIRST_PAUSE = Duration.ofMillis(500);

    /**
     * A client; connecting is left to its first request.
     *
     * @throws IOException when what says where and as whom can't be read
     */
    KubernetesClient client() throws IOException;

    /**
     * As the ServiceAccount of the pod that the agent runs in. Its token is read anew for each request, since kubelet
     * replaces it within the hour; while it can't be read, the last one is used.
     *
     * @param host {@code KUBERNETES_SERVICE_HOST}, an IPv6 address without brackets
     * @param port {@code KUBERNETES_SERVICE_PORT}
     * @param serviceAccount folder with {@code token} and {@code ca.crt}
     */
    record OfPod(String host, String port, Path serviceAccount) implements ApiServerAccess {
        /** Where kubelet puts it. */
        public static final Path SERVICE_ACCOUNT = Path.of("/var/run/secrets/kubernetes.io/serviceaccount");

        @Override
        public KubernetesClient client() throws IOException {
            // Better known now than by refusals
            Token token = new Token(serviceAccount.resolve("token"));
            return ApiServerAccess.client(new ConfigBuilder(Config.empty())
                    .withMasterUrl("https://" + (host.contains(":") ? "[" + host + "]" : host) + ":" + port)
                    .withCaCertFile(serviceAccount.resolve("ca.crt").toString())
                    .withOauthTokenProvider(token));
        }
    }

    /** It never throws: an exception here would end fabric8's watch for good, where a refusal is tried again. */
    final class Token implements OAuthTokenProvider {
        private static final Logger LOG = LoggerFactory.getLogger(Token.class);

        private final Path file;
        private volatile String last;

        private Token(Path file) throws IOException {
            this.file = file;
            this.last = read();
        }

        private String read() throws IOException {
            return Files.readString(file).strip();
        }

        @Override
        public String getToken() {
            try {
                last = read();
            } catch (IOException e) {
                LOG.warn("the token of the ServiceAccount can't be read, going on with the last one: {}", e.toString());
            }
            return last;
        }
    }

    /** As the current context of a kubeconfig; a token in it is read anew when the API server refuses the old one. */
    record OfKubeconfig(Path kubeconfig) implements ApiServerAccess {
        @Override
        public KubernetesClient client() throws IOException {
            Files.readString(kubeconfig);
            try {
                return ApiServerAccess.client(new ConfigBuilder(Config.fromKubeconfig(kubeconfig.toFile())));
            } catch (KubernetesClientException | IllegalArgumentException e) {
                throw new IOException(kubeconfig + " is no kubeconfig: " + e.getMessage(), e);
            }
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
}
