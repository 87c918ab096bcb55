package io.ovsdpdk.e2e;

import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fabric8.kubernetes.api.model.Pod;
import io.ovsdpdk.agent.kubernetes.testbed.ApiServer;
import io.ovsdpdk.agent.kubernetes.testbed.Pods;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.MacAddress;
import io.ovsdpdk.e2e.AgentPod.ServiceAccount;
import io.ovsdpdk.image.AgentImage;
import io.ovsdpdk.ovsdb.testbed.OvsDpdk;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;

/**
 * A node as a cluster has it: its own files, a containerd, an Open vSwitch with DPDK that finds them at their usual places,
 * and whatever pods are started. The agent comes as a pod of the DaemonSet, the plugin with it.
 */
final class ClusterNode implements AutoCloseable {
    static final String IMAGE = "localhost/ovs-dpdk-cni/agent:test";

    private static final String PLUGINS = "/opt/cni/bin";
    private static final String DATABASE_FOLDER = "/run/openvswitch";
    private static final String PODS = "/var/lib/kubelet/pods/";

    /** What users of Userspace CNI call it. */
    private static final String VOLUME = "shared-dir";

    private static final String TOKEN = "token-of-the-agent";
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private final Path folder;
    private final MountNamespace files;
    private final OvsDpdk ovs;
    private final Containerd containerd;
    private final ApiServer apiServer;
    private final Path serviceAccount;
    private final AtomicInteger volumes = new AtomicInteger();
    private int agents;

    /** Where Open vSwitch runs. */
    enum Switch {
        ON_THE_NODE,
        IN_A_POD
    }

    private ClusterNode(Path folder, MountNamespace files, OvsDpdk ovs, Containerd containerd) throws IOException {
        this.folder = folder;
        this.apiServer = ApiServer.startWithTls();
        apiServer.requireToken(TOKEN);
        this.serviceAccount = Files.createDirectory(folder.resolve("serviceaccount"));
        Files.writeString(serviceAccount.resolve("token"), TOKEN);
        Files.copy(apiServer.certificate(), serviceAccount.resolve("ca.crt"));
        this.files = files;
        this.ovs = ovs;
        this.containerd = containerd;
    }

    /** Builds the agent's image on nothing but Debian's C library, with the native executable of {@code make native}. */
    static void buildImage(Path work, Path tar) throws IOException {
        buildImage(Jars.repository().resolve("node-agent/target"), IMAGE, work, tar);
    }

    /**
     * Likewise, of another build.
     *
     * @param agent its folder with {@code node-agent-*.jar} and {@code lib/}
     */
    static void buildImage(Path agent, String name, Path work, Path tar) throws IOException {
        Path jdk = Path.of(System.getProperty("java.home"));
        AgentImage.build("debian", jdk, agent, Jars.nativePlugin(), name, work, tar);
    }

    /** Starts a node that has the agent's image, and no agent. */
    static ClusterNode start(Switch place, Path image) throws IOException {
        Path folder = Files.createTempDirectory(Path.of("/tmp"), "node-");
        try {
            return start(place, image, folder, MountNamespace.create(folder));
        } catch (IOException | RuntimeException | Error e) {
            // The processes end with this JVM
            run(List.of("rm", "-rf", "--one-file-system", folder.toString()));
            throw e;
        }
    }

    private static ClusterNode start(Switch place, Path image, Path folder, MountNamespace files) throws IOException {
        Files.createDirectories(files.path("/run/ovs-dpdk-cni"));
        Files.createDirectories(files.path("/var/lib/kubelet"));
        OvsDpdk ovs = OvsDpdk.start(
                OvsDpdk.DEFAULT_MEMORY,
                switch (place) {
                    case ON_THE_NODE -> files.enter();
                    case IN_A_POD -> files.enterAsContainer();
                });
        ovs.addBridge("br0");
        offerDatabase(ovs, files);
        copyPlugins(Files.createDirectories(files.path(PLUGINS)));
        ObjectNode network =
                Json.object().put("type", "ovs-dpdk").put("bridge", "br0").put("mtu", 1500);
        network.putObject("ipam").put("type", "host-local").put("subnet", "10.98.0.0/24");
        Containerd containerd = Containerd.start(Files.createDirectory(folder.resolve("ctr")), files, network);
        containerd.importImage(image);
        return new ClusterNode(folder, files, ovs, containerd);
    }

    private static void offerDatabase(OvsDpdk ovs, MountNamespace files) throws IOException {
        ovs.database()
                .listenAt(Files.createDirectories(files.path(DATABASE_FOLDER)).resolve("db.sock"));
    }

    /** Starts the database again, whose folder it makes if it is not there. */
    void startDatabase() throws IOException {
        ovs.database().start();
        offerDatabase(ovs, files);
    }

    /** Ends the database, and its folder with it, as systemd does with a {@code RuntimeDirectory=} of a service. */
    void stopDatabaseWithItsFolder() throws IOException {
        ovs.database().stop();
        inNamespace("rm", "-r", DATABASE_FOLDER);
    }

    private static void copyPlugins(Path to) throws IOException {
        try (DirectoryStream<Path> debian = Files.newDirectoryStream(Node.CNI_PATH)) {
            for (Path plugin : debian) {
                Files.copy(plugin, to.resolve(plugin.getFileName()));
            }
        }
    }

