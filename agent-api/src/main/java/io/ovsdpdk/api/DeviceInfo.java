package io.ovsdpdk.api;

import com.fasterxml.jackson.databind.node.ObjectNode;

/**
 * What a workload is told of its vhost-user interface, in the form of the Device Information Specification 1.1.0 of the
 * Network Plumbing Working Group: in the file that Multus passes, and in the pod's {@code network-status}.
 */
public final class DeviceInfo {
    private static final String TYPE = "vhost-user";
    private static final String VERSION = "1.1.0";

    /** The workload's side: it listens, the switch connects. */
    private static final String MODE = "server";

    private DeviceInfo() {}

    /**
     * Device information with our part in it. Whatever else somebody, a device plugin for instance, has said of the
     * device stays, and so does the version that they said it in.
     *
     * @param existing what there is; an empty object for none. Left as it is
     * @param socketPath where the workload listens, as it sees the path itself
     */
    public static ObjectNode completed(ObjectNode existing, String socketPath) {
        ObjectNode completed = existing.deepCopy();
        completed.put("type", TYPE);
        if (completed.path("version").asText().isEmpty()) {
            completed.put("version", VERSION);
        }
        ObjectNode socket = completed.path(TYPE) instanceof ObjectNode known ? known : completed.putObject(TYPE);
        socket.put("mode", MODE).put("path", socketPath);
        return completed;
    }
}
