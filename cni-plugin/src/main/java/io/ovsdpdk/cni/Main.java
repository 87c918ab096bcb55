package io.ovsdpdk.cni;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.nio.file.Path;

/** The executable {@code ovs-dpdk}. */
public final class Main {
    private static final Path NODE_CONFIGURATION = Path.of("/etc/cni/net.d/ovs-dpdk.d/ovs-dpdk.conf");

    private Main() {}

    public static void main(String[] arguments) {
        // Not System.out: a PrintStream hides that the runtime no longer listens
        FileOutputStream stdout = new FileOutputStream(FileDescriptor.out);
        System.exit(new Plugin(NODE_CONFIGURATION, Patience.USUAL).run(System.getenv(), System.in, stdout, System.err));
    }
}
