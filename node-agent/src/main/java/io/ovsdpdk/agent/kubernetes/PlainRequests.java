package io.ovsdpdk.agent.kubernetes;

import io.fabric8.kubernetes.api.model.Status;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.http.HttpRequest;
import io.fabric8.kubernetes.client.http.HttpResponse;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Requests by the HTTP client itself, each sent once and as it is: fabric8's own {@code patch} reads the object each time
 * before it sends one.
 */
final class PlainRequests {
    private static final Duration TIMEOUT = Duration.ofSeconds(10);

    private final KubernetesClient client;

    PlainRequests(KubernetesClient client) {
        this.client = client;
    }

    /**
     * @param path below {@code api/v1/}
     * @return the answer's body
     * @throws KubernetesClientException with the API server's code, or 0 when it does not answer within ten seconds
     */
    String send(String method, String path, String contentType, String body) throws InterruptedException {
        HttpRequest request = client.getHttpClient()
                .newHttpRequestBuilder()
                .uri(client.getMasterUrl() + "api/v1/" + path)
                .method(method, contentType, body)
                .timeout(TIMEOUT.toMillis(), TimeUnit.MILLISECONDS)
                .build();
        HttpResponse<String> answer = await(client.getHttpClient().sendAsync(request, String.class));
        if (!answer.isSuccessful()) {
            throw new KubernetesClientException(words(answer), answer.code(), null);
        }
        return answer.body();
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
