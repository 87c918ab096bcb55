package io.ovsdpdk.agent.kubernetes;

import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.util.Optional;
import java.util.concurrent.Semaphore;

/**
 * What is asked of the API server about single pods. Each is one request, which is not repeated; at most
 * {@value #AT_A_TIME} are under way.
 */
final class PodRequests {
    private static final int AT_A_TIME = 4;

    private final KubernetesClient client;
    private final PlainRequests requests;
    private final Semaphore turns = new Semaphore(AT_A_TIME);

    PodRequests(KubernetesClient client) {
        this.client = client;
        this.requests = new PlainRequests(client);
    }

    /**
     * The pod that has the name now.
     *
     * @throws KubernetesClientException with the API server's code, or 0 when it does not answer
     */
    Optional<Pod> read(Pod pod) throws InterruptedException {
        turns.acquire();
        try {
            return Optional.of(toPod(requests.get(path(pod))));
        } catch (KubernetesClientException e) {
            if (isGone(e)) {
                return Optional.empty();
            }
            throw e;
        } finally {
            turns.release();
        }
    }

    /** Whether the API server says that there is no pod of the name any more. */
    static boolean isGone(KubernetesClientException e) {
        return PlainRequests.isNotFound(e, "pods");
    }

    /**
     * Changes what {@code pods/status} may change: the annotations, and never the spec.
     *
     * @param patch a JSON Patch (RFC 6902)
     * @return the pod as it is then
     * @throws KubernetesClientException with the API server's code, or 0 when it does not answer
     */
    Pod patchStatus(Pod pod, String patch) throws InterruptedException {
        return toPod(send(path(pod) + "/status", patch));
    }

    private static String path(Pod pod) {
        return "namespaces/" + pod.getMetadata().getNamespace() + "/pods/"
                + pod.getMetadata().getName();
    }

    private Pod toPod(String answer) {
        Pod pod = client.getKubernetesSerialization().unmarshal(answer, Pod.class);
        if (pod == null) {
            throw new KubernetesClientException("an empty answer");
        }
        return pod;
    }

    private String send(String path, String patch) throws InterruptedException {
        turns.acquire();
        try {
            return requests.send("PATCH", path, "application/json-patch+json", patch);
        } finally {
            turns.release();
        }
    }
}
