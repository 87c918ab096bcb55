package io.ovsdpdk.agent.host;

import java.nio.file.Path;

/**
 * A container's socket folder and the mount through which OVS reaches it. Nothing but paths: it may be stored, and
 * built again by an agent that was restarted.
 *
 * @param location where the folder was asked for
 * @param hostPath the folder on the host, links of the trusted root resolved
 * @param mountPoint where OVS sees it, {@code <mount root>/<16 hex digits>}
 */
public record SocketFolder(FolderLocation location, Path hostPath, Path mountPoint) {}
