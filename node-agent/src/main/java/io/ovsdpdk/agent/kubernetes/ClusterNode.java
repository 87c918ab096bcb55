package io.ovsdpdk.agent.kubernetes;

import java.util.regex.Pattern;

/**
 * This node as a member of a cluster.
 *
 * @param name what the cluster calls it, {@code metadata.name} of the Node
 * @param apiServer the way to the API server
 */
public record ClusterNode(String name, ApiServerAccess apiServer) {
    /** RFC 1123 subdomain. */
    private static final Pattern NAME = Pattern.compile("(?=.{1,253}$)[a-z0-9]([a-z0-9.-]*[a-z0-9])?");

    /** @throws IllegalArgumentException when no node can have that name */
    public ClusterNode {
        if (!NAME.matcher(name).matches()) {
            throw new IllegalArgumentException("no name of a node: " + name);
        }
    }
}
