/**
 * What the plugin and the agent say to each other: {@link io.ovsdpdk.api.Request}s and {@link io.ovsdpdk.api.Reply}s
 * as one JSON line each way ({@link io.ovsdpdk.api.Wire}), CNI errors with their codes, and the
 * {@link io.ovsdpdk.api.NetworkConfiguration}, what a NetworkAttachmentDefinition may hold.
 *
 * <p>Written by hand on Jackson's tree model, without reflection: the plugin becomes a native image.
 */
package io.ovsdpdk.api;
