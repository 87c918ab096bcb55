package io.ovsdpdk.cni;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import io.ovsdpdk.api.AttachmentView;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.LogLevel;
import io.ovsdpdk.api.NodeView;
import io.ovsdpdk.api.Quoted;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** The command line for people on a node: the executable when no runtime started it. */
@Command(
        name = "ovs-dpdk",
        description = "vhost-user ports of the node's OVS-DPDK: the CNI plugin, and a look at what it made.",
        footer = {
            "",
            "A container runtime starts it with CNI_COMMAND in the environment; then it is the CNI plugin.",
            "Exit status: 0 done; 1 not found, or the node can't do it now; 2 wrong usage; 69 no agent answers."
        },
        subcommands = {
            NodeCommands.Version.class,
            NodeCommands.Status.class,
            NodeCommands.ListAll.class,
            NodeCommands.Show.class,
            OrphansCommand.class,
            NodeCommands.Ready.class,
            NodeCommands.Live.class,
            NodeCommands.Install.class,
            UninstallCommand.class
        })
final class NodeCommands implements Runnable {
    static final int DONE = 0;
    static final int NO = 1;

    /** EX_UNAVAILABLE of sysexits(3). */
    static final int UNAVAILABLE = 69;

    private final Path nodeConfiguration;

    @Spec
    private CommandSpec spec;

    @Option(names = "--help", usageHelp = true, scope = CommandLine.ScopeType.INHERIT, description = "This text.")
    private boolean help;

    NodeCommands(Path nodeConfiguration) {
        this.nodeConfiguration = nodeConfiguration;
    }

    static int run(Path nodeConfiguration, List<String> arguments, PrintWriter out, PrintWriter err) {
        int status = new CommandLine(new NodeCommands(nodeConfiguration))
                .setOut(out)
                .setErr(err)
                .setExecutionExceptionHandler((e, line, parsed) -> failed(e, line))
                .execute(arguments.toArray(String[]::new));
        // A script that got a part of the answer, or nothing, must not take it for the whole
        if (out.checkError()) {
            err.println("ovs-dpdk: standard output can't be written");
            status = status == DONE ? NO : status;
        }
        err.flush();
        return status;
    }

    private static int failed(Exception e, CommandLine line) throws Exception {
        PrintWriter err = line.getErr();
        switch (e) {
            case NoAnswerException away -> {
                err.println("ovs-dpdk: " + away.error().getMessage() + "\n"
                        + away.error().details());
                return UNAVAILABLE;
            }
            case CniException failure -> {
                err.println("ovs-dpdk: " + failure.getMessage() + "\n" + failure.details());
                return NO;
            }
            case IOException failure -> {
                err.println("ovs-dpdk: " + words(failure) + failure.getMessage());
                return NO;
            }
            default -> throw e;
        }
    }

    /** Where the message of a failure is nothing but the file's name. */
    private static String words(IOException failure) {
        return switch (failure) {
            case NoSuchFileException e -> "there is no such file or folder: ";
            case AccessDeniedException e -> "permission denied: ";
            case DirectoryNotEmptyException e -> "it is a folder with files in it: ";
            default -> "";
        };
    }

    /** A script's variable that is not set must not mean our own working directory. */
    static Path folder(String option, Path path, CommandSpec spec) {
        if (path.toString().isEmpty()) {
            throw new CommandLine.ParameterException(spec.commandLine(), option + " is empty: it must be a folder");
        }
        return path;
    }

    @Override
    public void run() {
        throw new CommandLine.ParameterException(spec.commandLine(), "Which command?");
    }

    AgentClient agent() throws CniException {
        return new AgentClient(
                NodeConfiguration.read(nodeConfiguration), Patience.USUAL, new Log(System.err, LogLevel.WARN, ""));
    }

    /** How it is printed. */
    enum Format {
        table,
        json
    }

    /** What the commands share that tell something. */
    abstract static class Question implements Callable<Integer> {
        @CommandLine.ParentCommand
        private NodeCommands node;

        @Spec
        CommandSpec spec;

        @Option(names = "-o", paramLabel = "FORMAT", defaultValue = "table", description = "table or json")
        Format format;

        AgentClient agent() throws CniException {
            return node.agent();
        }

        PrintWriter out() {
            return spec.commandLine().getOut();
        }

        PrintWriter err() {
            return spec.commandLine().getErr();
        }

        void print(JsonNode json) throws JsonProcessingException {
            out().println(new ObjectMapper().writerWithDefaultPrettyPrinter().writeValueAsString(json));
        }

        void print(List<AttachmentView> views) throws JsonProcessingException {
            ArrayNode array = Json.array();
            views.forEach(view -> array.add(view.toJson()));
            print(array);
        }
    }

    @Command(name = "version", description = "The version of this executable.")
    static final class Version extends Question {
        @Override
        public Integer call() throws JsonProcessingException {
            if (format == Format.json) {
                print(Json.object().put("version", Plugin.productVersion()));
            } else {
                out().println("ovs-dpdk " + Plugin.productVersion());
            }
            return DONE;
        }
    }

