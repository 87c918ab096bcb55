package io.ovsdpdk.kubevirt;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** The executable {@code ovs-dpdk-binding}. */
@Command(
        name = "ovs-dpdk-binding",
        description = {
            "KubeVirt network binding plugin for vhost-user interfaces on the node's OVS-DPDK.",
            "",
            "Without --vmi and --domain it is a hook sidecar, as KubeVirt starts it beside a VM. With them it prints the"
                    + " domain XML with the VM's interfaces, once, and ends."
        },
        footer = {
            "",
            "NETWORK_BINDING_PLUGIN_NAME and CONTAINER_NAME are read from the environment as KubeVirt sets them.",
            "Exit status: 0 done; 1 the VM is refused, or the sidecar can't listen; 2 wrong usage."
        },
        versionProvider = BindingCommand.Version.class)
final class BindingCommand implements Callable<Integer> {
    static final int DONE = 0;
    static final int REFUSED = 1;

    private final Map<String, String> environment;
    private final OutputStream stdout;
    private final PrintWriter stderr;

    @ArgGroup(exclusive = false)
    private Documents documents;

    @Option(
            names = "--binding",
            paramLabel = "NAME",
            description =
                    "Interfaces with this binding are ours. Default: $NETWORK_BINDING_PLUGIN_NAME, else ovs-dpdk.")
    private String binding;

    @Option(
            names = "--hooks",
            paramLabel = "DIR",
            description = "The volume hook-sidecar-sockets. Default: /var/run/kubevirt-hooks.")
    private Path hooks = Binding.DEFAULT_HOOKS_FOLDER;

    @Option(
            names = "--network-info",
            paramLabel = "FILE",
            description = "What KubeVirt knows of the networks. Default: /etc/podinfo/network-info; need not be there.")
    private Path networkInfo = Binding.DEFAULT_NETWORK_INFO;

    @Option(names = "--help", usageHelp = true, description = "This text.")
    private boolean help;

    @Option(names = "--version", versionHelp = true, description = "The version of this executable.")
    private boolean version;

    /** The two that go together. */
    private static final class Documents {
        @Option(
                names = "--vmi",
                required = true,
                paramLabel = "FILE|JSON",
                description = "The VirtualMachineInstance: a file, or itself, as KubeVirt's sidecar shim passes it.")
        private String vmi;

        @Option(
                names = "--domain",
                required = true,
                paramLabel = "FILE|XML",
                description = "libvirt's domain: a file, or itself.")
        private String domain;
    }

    /** @param stdout where the domain goes: bytes, for a document must not change on its way */
    BindingCommand(Map<String, String> environment, OutputStream stdout, PrintWriter stderr) {
        this.environment = environment;
        this.stdout = stdout;
        this.stderr = stderr;
    }

    /** Runs the command line; returns its exit status. */
    int run(List<String> arguments) {
        PrintWriter out = new PrintWriter(stdout, false, StandardCharsets.UTF_8);
        int status = new CommandLine(this)
                .setExpandAtFiles(false)
                .setOut(out)
                .setErr(stderr)
                .setExecutionExceptionHandler((e, line, parsed) -> failed(e))
                .execute(arguments.toArray(String[]::new));
        out.flush();
        stderr.flush();
        return status;
    }

    private int failed(Exception e) throws Exception {
        if (e instanceof RefusedException || e instanceof IOException) {
            stderr.println("ovs-dpdk-binding: " + e.getMessage());
            return REFUSED;
        }
        throw e;
    }

    @Override
    public Integer call() throws RefusedException, IOException, InterruptedException {
        String name = binding == null ? Binding.nameIn(environment) : binding;
        Binding ours = new Binding(name, hooks, networkInfo);
        if (documents == null) {
            HookServer.serve(ours, HookServer.PATIENCE, environment, stderr);
        } else {
            stdout.write(ours.define(document(documents.vmi, '{'), document(documents.domain, '<')));
            stdout.flush();
        }
        return DONE;
    }

    /** What begins as a document is one; all else is a file. */
    private static byte[] document(String argument, char beginning) throws IOException {
        if (!argument.isBlank() && argument.stripLeading().charAt(0) == beginning) {
            return argument.getBytes(StandardCharsets.UTF_8);
        }
        try {
            return Files.readAllBytes(Path.of(argument));
        } catch (NoSuchFileException e) {
            throw new NoSuchFileException(argument + ": no such file");
        }
    }

    /** From the build. */
    static final class Version implements CommandLine.IVersionProvider {
        @Override
        public String[] getVersion() throws IOException {
            try (InputStream in = BindingCommand.class.getResourceAsStream("version.txt")) {
                String version = in == null ? "" : new String(in.readAllBytes(), StandardCharsets.UTF_8).strip();
                return new String[] {"ovs-dpdk-binding " + version};
            }
        }
    }
}