    private static void run(List<String> command) throws IOException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = Output.of(process.getInputStream()).text();
        if (process.onExit().join().exitValue() != 0) {
            throw new IOException(String.join(" ", command) + ": " + output);
        }
    }

    OvsDpdk ovs() {
        return ovs;
    }

    /** The cluster's. */
    ApiServer apiServer() {
        return apiServer;
    }

    Containerd containerd() {
        return containerd;
    }

    MountNamespace files() {
        return files;
    }

    /** Starts the next pod of a DaemonSet; it may not be ready yet. */
    AgentPod startAgent(Manifests manifests) throws IOException {
        return startAgent(manifests, IMAGE);
    }

    private AgentPod startAgent(Manifests manifests, String image) throws IOException {
        return AgentPod.start(
                containerd, files, new ServiceAccount(apiServer.port(), serviceAccount), manifests, image, agents++);
    }

    /** Likewise, and waits until it is ready. */
    AgentPod startReadyAgent(Manifests manifests) throws IOException {
        return startReadyAgent(manifests, IMAGE);
    }

    /** Likewise, of another image that the node has. */
    AgentPod startReadyAgent(Manifests manifests, String image) throws IOException {
        AgentPod pod = startAgent(manifests, image);
        await().atMost(PATIENCE).conditionEvaluationListener(null).untilAsserted(() -> {
            if (!pod.isReady()) {
                throw new AssertionError("the agent is not ready:\n" + pod.log());
            }
        });
        return pod;
    }

    /**
     * Starts a pod with a volume in memory for its socket, as API server and kubelet do it together.
     *
     * @throws IOException what the runtime said instead of starting its sandbox
     */
    RunningPod startPod(String name) throws IOException {
        Pod pod = apiServer.create(
                Pods.withVolume(name, AgentPod.NODE_NAME, VOLUME, "\"emptyDir\": {\"medium\": \"Memory\"}"));
        String uid = pod.getMetadata().getUid();
        String volume = PODS + uid + "/volumes/kubernetes.io~empty-dir/" + VOLUME;
        Files.createDirectories(files.path(volume));
        inNamespace("mount", "-t", "tmpfs", "-o", "mode=777", "tmpfs", volume);
        // For us: a path that is not too long for a socket
        Path link = Files.createSymbolicLink(folder.resolve("v" + volumes.incrementAndGet()), files.path(volume));
        String sandbox = containerd.runSandbox(new Containerd.Pod("default", name, uid, 0, false));
        return new RunningPod(pod, volume, sandbox, link.resolve(Containerd.IFNAME + ".sock"));
    }

    /**
     * A pod with its sandbox.
     *
     * @param volume of its socket, on the node
     * @param sandbox its ID
     * @param socket where its workload listens
     */
    record RunningPod(Pod pod, String volume, String sandbox, Path socket) {}

    /** Ends a pod, and takes its volume away. */
    void delete(RunningPod pod) throws IOException {
        containerd.stopSandbox(pod.sandbox());
        containerd.removeSandbox(pod.sandbox());
        inNamespace("umount", pod.volume());
        apiServer.client().resource(pod.pod()).delete();
    }

    /** The address that its interface was given. */
    MacAddress macOf(RunningPod pod) throws IOException {
        return new MacAddress(ovs.vsctl(
                        "--bare",
                        "--columns=external_ids",
                        "find",
                        "Interface",
                        "external_ids:container-id=" + pod.sandbox())
                .replaceAll(".*attached-mac=\"?([0-9a-f:]{17}).*", "$1"));
    }

    private void inNamespace(String... command) throws IOException {
        run(Stream.concat(files.enter().stream(), Stream.of(command)).toList());
    }

    /** The container IDs of the switch's ports, in order. */
    List<String> attachedContainers() throws IOException {
        return ovs.vsctl(
                        "--no-wait",
                        "--bare",
                        "--columns=external_ids",
                        "find",
                        "Port",
                        "external_ids:owner=ovs-dpdk-cni")
                .lines()
                .map(line -> line.replaceAll(".*container-id=\"?([0-9a-f]+).*", "$1"))
                .filter(container -> !container.isBlank())
                .sorted()
                .toList();
    }

    /** The ports and mounts that there are of attachments. */
    List<String> remains() throws IOException {
        Stream<String> ports = ovs.vsctl("--no-wait", "--bare", "--columns=name", "find", "Interface", "type!=internal")
                .lines()
                .filter(line -> !line.isBlank());
        return Stream.concat(ports, files.mountsBelow("/run/ovs-dpdk-cni/p").stream())
                .toList();
    }

    /** Ends all pods, the agents last, and gives the bare node back. */
    void drain() throws IOException {
        containerd.removeAllSandboxes();
        for (String volume : files.mountsBelow(PODS.replaceAll("/$", ""))) {
            inNamespace("umount", "--lazy", volume);
        }
        apiServer.client().pods().inAnyNamespace().delete();
    }

    /** Ends all of it, also what a failed test left. */
    @Override
    public void close() throws IOException {
        try (files;
                ovs;
                apiServer) {
            containerd.close();
        }
        run(List.of("rm", "-rf", "--one-file-system", folder.toString()));
    }
}