    @Command(name = "status", description = "Can this node serve an ADD, and if not, why not.")
    static final class Status extends Question {
        @Override
        public Integer call() throws CniException, NoAnswerException, JsonProcessingException {
            NodeView node = agent().inspect();
            if (format == Format.json) {
                print(node.toJson());
            } else {
                Table table = new Table(List.of());
                table.add("ready", node.code() == 0 ? "yes" : "no: " + node.problem());
                if (!node.remedy().isEmpty()) {
                    table.add("remedy", node.remedy());
                }
                table.add("switch", node.connected() ? "connected " + node.switchVersion() : "away");
                table.add("dpdk", node.dpdkVersion().isEmpty() ? "off" : node.dpdkVersion());
                table.add("vhost-user ports", node.ports() + " of " + node.portLimit());
                table.add(
                        "attachments",
                        node.attachments()
                                + (node.orphans() == 0
                                        ? ""
                                        : ", and left behind: " + node.orphans() + " (ovs-dpdk gc --dry-run)"));
                table.add("mounts", node.mounts());
                table.add("kubernetes", node.cluster().map(Status::describe).orElse("off"));
                table.add("agent", node.agentVersion());
                out().print(table);
            }
            return node.code() == 0 ? DONE : NO;
        }

        private static String describe(NodeView.Cluster cluster) {
            return "node " + cluster.node() + ", "
                    + (cluster.synchronised() ? cluster.pods() + " pods" : "pods not known yet")
                    + (cluster.following() ? "" : "; the API server is away");
        }
    }

    @Command(name = "list", description = "All attachments of this node.")
    static final class ListAll extends Question {
        @Override
        public Integer call() throws CniException, NoAnswerException, JsonProcessingException {
            List<AttachmentView> views = agent().list();
            if (format == Format.json) {
                print(views);
                return DONE;
            }
            Table table =
                    new Table(List.of("POD", "INTERFACE", "NETWORK", "BRIDGE", "PORT", "LINK", "STATE", "CONTAINER"));
            for (AttachmentView view : views) {
                table.add(
                        view.pod().known() ? view.pod().toString() : "-",
                        view.id().ifname(),
                        view.network(),
                        view.bridge(),
                        view.port(),
                        view.link().isEmpty() ? "-" : view.link(),
                        view.problem().isEmpty() ? view.state() : view.state() + ", " + view.problem(),
                        view.id()
                                .containerId()
                                .substring(
                                        0, Math.min(12, view.id().containerId().length())));
            }
            out().print(table);
            return DONE;
        }
    }

    @Command(name = "show", description = "All that is known of the attachments of a pod or container.")
    static final class Show extends Question {
        @Parameters(paramLabel = "NAMESPACE/POD|CONTAINER", description = "A pod, or the beginning of a container ID.")
        private String whose;

        @Override
        public Integer call() throws CniException, NoAnswerException, JsonProcessingException {
            if (whose.isEmpty()) {
                // Every container's ID begins with it
                throw new CommandLine.ParameterException(
                        spec.commandLine(), "NAMESPACE/POD or CONTAINER is empty: ovs-dpdk list shows all");
            }
            List<AttachmentView> views = agent().list().stream()
                    .filter(view -> whose.contains("/")
                            ? view.pod().toString().equals(whose)
                            : view.id().containerId().startsWith(whose))
                    .toList();
            if (format == Format.json) {
                print(views);
            } else {
                for (AttachmentView view : views) {
                    out().println(show(view));
                }
            }
            if (views.isEmpty()) {
                err().println("ovs-dpdk: this node has no attachment of " + Quoted.of(whose));
                return NO;
            }
            return DONE;
        }

        private static Table show(AttachmentView view) {
            Table table = new Table(List.of());
            table.add("pod", view.pod().toString());
            table.add("pod UID", view.pod().uid());
            table.add("container", view.id().containerId());
            table.add("interface", view.id().ifname());
            table.add("network", view.network());
            table.add("bridge", view.bridge());
            table.add("port", view.port());
            table.add("MAC", view.mac().text());
            table.add(
                    "MTU", view.mtu().isPresent() ? Integer.toString(view.mtu().getAsInt()) : "the switch's own");
            table.add("socket", view.socketPath());
            table.add("socket of switch", view.switchSocket());
            table.add("state", view.state());
            table.add("link", view.link());
            table.add("problem", view.problem().isEmpty() ? "none" : view.problem());
            return table;
        }
    }

    /** What kubelet asks; it shows what is printed when the answer is no. */
    @Command(name = "ready", description = "Is the agent ready to serve an ADD? For a readiness probe.")
    static final class Ready implements Callable<Integer> {
        @CommandLine.ParentCommand
        private NodeCommands node;

        @Override
        public Integer call() throws CniException, NoAnswerException {
            node.agent().ready();
            return DONE;
        }
    }

    @Command(name = "live", description = "Does the agent answer at all, whatever it waits for? For a liveness probe.")
    static final class Live implements Callable<Integer> {
        @CommandLine.ParentCommand
        private NodeCommands node;

        @Override
        public Integer call() throws CniException, NoAnswerException {
            AgentClient agent = node.agent();
            try {
                agent.ready();
            } catch (CniException notReady) {
                node.spec.commandLine().getOut().println(notReady.getMessage());
            }
            return DONE;
        }
    }

    @Command(
            name = "install",
            description = "Copies this executable into a folder of CNI plugins, also while the old one is running.")
    static final class Install implements Callable<Integer> {
        @Option(names = "--to", paramLabel = "DIR", required = true, description = "For example /opt/cni/bin")
        private Path to;

        @Spec
        private CommandSpec spec;

        @Override
        public Integer call() throws IOException {
            Path target = folder("--to", to, spec);
            spec.commandLine()
                    .getOut()
                    .println("installed " + Installation.ofRunning().into(target));
            return DONE;
        }
    }
}
