package io.ovsdpdk.agent.kubernetes.testbed;

import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.client.utils.Serialization;

/** Pods as people write them. */
public final class Pods {
    private Pods() {}

    /**
     * A pod of namespace {@code default} with one container, {@code app}.
     *
     * @param spec more of its specification: a JSON object without the braces, such as {@code "volumes": [...]}
     * @param container more of its container, likewise
     */
    public static Pod pod(String name, String node, String spec, String container) {
        return Serialization.unmarshal("""
                {"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "default", "name": "%s"},
                 "spec": {"nodeName": "%s", "containers": [{"name": "app", "image": "none"%s}]%s}}""".formatted(name, node, more(container), more(spec)), Pod.class);
    }

    private static String more(String members) {
        return members.isEmpty() ? "" : ", " + members;
    }

    /** One with a volume, mounted at {@code /sockets}. */
    public static Pod withVolume(String name, String node, String volume, String source) {
        return pod(
                name,
                node,
                "\"volumes\": [{\"name\": \"%s\", %s}]".formatted(volume, source),
                "\"volumeMounts\": [{\"name\": \"%s\", \"mountPath\": \"/sockets\"}]".formatted(volume));
    }
}
