package io.ovsdpdk.e2e;

import java.io.IOException;
import java.util.List;
import java.util.Map;

/**
 * Runs a command on a node of its own, for measurements and experiments from a shell: {@code java -cp … WithNode
 * COMMAND…}. The command finds {@code OVS_DPDK_CONF} and {@code CNI_PATH} in its environment, as the plugin needs them,
 * and in {@code SHARED_DIR} what a network configuration may name; the bridge is {@code br0}. Exits with the command's
 * status.
 */
public final class WithNode {
    private WithNode() {}

    public static void main(String[] command) throws IOException, InterruptedException {
        int status;
        try (Node node = Node.start()) {
            ProcessBuilder builder = new ProcessBuilder(List.of(command)).inheritIO();
            builder.environment()
                    .putAll(Map.of(
                            "OVS_DPDK_CONF", node.configuration().toString(),
                            "CNI_PATH", Node.CNI_PATH.toString(),
                            "SHARED_DIR", node.sharedRoot().toString()));
            status = builder.start().waitFor();
        }
        System.exit(status);
    }
}
