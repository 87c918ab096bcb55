package io.ovsdpdk.e2e;

import com.fasterxml.jackson.databind.JsonNode;
import io.fabric8.kubernetes.api.model.Capabilities;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.EnvFromSource;
import io.fabric8.kubernetes.api.model.EnvVar;
import io.fabric8.kubernetes.api.model.HostPathVolumeSource;
import io.fabric8.kubernetes.api.model.PodSpec;
import io.fabric8.kubernetes.api.model.Probe;
import io.fabric8.kubernetes.api.model.Quantity;
import io.fabric8.kubernetes.api.model.SeccompProfile;
import io.fabric8.kubernetes.api.model.SecurityContext;
import io.fabric8.kubernetes.api.model.Volume;
import io.fabric8.kubernetes.api.model.VolumeMount;
import io.fabric8.kubernetes.api.model.apps.DaemonSet;
import io.ovsdpdk.e2e.Containerd.Executed;
import io.ovsdpdk.e2e.Containerd.Pod;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Predicate;

/**
 * A pod of the DaemonSet, run as kubelet runs it: its manifest word for word, but for the image's name and the network, which
 * is the node's own, since the cluster's default network is not ours.
 */
final class AgentPod {
    static final String NODE_NAME = "node-1";
    private static final Duration START = Duration.ofSeconds(60);
    private static final Map<String, Integer> SECCOMP = Map.of("RuntimeDefault", 0, "Unconfined", 1);
    private static final Map<String, Integer> PROPAGATION = Map.of("None", 0, "HostToContainer", 1, "Bidirectional", 2);

    private final Containerd containerd;
    private final MountNamespace files;
    private final ServiceAccount account;
    private final Manifests manifests;
    private final String image;
    private final Pod pod;
    private final String sandbox;
    private String lastInit = "";
    private String agent;
    private int restarts;

    /**
     * What a pod gets to speak with the API server.
     *
     * @param port of the API server, on the network of the node
     * @param folder with {@code token} and {@code ca.crt}
     */
    record ServiceAccount(int port, Path folder) {}

    private AgentPod(
            Containerd containerd,
            MountNamespace files,
            ServiceAccount account,
            Manifests manifests,
            String image,
            Pod pod)
            throws IOException {
        this.containerd = containerd;
        this.files = files;
        this.account = account;
        this.manifests = manifests;
        this.image = image;
        this.pod = pod;
        for (Volume volume : spec().getVolumes()) {
            provide(volume.getHostPath());
        }
        sandbox = containerd.runSandbox(pod);
        for (Container init : spec().getInitContainers()) {
            runToItsEnd(init);
        }
        agent = startAgent();
    }

    private String startAgent() throws IOException {
        return containerd.startContainer(sandbox, pod, configuration(agentContainer()));
    }

    /** Starts the agent's container again, as kubelet does when it has ended: nobody looks at the volumes' types then. */
    void restart() throws IOException {
        if (exitStatus().isEmpty()) {
            throw new IllegalStateException("the agent runs");
        }
        restarts++;
        agent = startAgent();
    }

    /**
     * Starts it; its init container has ended well then.
     *
     * @param attempt how many pods of the DaemonSet the node has had before this one
     */
    static AgentPod start(
            Containerd containerd,
            MountNamespace files,
            ServiceAccount account,
            Manifests manifests,
            String image,
            int attempt)
            throws IOException {
        return new AgentPod(containerd, files, account, manifests, image, Pod.ofNode("agent-" + attempt, attempt));
    }

    private PodSpec spec() {
        return manifests.only(DaemonSet.class).getSpec().getTemplate().getSpec();
    }

    /** A folder of the node, as kubelet treats its type. */
    private void provide(HostPathVolumeSource folder) throws IOException {
        switch (folder.getType()) {
            case "DirectoryOrCreate" -> Files.createDirectories(files.path(folder.getPath()));
            case "Directory" -> {
                if (!Files.isDirectory(files.path(folder.getPath()))) {
                    throw new IOException("the node has no folder " + folder.getPath());
                }
            }
            default -> throw new IOException("what is a hostPath of type " + folder.getType() + "?");
        }
    }

