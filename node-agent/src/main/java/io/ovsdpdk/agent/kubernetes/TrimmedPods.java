package io.ovsdpdk.agent.kubernetes;

import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.ContainerBuilder;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.api.model.PodSpec;
import io.fabric8.kubernetes.api.model.PodSpecBuilder;
import io.fabric8.kubernetes.api.model.PodStatusBuilder;
import io.fabric8.kubernetes.client.informers.cache.BasicItemStore;
import io.fabric8.kubernetes.client.informers.cache.Cache;
import java.util.List;

/**
 * The pods of a node with what the agent reads of them: identity, annotations, volumes, where and as whom the containers
 * mount them. Environments, probes, managed fields and the like, nine tenths of a pod, are not kept.
 */
final class TrimmedPods extends BasicItemStore<Pod> {

    TrimmedPods() {
        super(Cache::metaNamespaceKeyFunc);
    }

    @Override
    public Pod put(String key, Pod pod) {
        return super.put(key, trimmed(pod));
    }

    static Pod trimmed(Pod pod) {
        PodBuilder trimmed = new PodBuilder()
                .withMetadata(new ObjectMetaBuilder()
                        .withNamespace(pod.getMetadata().getNamespace())
                        .withName(pod.getMetadata().getName())
                        .withUid(pod.getMetadata().getUid())
                        .withResourceVersion(pod.getMetadata().getResourceVersion())
                        .withDeletionTimestamp(pod.getMetadata().getDeletionTimestamp())
                        .withAnnotations(pod.getMetadata().getAnnotations())
                        .build());
        if (pod.getSpec() != null) {
            trimmed.withSpec(trimmed(pod.getSpec()));
        }
        if (pod.getStatus() != null) {
            trimmed.withStatus(
                    new PodStatusBuilder().withPhase(pod.getStatus().getPhase()).build());
        }
        return trimmed.build();
    }

    private static PodSpec trimmed(PodSpec spec) {
        return new PodSpecBuilder()
                .withNodeName(spec.getNodeName())
                .withSecurityContext(spec.getSecurityContext())
                .withVolumes(spec.getVolumes())
                .withInitContainers(trimmed(spec.getInitContainers()))
                .withContainers(trimmed(spec.getContainers()))
                .build();
    }

    private static List<Container> trimmed(List<Container> containers) {
        return containers.stream()
                .map(container -> new ContainerBuilder()
                        .withName(container.getName())
                        .withSecurityContext(container.getSecurityContext())
                        .withVolumeMounts(container.getVolumeMounts())
                        .build())
                .toList();
    }
}
