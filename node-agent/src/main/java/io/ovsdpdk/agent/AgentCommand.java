package io.ovsdpdk.agent;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import io.ovsdpdk.agent.host.SwitchUser;
import io.ovsdpdk.agent.kubernetes.ApiServerAccess;
import io.ovsdpdk.agent.kubernetes.ClusterNode;
import io.ovsdpdk.api.LogLevel;
import io.ovsdpdk.ovsdb.VhostUserPort;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The daemon's command line: reads and checks the options of a {@link Daemon}. */
@Command(
        name = "ovs-dpdk-agent",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        description = "Makes vhost-user ports on the Open vSwitch (DPDK) of this node for the CNI plugin ovs-dpdk.",
        footer = {"", "Each option can be set by the environment variable that stands behind it instead."},
        sortOptions = false)
final class AgentCommand implements Callable<Integer> {
    /** In place of a user's number. */
    private static final String OWNER_OF_DATABASE = "owner";

    @Spec
    private CommandSpec spec;

    @Option(
            names = "--ovsdb",
            paramLabel = "unix:PATH",
            defaultValue = "${env:OVS_DPDK_OVSDB:-unix:/run/openvswitch/db.sock}",
            description = "Socket of the switch's database. Default: unix:/run/openvswitch/db.sock (OVS_DPDK_OVSDB)")
    private String ovsdb;

    @Option(
            names = "--run-dir",
            paramLabel = "DIR",
            defaultValue = "${env:OVS_DPDK_RUN_DIR:-/run/ovs-dpdk-cni}",
            description =
                    "Folder of the agent's socket (agent/) and of the mounts through which the switch reaches sockets"
                            + " (p/); a switch in a container needs it at the same path. Default: /run/ovs-dpdk-cni"
                            + " (OVS_DPDK_RUN_DIR)")
    private Path runDir;

    @Option(
            names = "--state-dir",
            paramLabel = "DIR",
            defaultValue = "${env:OVS_DPDK_STATE_DIR:-/var/lib/ovs-dpdk-cni}",
            description = "Folder of the checkpoints. Default: /var/lib/ovs-dpdk-cni (OVS_DPDK_STATE_DIR)")
    private Path stateDir;

    @Option(
            names = "--shared-dir-root",
            paramLabel = "DIR",
            split = ",",
            defaultValue = "${env:OVS_DPDK_SHARED_DIR_ROOTS:-/var/lib/cni/usrspcni}",
            description =
                    "Folder of the host that \"sharedDir\" of a network configuration may name, or a folder below."
                            + " Repeatable, or separated by commas. Default: /var/lib/cni/usrspcni (OVS_DPDK_SHARED_DIR_ROOTS)")
    private List<Path> sharedDirRoots;

    @Option(
            names = "--kubernetes",
            paramLabel = "auto|on|off",
            defaultValue = "${env:OVS_DPDK_KUBERNETES:-auto}",
            description =
                    "Whether sockets are put into volumes of pods. Default: auto, which is on with --kubeconfig, or"
                            + " in a pod of a cluster (OVS_DPDK_KUBERNETES)")
    private String kubernetes;

    @Option(
            names = "--node-name",
            paramLabel = "NAME",
            defaultValue = "${env:OVS_DPDK_NODE_NAME:-${env:NODE_NAME:-}}",
            description = "What the cluster calls this node (OVS_DPDK_NODE_NAME, NODE_NAME)")
    private String nodeName;

    @Option(
            names = "--kubeconfig",
            paramLabel = "FILE",
            defaultValue = "${env:OVS_DPDK_KUBECONFIG:-${env:KUBECONFIG:-}}",
            description = "The way to the API server. Default: the ServiceAccount of the agent's pod"
                    + " (OVS_DPDK_KUBECONFIG, KUBECONFIG)")
    private String kubeconfig;

    @Option(
            names = "--kubelet-dir",
            paramLabel = "DIR",
            defaultValue = "${env:OVS_DPDK_KUBELET_DIR:-/var/lib/kubelet}",
            description =
                    "kubelet's folder, with the volumes of pods. Default: /var/lib/kubelet (OVS_DPDK_KUBELET_DIR)")
    private Path kubeletDir;

