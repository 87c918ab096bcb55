package io.ovsdpdk.agent.kubernetes;

import io.fabric8.kubernetes.api.model.Pod;

/**
 * Sees the pods of the node as they come, change and go. Called on one thread at a time, in the order of events; what
 * takes long is for another thread. After the connection to the API server was lost, and from time to time, a pod may be
 * told of that has not changed.
 */
public interface PodListener {

    /** @param pod new or changed; whole, as the API server has it */
    void changed(Pod pod);

    /** @param pod as it was last seen */
    void gone(Pod pod);
}
