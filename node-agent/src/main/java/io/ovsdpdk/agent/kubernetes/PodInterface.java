package io.ovsdpdk.agent.kubernetes;

import io.ovsdpdk.api.Attached;

/**
 * An interface that was made for a pod, as far as the pod is told of it.
 *
 * @param containerId of the pod's sandbox
 * @param network name of the network that it attaches to
 * @param attached what its ADD answered
 * @param legacyAnnotations whether the pod is told in the way of Userspace CNI too
 */
public record PodInterface(String containerId, String network, Attached attached, boolean legacyAnnotations) {

    String ifname() {
        return attached.ifname();
    }
}