    @Option(
            names = "--ovs-user",
            paramLabel = "UID",
            defaultValue = "${env:OVS_DPDK_OVS_USER:-" + OWNER_OF_DATABASE + "}",
            description = "Number of the user that the switch runs as, when that is not the owner of the database's"
                    + " socket: 0 to 2147483647. Default: that owner (OVS_DPDK_OVS_USER)")
    private String ovsUser;

    @Option(
            names = "--without-nosymfollow",
            defaultValue = "${env:OVS_DPDK_WITHOUT_NOSYMFOLLOW:-false}",
            description =
                    "Serve on a kernel before 5.14 too, where a pod can make the switch follow a link that it plants"
                            + " (OVS_DPDK_WITHOUT_NOSYMFOLLOW=true)")
    private boolean withoutNosymfollow;

    @Option(
            names = "--orphan-interval",
            paramLabel = "SECONDS",
            defaultValue = "${env:OVS_DPDK_ORPHAN_INTERVAL:-300}",
            description =
                    "From one look for ports whose pod is gone to the next, 0 to 86400; 0 is never. A port must have"
                            + " been seen so for as long to be removed. Default: 300 (OVS_DPDK_ORPHAN_INTERVAL)")
    private int orphanInterval;

    @Option(
            names = "--request-timeout",
            paramLabel = "SECONDS",
            defaultValue = "${env:OVS_DPDK_REQUEST_TIMEOUT:-10}",
            description = "Within which a client must have sent its request, 1 to 60. Default: 10"
                    + " (OVS_DPDK_REQUEST_TIMEOUT)")
    private int requestTimeout;

    @Option(
            names = "--stop-grace",
            paramLabel = "SECONDS",
            defaultValue = "${env:OVS_DPDK_STOP_GRACE:-20}",
            description = "How long requests under way may go on after SIGTERM, 0 to 300. Default: 20"
                    + " (OVS_DPDK_STOP_GRACE)")
    private int stopGrace;

    @Option(
            names = "--log-level",
            paramLabel = "LEVEL",
            defaultValue = "${env:OVS_DPDK_LOG_LEVEL:-info}",
            description = "error, warn, info or debug. Default: info (OVS_DPDK_LOG_LEVEL)")
    private String logLevel;

    /** @return 0 after a clean stop, 1 when requests were cut off, 69 when something outside is not as it must be */
    @Override
    public Integer call() throws InterruptedException {
        requireRange("--orphan-interval", orphanInterval, 0, 86400);
        requireRange("--request-timeout", requestTimeout, 1, 60);
        requireRange("--stop-grace", stopGrace, 0, 300);
        requireSocketLength("--run-dir", runDir.resolve(Daemon.AGENT_SOCKET), runDir);
        setLogLevel();
        Daemon daemon = new Daemon(
                databaseSocket(),
                absolute("--run-dir", runDir),
                absolute("--state-dir", stateDir),
                sharedRoots(),
                absolute("--kubelet-dir", kubeletDir),
                clusterNode(),
                switchUser(),
                withoutNosymfollow,
                Duration.ofSeconds(orphanInterval),
                Duration.ofSeconds(requestTimeout),
                Duration.ofSeconds(stopGrace));
        return StopSignal.runUntilStopped(signal -> {
            try {
                return daemon.run(signal);
            } finally {
                writeOutLog();
            }
        });
    }

    /** Lines are written on a thread of their own, which would not live to write the last ones. */
    private static void writeOutLog() {
        if (LoggerFactory.getILoggerFactory() instanceof LoggerContext logback) {
            logback.stop();
        }
    }

    private Path databaseSocket() {
        String prefix = "unix:";
        if (!ovsdb.startsWith(prefix + "/")) {
            throw refuse("--ovsdb", ovsdb, "unix: and the absolute path of a socket");
        }
        Path socket = Path.of(ovsdb.substring(prefix.length()));
        requireSocketLength("--ovsdb", socket, ovsdb);
        return socket;
    }

