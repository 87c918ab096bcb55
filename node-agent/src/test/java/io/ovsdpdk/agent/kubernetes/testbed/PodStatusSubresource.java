package io.ovsdpdk.agent.kubernetes.testbed;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fabric8.mockwebserver.dsl.HttpMethod;
import io.fabric8.mockwebserver.http.Buffer;
import io.fabric8.mockwebserver.http.Headers;
import io.fabric8.mockwebserver.http.MockResponse;
import io.fabric8.mockwebserver.http.RecordedRequest;
import io.fabric8.zjsonpatch.JsonPatch;
import io.fabric8.zjsonpatch.JsonPatchException;
import java.net.HttpURLConnection;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.function.Function;
import java.util.regex.Pattern;

/**
 * {@code pods/status} as the real API server has it, where fabric8's changes nothing but the status and fails at a
 * {@code test}: annotations and labels are changed too, the spec never; a JSON Patch that can't be applied answers 422, an
 * update of an old version 409. Seen on kube-apiserver 1.20.
 */
final class PodStatusSubresource {
    private static final Pattern PATH = Pattern.compile("/api/v1/namespaces/[^/]+/pods/[^/]+/status");
    private static final int UNPROCESSABLE = 422;
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Function<RecordedRequest, MockResponse> contents;

    /** @param contents the server without this subresource */
    PodStatusSubresource(Function<RecordedRequest, MockResponse> contents) {
        this.contents = contents;
    }

    static boolean isMeant(RecordedRequest request) {
        String path = request.getPath().replaceAll("\\?.*", "");
        return PATH.matcher(path).matches() && !request.getMethod().equals("GET");
    }

    /** One at a time: whatever was read is still so when it is written, unless somebody changes the pod itself. */
    synchronized MockResponse answer(RecordedRequest request) {
        String pod = request.getPath().replaceAll("/status(\\?.*)?$", "");
        String body = request.getBody().readUtf8();
        while (true) {
            MockResponse read = contents.apply(request("GET", pod, ""));
            if (read.code() != HttpURLConnection.HTTP_OK) {
                return failure(read.code(), "NotFound");
            }
            try {
                JsonNode current = JSON.readTree(read.getBody().readUtf8());
                JsonNode wanted = JSON.readTree(body);
                if (request.getMethod().equals("PATCH")) {
                    wanted = JsonPatch.apply(wanted, current.deepCopy());
                } else if (isOutdated(wanted, current)) {
                    return failure(HttpURLConnection.HTTP_CONFLICT, "Conflict");
                }
                MockResponse written = contents.apply(
                        request("PUT", pod, changed(current, wanted).toString()));
                if (written.code() != HttpURLConnection.HTTP_CONFLICT) {
                    return written;
                }
            } catch (JsonPatchException e) {
                return failure(UNPROCESSABLE, "Invalid");
            } catch (JsonProcessingException e) {
                return failure(HttpURLConnection.HTTP_BAD_REQUEST, "BadRequest");
            }
        }
    }

    /** Sets an annotation of a pod that is there. */
    synchronized void annotate(String pod, String annotation, String text) {
        try {
            ObjectNode current = (ObjectNode) JSON.readTree(
                    contents.apply(request("GET", pod, "")).getBody().readUtf8());
            ((ObjectNode) current.get("metadata"))
                    .withObjectProperty("annotations")
                    .put(annotation, text);
            contents.apply(request("PUT", pod, current.toString()));
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    private static boolean isOutdated(JsonNode wanted, JsonNode current) {
        String version = wanted.at("/metadata/resourceVersion").asText();
        return !version.isEmpty()
                && !version.equals(current.at("/metadata/resourceVersion").asText());
    }

    private static JsonNode changed(JsonNode current, JsonNode wanted) {
        ObjectNode changed = current.deepCopy();
        for (String part : List.of("annotations", "labels")) {
            replace((ObjectNode) changed.get("metadata"), part, wanted.path("metadata"));
        }
        replace(changed, "status", wanted);
        return changed;
    }

    private static void replace(ObjectNode changed, String key, JsonNode wanted) {
        if (wanted.has(key)) {
            changed.set(key, wanted.get(key));
        } else {
            changed.remove(key);
        }
    }

    private static RecordedRequest request(String method, String path, String body) {
        return new RecordedRequest(
                "HTTP/1.1",
                HttpMethod.valueOf(method),
                path,
                Headers.builder().add("Content-Type", "application/json").build(),
                new Buffer().write(body.getBytes(StandardCharsets.UTF_8)));
    }

    static MockResponse failure(int code, String reason) {
        return new MockResponse().setResponseCode(code).setBody("""
                {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "%s", "code": %d}""".formatted(reason, code));
    }
}