    private void runToItsEnd(Container init) throws IOException {
        String container = containerd.startContainer(sandbox, pod, configuration(init));
        lastInit = container;
        OptionalInt status = OptionalInt.empty();
        long end = System.nanoTime() + START.toNanos();
        while (status.isEmpty() && System.nanoTime() < end) {
            LockSupport.parkNanos(10_000_000);
            status = containerd.exitStatus(container);
        }
        if (status.orElse(-1) != 0) {
            throw new IOException(init.getName() + " ended with " + status + ": " + containerd.log(log(init)));
        }
    }

    private String log(Container container) {
        return pod.name() + "-" + container.getName() + ".log";
    }

    /** {@code ContainerConfig} of CRI. */
    private ProtobufMessage configuration(Container container) throws IOException {
        ProtobufMessage configuration = ProtobufMessage.EMPTY
                .with(1, ProtobufMessage.EMPTY.with(1, container.getName()).with(2, restarts))
                .with(2, ProtobufMessage.EMPTY.with(1, image))
                .with(11, log(container))
                .with(15, linux(container));
        for (String word : container.getCommand()) {
            configuration = configuration.with(3, word);
        }
        for (String word : container.getArgs()) {
            configuration = configuration.with(4, word);
        }
        for (EnvFromSource source : container.getEnvFrom()) {
            for (Map.Entry<String, String> variable :
                    configMap(source.getConfigMapRef().getName()).entrySet()) {
                configuration = configuration.with(6, pair(variable.getKey(), variable.getValue()));
            }
        }
        for (EnvVar variable : container.getEnv()) {
            configuration = configuration.with(6, pair(variable.getName(), valueOf(variable)));
        }
        // What every pod gets
        configuration = configuration
                .with(6, pair("KUBERNETES_SERVICE_HOST", "127.0.0.1"))
                .with(6, pair("KUBERNETES_SERVICE_PORT", Integer.toString(account.port())));
        if (Boolean.TRUE.equals(spec().getAutomountServiceAccountToken())) {
            configuration = configuration.with(
                    7,
                    ProtobufMessage.EMPTY
                            .with(1, "/var/run/secrets/kubernetes.io/serviceaccount")
                            .with(2, account.folder().toString())
                            .with(3, 1));
        }
        // Fails instead of going on without what was prepared
        configuration = configuration.with(6, pair("JDK_JAVA_OPTIONS", "-XX:AOTMode=on"));
        for (VolumeMount mount : container.getVolumeMounts()) {
            configuration = configuration.with(7, mount(mount));
        }
        return configuration;
    }

    private Map<String, String> configMap(String name) {
        ConfigMap map = manifests.only(ConfigMap.class);
        if (!map.getMetadata().getName().equals(name)) {
            throw new IllegalStateException("no ConfigMap " + name);
        }
        return map.getData();
    }

    private static String valueOf(EnvVar variable) {
        if (variable.getValue() != null) {
            return variable.getValue();
        }
        String field = variable.getValueFrom().getFieldRef().getFieldPath();
        if (!field.equals("spec.nodeName")) {
            throw new IllegalStateException("what is " + field + "?");
        }
        return NODE_NAME;
    }

    private static ProtobufMessage pair(String key, String value) {
        return ProtobufMessage.EMPTY.with(1, key).with(2, value);
    }

    private ProtobufMessage mount(VolumeMount mount) {
        Volume volume =
                only(spec().getVolumes(), candidate -> candidate.getName().equals(mount.getName()));
        return ProtobufMessage.EMPTY
                .with(1, mount.getMountPath())
                .with(2, volume.getHostPath().getPath())
                .with(3, flag(mount.getReadOnly()))
                .with(
                        5,
                        PROPAGATION.get(
                                Optional.ofNullable(mount.getMountPropagation()).orElse("None")));
    }