    private SwitchUser switchUser() {
        if (ovsUser.equals(OWNER_OF_DATABASE)) {
            return SwitchUser.ownerOf(databaseSocket());
        }
        try {
            return SwitchUser.of(Integer.parseInt(ovsUser));
        } catch (IllegalArgumentException e) {
            throw refuse("--ovs-user", ovsUser, "the number of a user, 0 to " + Integer.MAX_VALUE);
        }
    }

    private void requireSocketLength(String option, Path socket, Object value) {
        if (socket.toString().getBytes(StandardCharsets.UTF_8).length > VhostUserPort.LONGEST_SOCKET_PATH) {
            throw refuse(
                    option,
                    value,
                    "shorter: the path " + socket + " of a unix socket can have " + VhostUserPort.LONGEST_SOCKET_PATH
                            + " bytes");
        }
    }

    /** A tenant's folder must never be, hold or lie in one of ours. */
    private SharedRoots sharedRoots() {
        for (Path root : sharedDirRoots) {
            for (Path own : List.of(runDir, stateDir, kubeletDir)) {
                if (root.startsWith(own) || own.startsWith(root)) {
                    throw refuse(
                            "--shared-dir-root", root, "apart from the agent's own folders and kubelet's, here " + own);
                }
            }
        }
        try {
            return new SharedRoots(sharedDirRoots);
        } catch (IllegalArgumentException e) {
            throw new ParameterException(spec.commandLine(), "invalid --shared-dir-root: " + e.getMessage(), e);
        }
    }

    /** Empty without Kubernetes. */
    private Optional<ClusterNode> clusterNode() {
        Optional<ApiServerAccess> apiServer = apiServer();
        boolean on =
                switch (kubernetes) {
                    case "auto" -> apiServer.isPresent();
                    case "on" -> true;
                    case "off" -> false;
                    default -> throw refuse("--kubernetes", kubernetes, "auto, on or off");
                };
        if (!on) {
            return Optional.empty();
        }
        if (apiServer.isEmpty()) {
            throw refuse(
                    "--kubernetes", kubernetes, "off where there is neither --kubeconfig nor a pod's ServiceAccount");
        }
        try {
            return Optional.of(new ClusterNode(nodeName, apiServer.get()));
        } catch (IllegalArgumentException e) {
            throw refuse(
                    "--node-name",
                    nodeName.isEmpty() ? "nothing" : nodeName,
                    "what the cluster calls this node, or --kubernetes=off");
        }
    }

    private Optional<ApiServerAccess> apiServer() {
        String host = System.getenv("KUBERNETES_SERVICE_HOST");
        String port = System.getenv("KUBERNETES_SERVICE_PORT");
        if (!kubeconfig.isEmpty()) {
            return Optional.of(new ApiServerAccess.OfKubeconfig(absolute("--kubeconfig", Path.of(kubeconfig))));
        }
        return host == null || port == null
                ? Optional.empty()
                : Optional.of(new ApiServerAccess.OfPod(host, port, ApiServerAccess.OfPod.SERVICE_ACCOUNT));
    }

    private void setLogLevel() {
        LogLevel level = LogLevel.named(logLevel).orElseThrow(() -> refuse("--log-level", logLevel, LogLevel.NAMES));
        ((ch.qos.logback.classic.Logger) LoggerFactory.getLogger(Logger.ROOT_LOGGER_NAME))
                .setLevel(Level.toLevel(level.name()));
    }

    private Path absolute(String option, Path path) {
        if (!path.isAbsolute() || !path.equals(path.normalize())) {
            throw refuse(option, path, "an absolute path without . and ..");
        }
        return path;
    }

    private void requireRange(String option, int value, int least, int most) {
        if (value < least || value > most) {
            throw refuse(option, value, least + " to " + most);
        }
    }

    private ParameterException refuse(String option, Object value, String expected) {
        return new ParameterException(spec.commandLine(), "invalid " + option + ": " + value + " must be " + expected);
    }
}
