package io.ovsdpdk.cni;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.LogLevel;
import io.ovsdpdk.api.Quoted;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;

/**
 * One run of the plugin, from what the runtime passes to what it gets back (CNI 1.1.0, section "Execution Protocol").
 * Standard output gets one JSON object, the result or the error, or nothing where a command has no result.
 */
final class Plugin {
    private final Path nodeConfiguration;
    private final NodeConfiguration usual;
    private final Patience patience;

    /**
     * @param nodeConfiguration where it is, unless {@code OVS_DPDK_CONF} says otherwise
     * @param usual for a DEL when there is a broken one
     */
    Plugin(Path nodeConfiguration, NodeConfiguration usual, Patience patience) {
        this.nodeConfiguration = nodeConfiguration;
        this.usual = usual;
        this.patience = patience;
    }

    /** @return the exit status: 0, or 1 after an error */
    int run(Map<String, String> environment, InputStream stdin, OutputStream stdout, PrintStream stderr) {
        String name = environment.getOrDefault("CNI_COMMAND", "");
        if (name.isEmpty()) {
            stderr.print(about());
            return 0;
        }
        Call call = new Call(environment, stdin, stderr);
        int status = 0;
        byte[] answer;
        try {
            answer = call.serve(Command.named(name)).map(Plugin::line).orElse(new byte[0]);
        } catch (CniException e) {
            status = 1;
            answer = error(call.version, e.code(), e.getMessage(), e.details());
        } catch (Throwable e) {
            // The runtime must get an error in JSON, whatever happens
            status = 1;
            call.log.trace(e);
            answer = error(
                    call.version,
                    ErrorCode.INTERNAL.code(),
                    "internal error: " + e + (e.getCause() == null ? "" : ", because of " + e.getCause()),
                    "a bug of ovs-dpdk: with logLevel debug standard error has its trace");
        }
        try {
            stdout.write(answer);
            stdout.flush();
        } catch (IOException e) {
            stderr.println("ovs-dpdk: standard output can't be written: " + e.getMessage());
            return 1;
        }
        return status;
    }

    private static byte[] error(CniVersion version, int code, String message, String details) {
        ObjectNode error = Json.object()
                .put("cniVersion", version.text())
                .put("code", code)
                .put("msg", message);
        if (!details.isEmpty()) {
            error.put("details", details);
        }
        return line(error);
    }

    private static byte[] line(ObjectNode json) {
        byte[] text = Json.write(json);
        byte[] line = Arrays.copyOf(text, text.length + 1);
        line[text.length] = '\n';
        return line;
    }

    /** What it is, for somebody who starts it by hand. */
    private static String about() {
        return "ovs-dpdk " + productVersion() + ": CNI plugin for vhost-user ports of the node's OVS-DPDK\n"
                + "CNI versions: " + CniVersion.names() + "\n"
                + "A container runtime starts it, with CNI_COMMAND in the environment.\n"
                + "For people: ovs-dpdk --help\n";
    }

    static String productVersion() {
        try (InputStream in = Plugin.class.getResourceAsStream("version.txt")) {
            return in == null ? "" : new String(in.readAllBytes(), StandardCharsets.UTF_8).strip();
        } catch (IOException e) {
            return "(unknown version)";
        }
    }

    /** A run's course. What of it is known when it fails decides how the failure is told. */
    private final class Call {
        private final Map<String, String> variables;
        private final InputStream stdin;
        private final PrintStream stderr;

        private CniVersion version = CniVersion.NEWEST;
        private Log log;

        Call(Map<String, String> variables, InputStream stdin, PrintStream stderr) {
            this.variables = variables;
            this.stdin = stdin;
            this.stderr = stderr;
            this.log = new Log(stderr, NodeConfiguration.DEFAULT.logLevel(), "");
        }

