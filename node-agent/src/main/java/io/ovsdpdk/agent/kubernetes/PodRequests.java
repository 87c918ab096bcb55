package io.ovsdpdk.agent.kubernetes;

import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.Status;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.http.HttpRequest;
import io.fabric8.kubernetes.client.http.HttpResponse;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * What is asked of the API server about single pods. Each is one request, which is not repeated; at most
 * {@value #AT_A_TIME} are under way.
 */
final class PodRequests {
    private static final int AT_A_TIME = 4;

    private static final Duration TIMEOUT = Duration.ofSeconds(10);

    private final KubernetesClient client;
    private final Semaphore turns = new Semaphore(AT_A_TIME);

    PodRequests(KubernetesClient client) {
        this.client = client;
    }

    /**
     * The pod that has the name now.
     *
     * @throws KubernetesClientException when the API server does not answer
     */
    Optional<Pod> read(Pod pod) throws InterruptedException {
        turns.acquire();
        try {
            return Optional.ofNullable(client.pods()
                    .inNamespace(pod.getMetadata().getNamespace())
                    .withName(pod.getMetadata().getName())
                    .get());
        } finally {
            turns.release();
        }
    }

    /**
     * Changes what {@code pods/status} may change: the annotations, and never the spec. By the HTTP client itself, for
     * fabric8's own {@code patch} reads the pod each time before it sends one.
     *
     * @param patch a JSON Patch (RFC 6902)
     * @return the pod as it is then
     * @throws KubernetesClientException with the API server's code, or 0 when it does not answer
     */
    Pod patchStatus(Pod pod, String patch) throws InterruptedException {
        HttpRequest request = client.getHttpClient()
                .newHttpRequestBuilder()
                .uri(client.getMasterUrl() + "api/v1/namespaces/"
                        + pod.getMetadata().getNamespace() + "/pods/"
                        + pod.getMetadata().getName() + "/status")
                .method("PATCH", "application/json-patch+json", patch)
                .timeout(TIMEOUT.toMillis(), TimeUnit.MILLISECONDS)
                .build();
        HttpResponse<String> answer = send(request);
        if (!answer.isSuccessful()) {
            throw new KubernetesClientException(words(answer), answer.code(), null);
        }
        Pod changed = client.getKubernetesSerialization().unmarshal(answer.body(), Pod.class);
        if (changed == null) {
            throw new KubernetesClientException("an empty answer");
        }
        return changed;
    }

    private HttpResponse<String> send(HttpRequest request) throws InterruptedException {
        turns.acquire();
        try {
            return await(client.getHttpClient().sendAsync(request, String.class));
        } finally {
            turns.release();
        }
    }

    private static HttpResponse<String> await(CompletableFuture<HttpResponse<String>> answer)
            throws InterruptedException {
        try {
            return answer.get(TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
        } catch (ExecutionException e) {
            throw new KubernetesClientException(String.valueOf(e.getCause().getMessage()), e.getCause());
        } catch (TimeoutException e) {
            throw new KubernetesClientException("no answer within " + TIMEOUT.toSeconds() + " s", e);
        } finally {
            answer.cancel(true);
        }
    }

    /** What the API server says, or a proxy before it that knows no {@link Status}. */
    private String words(HttpResponse<String> answer) {
        if (!answer.body().startsWith("{")) {
            // It would be read as YAML
            return "HTTP status " + answer.code();
        }
        try {
            Status status = client.getKubernetesSerialization().unmarshal(answer.body(), Status.class);
            if (status != null && status.getMessage() != null) {
                return status.getMessage();
            }
        } catch (KubernetesClientException | IllegalArgumentException e) {
            return "HTTP status " + answer.code();
        }
        return "HTTP status " + answer.code();
    }
}