    private static <T> T only(List<T> all, Predicate<T> wanted) {
        return all.stream().filter(wanted).findFirst().orElseThrow();
    }

    /** {@code LinuxContainerConfig} of CRI. */
    private ProtobufMessage linux(Container container) {
        SecurityContext context = container.getSecurityContext();
        ProtobufMessage security = ProtobufMessage.EMPTY
                .with(2, flag(context.getPrivileged()))
                .with(3, ProtobufMessage.EMPTY.with(1, 2))
                .with(
                        5,
                        ProtobufMessage.EMPTY.with(
                                1, spec().getSecurityContext().getRunAsUser()))
                .with(7, flag(context.getReadOnlyRootFilesystem()))
                .with(11, flag(Boolean.FALSE.equals(context.getAllowPrivilegeEscalation())))
                .with(
                        12,
                        ProtobufMessage.EMPTY.with(
                                1, spec().getSecurityContext().getRunAsGroup()));
        Capabilities capabilities = context.getCapabilities();
        if (capabilities != null) {
            ProtobufMessage changed = ProtobufMessage.EMPTY;
            for (String capability : capabilities.getAdd()) {
                changed = changed.with(1, capability);
            }
            for (String capability : capabilities.getDrop()) {
                changed = changed.with(2, capability);
            }
            security = security.with(1, changed);
        }
        security = security.with(15, seccomp(context));
        long memory = Quantity.getAmountInBytes(
                        container.getResources().getLimits().get("memory"))
                .longValueExact();
        return ProtobufMessage.EMPTY
                .with(1, ProtobufMessage.EMPTY.with(4, memory))
                .with(2, security);
    }

    /** {@code SecurityProfile} of CRI: the container's own, else the pod's. */
    private ProtobufMessage seccomp(SecurityContext container) {
        String type = Optional.ofNullable(container.getSeccompProfile())
                .or(() -> Optional.ofNullable(spec().getSecurityContext().getSeccompProfile()))
                .map(SeccompProfile::getType)
                .orElse("Unconfined");
        return ProtobufMessage.EMPTY.with(1, SECCOMP.get(type));
    }

    private static int flag(Boolean value) {
        return Boolean.TRUE.equals(value) ? 1 : 0;
    }

    private Container agentContainer() {
        return spec().getContainers().getFirst();
    }

    /** Whether its liveness probe succeeds. */
    boolean isLive() throws IOException {
        return probe(agentContainer().getLivenessProbe()).status() == 0;
    }

    /** Whether its readiness probe succeeds. */
    boolean isReady() throws IOException {
        return probe(agentContainer().getReadinessProbe()).status() == 0;
    }

    private Executed probe(Probe probe) throws IOException {
        return containerd.execute(agent, probe.getExec().getCommand());
    }

    /** Runs a command beside the agent. */
    Executed execute(String... command) throws IOException {
        return containerd.execute(agent, List.of(command));
    }

    /** The agent's exit status, once it has ended. */
    OptionalInt exitStatus() throws IOException {
        return containerd.exitStatus(agent);
    }

    /** What its init container has printed. */
    String initLog() throws IOException {
        return containerd.log(log(spec().getInitContainers().getFirst()));
    }

    /** What the runtime made of its init container's manifest, as OCI has it. */
    JsonNode initSpecification() throws IOException {
        return containerd.specification(lastInit);
    }

    String log() throws IOException {
        return containerd.log(log(agentContainer()));
    }

    /** Ends it as kubelet does when the pod is deleted; returns the agent's exit status. */
    int delete() throws IOException {
        containerd.stopContainer(agent, Math.toIntExact(spec().getTerminationGracePeriodSeconds()));
        int status = exitStatus().orElseThrow();
        containerd.stopSandbox(sandbox);
        containerd.removeSandbox(sandbox);
        return status;
    }
}