        /** @return what is to be printed */
        Optional<ObjectNode> serve(Command command) throws CniException {
            if (command == Command.VERSION) {
                return Optional.of(versions());
            }
            Invocation invocation = invocation(command);
            String identity = identity(command);
            log = new Log(stderr, logLevel(invocation.network(), NodeConfiguration.DEFAULT), identity);
            NodeConfiguration node = node(command);
            log = new Log(stderr, logLevel(invocation.network(), node), identity);
            AgentClient agent = new AgentClient(node, patience, log);
            switch (command) {
                case ADD -> {
                    return Optional.of(new AddCommand(invocation, node, agent, patience, log).run());
                }
                case DEL -> new DelCommand(invocation, node, agent, patience, log).run();
                case CHECK -> new CheckCommand(invocation, node, agent, log).run();
                case GC -> new GcCommand(invocation, node, agent, log).run();
                case STATUS -> new StatusCommand(invocation, node, agent, log).run();
                case VERSION -> throw new IllegalStateException("VERSION needs none of this");
            }
            return Optional.empty();
        }

        /** Answers in the version that was asked in, where that can be made out. */
        private ObjectNode versions() {
            try {
                version = CniVersion.of(Json.readObject("request", read()));
            } catch (CniException e) {
                log.debug(e.getMessage());
            }
            ObjectNode answer = Json.object().put("cniVersion", version.text());
            ArrayNode supported = answer.putArray("supportedVersions");
            for (CniVersion known : CniVersion.values()) {
                supported.add(known.text());
            }
            return answer;
        }

        private Invocation invocation(Command command) throws CniException {
            byte[] document = read();
            ObjectNode network = null;
            CniException unreadable = null;
            try {
                network = Json.readObject("network configuration", document);
                version = CniVersion.of(network);
            } catch (CniException e) {
                // Later: what is wrong with the environment comes first, in the version that was asked for
                unreadable = e;
            }
            CniEnvironment environment = new CniEnvironment(command, variables);
            if (unreadable != null) {
                throw unreadable;
            }
            command.checkExistsIn(version);
            return new Invocation(environment, version, document, network);
        }

        private byte[] read() throws CniException {
            try {
                return stdin.readNBytes(Json.MAX_BYTES + 1);
            } catch (IOException e) {
                throw new CniException(ErrorCode.IO, "standard input can't be read: " + e.getMessage(), "", e);
            }
        }

        /** A DEL goes on with what is usual: a slip of the administrator must not keep pods in Terminating. */
        private NodeConfiguration node(Command command) throws CniException {
            try {
                return NodeConfiguration.read(file());
            } catch (CniException e) {
                if (command != Command.DEL) {
                    throw e;
                }
                log.warn(e.getMessage() + " " + e.details());
                return usual;
            }
        }

        private Path file() throws CniException {
            String elsewhere = variables.getOrDefault(NodeConfiguration.VARIABLE, "");
            try {
                return elsewhere.isEmpty() ? nodeConfiguration : Path.of(elsewhere);
            } catch (InvalidPathException e) {
                throw new CniException(
                        ErrorCode.ENVIRONMENT,
                        NodeConfiguration.VARIABLE + " " + Quoted.of(elsewhere) + " is no path: " + e.getReason());
            }
        }

        /** Before the configuration is checked, and for a DEL with a broken one: what is wrong here counts for nothing. */
        private static LogLevel logLevel(ObjectNode network, NodeConfiguration node) {
            return LogLevel.named(network.path("logLevel").asText()).orElse(node.logLevel());
        }

        /** What every line of the log bears. */
        private String identity(Command command) {
            StringBuilder identity = new StringBuilder(" command=").append(command);
            field(identity, "container", variables.getOrDefault("CNI_CONTAINERID", ""));
            field(identity, "ifname", variables.getOrDefault("CNI_IFNAME", ""));
            try {
                CniArgs args = CniArgs.of(variables.getOrDefault("CNI_ARGS", ""));
                field(identity, "pod", args.pod().known() ? args.pod().toString() : "");
            } catch (CniException e) {
                // Told where it matters
                return identity.toString();
            }
            return identity.toString();
        }

        private static void field(StringBuilder fields, String key, String value) {
            if (!value.isEmpty()) {
                fields.append(' ').append(key).append('=').append(Quoted.of(value));
            }
        }
    }
}
