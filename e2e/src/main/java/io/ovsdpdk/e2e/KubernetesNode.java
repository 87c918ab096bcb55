package io.ovsdpdk.e2e;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.Volume;
import io.ovsdpdk.agent.kubernetes.testbed.ApiServer;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.ovsdb.testbed.FolderTree;
import io.ovsdpdk.ovsdb.testbed.OvsDpdk;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * A node as a member of a cluster: its agent follows an API server, and volumes are made where and as kubelet makes them.
 */
final class KubernetesNode implements AutoCloseable {
    /** What the cluster calls it. */
    static final String NAME = "node-a";

    final Node node;
    final ApiServer apiServer;
    private final List<Path> mounts = new ArrayList<>();

    private KubernetesNode(Node node, ApiServer apiServer) {
        this.node = node;
        this.apiServer = apiServer;
    }

    static KubernetesNode start(OvsDpdk ovs) throws IOException {
        ApiServer apiServer = ApiServer.start();
        Node node;
        try {
            node = Node.start(ovs);
        } catch (IOException e) {
            apiServer.close();
            throw e;
        }
        KubernetesNode started = new KubernetesNode(node, apiServer);
        try {
            node.stopAgent();
            Files.createDirectories(started.kubeletDir().resolve("pods"));
            started.apiServer.writeKubeconfig(started.kubeconfig(), "token");
            started.startAgent();
            return started;
        } catch (IOException e) {
            started.close();
            throw e;
        }
    }

    /** @param more options besides those that name this node and its folders */
    void startAgent(String... more) throws IOException {
        List<String> options = new ArrayList<>(List.of(
                "--log-level=debug",
                "--node-name=" + NAME,
                "--kubeconfig=" + kubeconfig(),
                "--kubelet-dir=" + kubeletDir()));
        options.addAll(List.of(more));
        node.startAgent(options.toArray(String[]::new));
    }

    private Path kubeconfig() {
        return node.folder().resolve("kubeconfig");
    }

    Path kubeletDir() {
        return node.folder().resolve("kubelet");
    }

    /** The pod is on this node, and its volumes are there: what is so before the runtime makes the sandbox. */
    Pod schedule(Pod pod) throws IOException {
        Pod scheduled = apiServer.create(pod);
        for (Volume volume : scheduled.getSpec().getVolumes()) {
            if (volume.getEmptyDir() != null) {
                Path folder = Files.createDirectories(volume(scheduled, volume.getName()));
                if ("Memory".equals(volume.getEmptyDir().getMedium())) {
                    Command.run("mount", "-t", "tmpfs", "none", folder.toString());
                    mounts.add(folder);
                }
                Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxrwxrwx"));
            }
        }
        return scheduled;
    }

    /** Where kubelet has an emptyDir of a pod. */
    Path volume(Pod pod, String name) {
        return kubeletDir().resolve("pods/" + pod.getMetadata().getUid() + "/volumes/kubernetes.io~empty-dir/" + name);
    }

    /** The runtime has removed the pod's sandbox: kubelet removes its volumes, then the pod is gone. */
    void remove(Pod pod) throws IOException {
        FolderTree.delete(kubeletDir().resolve("pods/" + pod.getMetadata().getUid()));
        apiServer.client().resource(pod).withGracePeriod(0).delete();
    }

    /** A call of the plugin as the runtime makes it for a pod's interface {@code net1}. */
    PluginCall call(String command, String container, Pod pod, ObjectNode network) throws IOException {
        return node.call(command, container, "net1", network).with("CNI_ARGS", arguments(pod));
    }

    /** What a runtime passes to plugins in {@code CNI_ARGS} for a pod. */
    static String arguments(Pod pod) {
        return "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME="
                + pod.getMetadata().getName() + ";K8S_POD_UID="
                + pod.getMetadata().getUid();
    }

    /** A pod's annotations as they stand now. */
    Map<String, String> annotations(Pod pod) {
        return apiServer.client().resource(pod).get().getMetadata().getAnnotations();
    }

    /** A list that an annotation of a pod holds; empty where it has none. */
    JsonNode annotation(Pod pod, String key) throws IOException {
        String list = annotations(pod).getOrDefault(key, "[]");
        try {
            return Json.readObject("annotation", ("{\"list\":" + list + "}").getBytes(StandardCharsets.UTF_8))
                    .path("list");
        } catch (CniException e) {
            throw new IOException(key + " of " + pod.getMetadata().getName() + ": " + list, e);
        }
    }

    /** The folder as a container sees it, at a path that is short enough for a socket. */
    Path mountLikeAContainer(Path folder) throws IOException {
        Path mountPoint = Files.createDirectory(node.folder().resolve("m" + mounts.size()));
        Command.run("mount", "--bind", folder.toString(), mountPoint.toString());
        mounts.add(mountPoint);
        return mountPoint;
    }

    /** Like {@link Node#remains}, with the folders of pods that kubelet has not removed. */
    List<String> remains() throws IOException {
        List<String> remains = new ArrayList<>(node.remains());
        try (Stream<Path> pods = Files.list(kubeletDir().resolve("pods"))) {
            pods.map(Path::toString).forEach(remains::add);
        }
        return remains;
    }

    @Override
    public void close() throws IOException {
        try {
            for (Path mount : mounts.reversed()) {
                Command.run("umount", "--lazy", mount.toString());
            }
        } finally {
            try {
                apiServer.close();
            } finally {
                node.close();
            }
        }
    }
}
