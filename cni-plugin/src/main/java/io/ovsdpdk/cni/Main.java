package io.ovsdpdk.cni;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * The executable {@code ovs-dpdk}: the CNI plugin where {@code CNI_COMMAND} is in the environment, whatever the arguments
 * are, and the node's command line where somebody starts it with arguments.
 */
public final class Main {
    private static final Path NODE_CONFIGURATION = Path.of("/etc/cni/net.d/ovs-dpdk.d/ovs-dpdk.conf");

    private Main() {}

    public static void main(String[] arguments) {
        Map<String, String> environment = System.getenv();
        boolean runtime = !environment.getOrDefault("CNI_COMMAND", "").isEmpty();
        System.exit(runtime || arguments.length == 0 ? plugin(environment) : commandLine(environment, arguments));
    }

    private static int plugin(Map<String, String> environment) {
        // Not System.out: a PrintStream hides that the runtime no longer listens
        FileOutputStream stdout = new FileOutputStream(FileDescriptor.out);
        return new Plugin(NODE_CONFIGURATION, NodeConfiguration.DEFAULT, Patience.USUAL)
                .run(environment, System.in, stdout, System.err);
    }

    private static int commandLine(Map<String, String> environment, String[] arguments) {
        String elsewhere = environment.getOrDefault(NodeConfiguration.VARIABLE, "");
        return NodeCommands.run(
                elsewhere.isEmpty() ? NODE_CONFIGURATION : Path.of(elsewhere),
                List.of(arguments),
                new PrintWriter(System.out, true),
                new PrintWriter(System.err, true));
    }
}
