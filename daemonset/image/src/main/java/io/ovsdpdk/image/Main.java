package io.ovsdpdk.image;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Builds the images of the agent and of KubeVirt's binding: {@code make images}. */
@Command(
        name = "image",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        description =
                "Builds the image that the DaemonSet runs, and that of KubeVirt's binding, and writes them as tar files.")
public final class Main implements Callable<Integer> {
    @Option(
            names = "--base",
            defaultValue = Base.DEBIAN,
            description =
                    "What it builds upon: an image of a registry with glibc, tar:FILE, or \"debian\": no image, but"
                            + " the C library of this machine, and what else the JDK needs. Default: ${DEFAULT-VALUE}")
    private String base;

    @Option(
            names = "--jdk",
            defaultValue = "${sys:java.home}",
            description = "The JDK 25 whose runtime is cut. Default: the one that runs this")
    private Path jdk;

    @Option(names = "--agent", required = true, description = "The folder with node-agent-*.jar and lib/")
    private Path agent;

    @Option(names = "--plugin", required = true, description = "The plugin's native executable")
    private Path plugin;

    @Option(
            names = "--name",
            defaultValue = "localhost/ovs-dpdk-cni/agent:latest",
            description = "Of the image, with a tag. Default: ${DEFAULT-VALUE}")
    private String name;

    @Option(names = "--work", required = true, description = "A folder for what comes up meanwhile")
    private Path work;

    @Option(names = "--tar", required = true, description = "What is written")
    private Path tar;

    /** The three that go together. */
    private static final class Binding {
        @Option(names = "--binding", required = true, description = "The native executable of KubeVirt's binding")
        private Path executable;

        @Option(names = "--binding-name", required = true, description = "Of its image, with a tag")
        private String name;

        @Option(names = "--binding-tar", required = true, description = "What is written as its image")
        private Path tar;
    }

    @ArgGroup(exclusive = false)
    private Binding binding;

    @Option(names = "--figures", description = "Also measures starts of the agent as it lies in the image")
    private boolean figures;

    public static void main(String[] arguments) {
        System.exit(new CommandLine(new Main())
                .setExecutionExceptionHandler((e, line, parsed) -> failed(e, line))
                .execute(arguments));
    }

    private static int failed(Exception e, CommandLine line) throws Exception {
        if (e instanceof IOException) {
            line.getErr().println(e.getMessage());
            return CommandLine.ExitCode.SOFTWARE;
        }
        throw e;
    }

    @Override
    public Integer call() throws IOException {
        Layout layout = AgentImage.build(base, jdk, agent, plugin, name, work, tar);
        say(tar, name);
        if (!(Base.named(base) instanceof Base.Debian)) {
            // What is in it is not looked at
            System.out.println("of its base it needs "
                    + SharedLibraries.neededBy(layout.stage()).names());
        }
        if (binding != null) {
            new BindingImage(binding.executable).write(binding.name, work, binding.tar);
            say(binding.tar, binding.name);
        }
        if (figures) {
            Figures.print(layout, tar, System.out);
        }
        return CommandLine.ExitCode.OK;
    }

    private static void say(Path written, String image) throws IOException {
        System.out.println(written + ": image " + image + ", " + Files.size(written) + " bytes");
    }
}
