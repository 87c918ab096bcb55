package io.ovsdpdk.agent.kubernetes;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fabric8.kubernetes.api.model.Status;
import io.fabric8.kubernetes.api.model.StatusBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.http.HttpRequest;
import io.fabric8.kubernetes.client.http.HttpResponse;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.Json;
import java.net.HttpURLConnection;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Optional;
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

    /** Of what an answer says, in chars: for a line of a log. */
    private static final int LONGEST_MESSAGE = 1024;

    private final KubernetesClient client;

    PlainRequests(KubernetesClient client) {
        this.client = client;
    }

    /**
     * @param path below {@code api/v1/}
     * @return the answer's body
     * @throws KubernetesClientException with the API server's code and, where it gave one, its {@link Status}; code 0 when it
     *     does not answer within ten seconds
     */
    String send(String method, String path, String contentType, String body) throws InterruptedException {
        return answered(request(path).method(method, contentType, body));
    }

    /** Likewise, for a GET. */
    String get(String path) throws InterruptedException {
        return answered(request(path));
    }

    /**
     * Whether the API server itself says that there is no such object. Whoever else stands at its address, a load balancer
     * for instance, has a 404 without these words.
     *
     * @param kind as its URLs have it: {@code pods}
     */
    static boolean isNotFound(KubernetesClientException e, String kind) {
        Status status = e.getStatus();
        if (e.getCode() != HttpURLConnection.HTTP_NOT_FOUND || status == null) {
            return false;
        }
        String missing =
                status.getDetails() == null ? null : status.getDetails().getKind();
        return "Status".equals(status.getKind())
                && "NotFound".equals(status.getReason())
                && (missing == null || missing.isEmpty() || missing.equals(kind));
    }

    private HttpRequest.Builder request(String path) {
        return client.getHttpClient().newHttpRequestBuilder().uri(client.getMasterUrl() + "api/v1/" + path);
    }

    private String answered(HttpRequest.Builder request) throws InterruptedException {
        HttpResponse<String> answer = await(client.getHttpClient()
                .sendAsync(
                        request.timeout(TIMEOUT.toMillis(), TimeUnit.MILLISECONDS)
                                .build(),
                        String.class));
        if (!answer.isSuccessful()) {
            Optional<Status> status = status(answer.body());
            throw new KubernetesClientException(
                    status.map(Status::getMessage)
                            .filter(words -> !words.isEmpty())
                            .orElse("HTTP status " + answer.code()),
                    answer.code(),
                    status.orElse(null));
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

    /** What the API server says; empty where it is a proxy before it that speaks, and knows no {@link Status}. */
    private static Optional<Status> status(String body) {
        try {
            ObjectNode answer = Json.readObject("answer", body.getBytes(StandardCharsets.UTF_8));
            if (!answer.path("kind").asText().equals("Status")) {
                return Optional.empty();
            }
            String message = answer.path("message").asText();
            return Optional.of(new StatusBuilder()
                    .withReason(answer.path("reason").asText())
                    .withMessage(message.substring(0, Math.min(LONGEST_MESSAGE, message.length())))
                    .withNewDetails()
                    .withKind(answer.at("/details/kind").asText())
                    .endDetails()
                    .build());
        } catch (CniException e) {
            return Optional.empty();
        }
    }
}
