package io.ovsdpdk.cni;

import io.ovsdpdk.api.AttachmentView;
import io.ovsdpdk.api.CniException;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * Takes the plugin away from its folder and says what stays: running ports are their pods', and what the agent knows of
 * them is needed until those are gone.
 */
@Command(
        name = "uninstall",
        description = "Takes the plugin away from a folder of CNI plugins, and lists what stays on the node.")
final class UninstallCommand implements Callable<Integer> {
    @Option(names = "--from", paramLabel = "DIR", required = true, description = "For example /opt/cni/bin")
    private Path from;

    @Option(
            names = "--state-dir",
            paramLabel = "DIR",
            defaultValue = "/var/lib/ovs-dpdk-cni",
            description = "The agent's, to look into where no agent answers. Default: ${DEFAULT-VALUE}")
    private Path stateDir;

    @CommandLine.ParentCommand
    private NodeCommands node;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() throws IOException, CniException {
        PrintWriter out = spec.commandLine().getOut();
        Path folder = NodeCommands.folder("--from", from, spec);
        Path plugin = folder.resolve(Installation.NAME);
        out.println(Installation.removeFrom(folder) ? "removed " + plugin : "there is no " + plugin);
        List<String> left = attachments();
        if (left.isEmpty()) {
            out.println("no attachments are left");
        } else {
            out.println(
                    left.size() == 1
                            ? "1 attachment is left; its port stays, and a runtime that finds no plugin can't end its pod:"
                            : left.size() + " attachments are left; their ports stay, and a runtime that finds no"
                                    + " plugin can't end their pods:");
            left.forEach(attachment -> out.println("  " + attachment));
        }
        return NodeCommands.DONE;
    }

    private List<String> attachments() throws IOException, CniException {
        try {
            return node.agent().list().stream().map(UninstallCommand::describe).toList();
        } catch (NoAnswerException e) {
            return checkpoints();
        }
    }

    private static String describe(AttachmentView view) {
        return "port " + view.port() + " of " + (view.pod().known() ? view.pod() + ", " : "") + "container "
                + view.id().containerId() + ", interface " + view.id().ifname();
    }

    /** The agent's files are named after their ports. */
    private List<String> checkpoints() throws IOException {
        Path folder = stateDir.resolve("attachments");
        if (Files.notExists(folder)) {
            return List.of();
        }
        TreeSet<String> ports = new TreeSet<>();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, "*.{json,unfinished}")) {
            files.forEach(
                    file -> ports.add("port " + file.getFileName().toString().replaceFirst("\\..*", "")));
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        }
        return List.copyOf(ports);
    }
}
