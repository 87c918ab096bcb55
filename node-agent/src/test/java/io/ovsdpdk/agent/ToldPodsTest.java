package io.ovsdpdk.agent;

import static io.ovsdpdk.agent.TestAgent.run;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fabric8.kubernetes.api.model.Event;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.client.dsl.base.PatchContext;
import io.fabric8.kubernetes.client.dsl.base.PatchType;
import io.ovsdpdk.agent.kubernetes.ApiServerAccess;
import io.ovsdpdk.agent.kubernetes.Cluster;
import io.ovsdpdk.agent.kubernetes.ClusterNode;
import io.ovsdpdk.agent.kubernetes.testbed.ApiServer;
import io.ovsdpdk.api.Attached;
import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.AttachmentRequest;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.DeviceInfo;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.PodIdentity;
import io.ovsdpdk.api.Reply;
import io.ovsdpdk.api.Request;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.awaitility.core.ConditionFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** From an ADD to the pod's annotation: the agent's parts together, on a real switch. */
class ToldPodsTest extends AttachmentsOnASwitch {
    private static final String NODE = "node-a";
    private static final String STATUS = "k8s.v1.cni.cncf.io/network-status";
    private static final String NETWORKS = "k8s.v1.cni.cncf.io/networks";
    private static final Path RECORDED = Path.of("src/test/resources/multus");

    private ApiServer server;
    private Cluster cluster;
    private Agent asked;

    @BeforeEach
    void joinCluster() throws IOException {
        server = ApiServer.start();
        join();
    }

    @AfterEach
    void leaveCluster() throws IOException {
        cluster.close();
        server.close();
    }

    private void join() throws IOException {
        Path kubeconfig = server.writeKubeconfig(agent.folder.resolve("kubeconfig"), "token");
        cluster = Cluster.join(new ClusterNode(NODE, new ApiServerAccess.OfKubeconfig(kubeconfig)));
        cluster.announce(pod -> agent.attachments.in(pod));
        agent.cluster = cluster;
        agent.restart();
        asked = agent.asked();
    }

    /** What Multus wrote into real pods, after attachments that are ours. */
    @ParameterizedTest
    @ValueSource(strings = {"p-noid", "p-devid", "p-full", "p-list", "p-res"})
    void recordedStatusGetsOurDeviceInfoAndKeepsEverythingElse(String name) throws IOException {
        String written = Files.readString(RECORDED.resolve(name).resolve("network-status.json"));
        Pod pod = pod(name, Map.of(NETWORKS, "as recorded"));
        Map<String, String> sockets = new HashMap<>();
        for (JsonNode entry : json(written)) {
            String ifname = entry.path("interface").asText();
            if (!ifname.equals("eth0")) {
                sockets.put(ifname, add(pod, ifname).socketPath());
            }
        }

        multusWrites(pod, written);

        JsonNode expected = json(written);
        for (JsonNode entry : expected) {
            String socket = sockets.get(entry.path("interface").asText());
            if (socket != null) {
                ((ObjectNode) entry).set("device-info", DeviceInfo.completed(Json.object(), socket));
            }
        }
        inTime().untilAsserted(() -> assertThat(status(pod)).isEqualTo(expected));
    }

    @Test
    void addSucceedsWhileTheApiServerIsAwayAndThePodIsToldAfterwards() throws IOException {
        Pod pod = pod("p1", Map.of());
        server.stop();

        String socket = add(pod, "net1").socketPath();

        server.restart();
        inTime().until(() -> path(pod).equals(socket));
    }

    @Test
    void agentThatIsStartedAgainTellsOfWhatItRemembers() throws IOException {
        Pod pod = pod("p1", Map.of(NETWORKS, "fast"));
        String socket = add(pod, "net1").socketPath();
        cluster.close();
        multusWrites(pod, "[{\"interface\": \"net1\"}]");

        agent.restart();
        join();

        inTime().until(() -> path(pod).equals(socket));
    }

    @Test
    void podIsNotToldOfWhatWasDeleted() throws IOException {
        Pod pod = pod("p1", Map.of(NETWORKS, "fast"));
        add(pod, "net1");
        assertThat(asked.apply(new Request.Delete(id))).isEqualTo(new Reply.Done());

        multusWrites(pod, "[{\"interface\": \"net1\"}]");
        Pod marker = pod("marker", Map.of());
        id = TestAgent.newId();
        String socket = add(marker, "net1").socketPath();

        inTime().until(() -> path(marker).equals(socket));
        assertThat(path(pod)).isEmpty();
    }

    @Test
    void podIsToldNoLongerOfWhatIsUnplugged() throws IOException {
        Pod pod = pod("p1", Map.of());
        ObjectNode network = agent.network().put("legacyAnnotations", true);
        for (String ifname : List.of("net1", "net2")) {
            assertThat(asked.apply(new Request.Add(
                            request(ifname, identity(pod), network), Json.object(), Duration.ofSeconds(20))))
                    .isInstanceOf(Reply.Added.class);
        }
        inTime().until(() -> names(pod, STATUS, "interface").equals(List.of("net1", "net2")));

        asked.apply(new Request.Delete(new AttachmentId(id.containerId(), "net1")));

        inTime().untilAsserted(() -> {
            assertThat(names(pod, STATUS, "interface")).containsExactly("net2");
            assertThat(names(pod, "userspace/configuration-data", "ifName")).containsExactly("net2");
        });
    }

    @Test
    void podIsToldNoLongerOfWhatAnAddThatFailsTookDown() throws IOException {
        Pod pod = pod("p1", Map.of());
        add(pod, "net1");
        inTime().until(() -> names(pod, STATUS, "interface").equals(List.of("net1")));
        Path mounted = Files.createDirectories(agent.folderOf(id).resolve("m"));
        run("mount", "-t", "tmpfs", "none", mounted.toString());
        assertThat(asked.apply(new Request.Delete(id))).isEqualTo(new Reply.Done());
        run("umount", mounted.toString());

        Reply reply = asked.apply(new Request.Add(
                request("net1", identity(pod), agent.network().put("bridge", "br-missing")),
                Json.object(),
                Duration.ofSeconds(20)));

        assertThat(reply).isInstanceOf(Reply.Failed.class);
        inTime().until(() -> names(pod, STATUS, "interface").isEmpty());
    }

    private List<String> names(Pod pod, String annotation, String key) throws IOException {
        Map<String, String> annotations =
                server.client().resource(pod).get().getMetadata().getAnnotations();
        return annotations == null
                ? List.of()
                : json(annotations.getOrDefault(annotation, "[]")).findValuesAsText(key);
    }

    /** Both are there only when the pod was not known for sure: their UID is then no more than the runtime's word. */
    @Test
    void ofTwoSandboxesThePodIsToldOfTheNewerOneThatIsThere() throws IOException {
        AttachmentId before = id;
        Pod pod = pod("p1", Map.of(NETWORKS, "fast"));
        cluster.close();
        joinWithoutApiServer();
        String first = add(pod, "net1").socketPath();
        id = TestAgent.newId();
        String second = add(pod, "net1").socketPath();
        server.restart();
        multusWrites(pod, "[{\"interface\": \"net1\"}]");
        inTime().until(() -> path(pod).equals(second));

        agent.restart();
        asked = agent.asked();
        multusWrites(pod, "[{\"interface\": \"net1\"}]");
        inTime().until(() -> path(pod).equals(second));

        assertThat(asked.apply(new Request.Delete(id))).isEqualTo(new Reply.Done());
        inTime().until(() -> path(pod).equals(first));
        assertThat(before).isNotEqualTo(id);
    }

    /** Memory is empty until it is back. */
    private void joinWithoutApiServer() throws IOException {
        server.stop();
        join();
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void podWhoseAddFailsIsToldWhyByAnEvent(boolean announced) {
        Pod pod = pod("p1", Map.of());
        ObjectNode network = agent.network().put("bridge", "br-missing");
        AttachmentRequest attachment = request("net1", identity(pod), network);

        Reply reply = asked.apply(
                announced
                        ? new Request.Announce(attachment, Duration.ofSeconds(20))
                        : new Request.Add(attachment, Json.object(), Duration.ofSeconds(20)));

        CniException refusal = ((Reply.Failed) reply).error();
        inTime().until(() -> !messages(pod).isEmpty());
        assertThat(messages(pod)).containsExactly("net1: " + refusal.getMessage() + ": " + refusal.details());
    }

    @Test
    void eventIsThePodsAlsoWhenTheRuntimeNamesNoUid() {
        Pod pod = pod("p1", Map.of());
        PodIdentity identity = new PodIdentity("default", "p1", "");
        ObjectNode network = agent.network().put("bridge", "br-missing");

        asked.apply(new Request.Add(request("net1", identity, network), Json.object(), Duration.ofSeconds(20)));

        inTime().until(() -> messages(pod).size() == 1);
    }

    /** Of the events on the pod. */
    private List<String> messages(Pod pod) {
        return server.client().v1().events().inNamespace("default").list().getItems().stream()
                .filter(event -> pod.getMetadata()
                        .getUid()
                        .equals(event.getInvolvedObject().getUid()))
                .map(Event::getMessage)
                .toList();
    }

    private Attached add(Pod pod, String ifname) {
        Reply reply = asked.apply(new Request.Add(
                request(ifname, identity(pod), agent.network()), Json.object(), Duration.ofSeconds(20)));
        assertThat(reply).isInstanceOf(Reply.Added.class);
        return ((Reply.Added) reply).attached();
    }

    private static PodIdentity identity(Pod pod) {
        return new PodIdentity(
                pod.getMetadata().getNamespace(),
                pod.getMetadata().getName(),
                pod.getMetadata().getUid());
    }

    private AttachmentRequest request(String ifname, PodIdentity identity, ObjectNode network) {
        return new AttachmentRequest(
                new AttachmentId(id.containerId(), ifname), "/run/netns/test", identity, Optional.empty(), network);
    }

    /** A pod that the agent has seen. */
    private Pod pod(String name, Map<String, String> annotations) {
        Pod created = server.create(new PodBuilder()
                .withNewMetadata()
                .withNamespace("default")
                .withName(name)
                .withAnnotations(annotations)
                .endMetadata()
                .withNewSpec()
                .withNodeName(NODE)
                .endSpec()
                .build());
        inTime().until(() -> cluster.pods().orElseThrow().find("default", name).isPresent());
        return created;
    }

    private void multusWrites(Pod pod, String status) {
        ObjectNode patch = Json.object();
        patch.putObject("metadata").putObject("annotations").put(STATUS, status);
        server.client().pods().resource(pod).patch(PatchContext.of(PatchType.JSON_MERGE), patch.toString());
    }

    private JsonNode status(Pod pod) throws IOException {
        Map<String, String> annotations =
                server.client().resource(pod).get().getMetadata().getAnnotations();
        return json(annotations == null ? "[]" : annotations.getOrDefault(STATUS, "[]"));
    }

    private String path(Pod pod) throws IOException {
        return status(pod).at("/0/device-info/vhost-user/path").asText();
    }

    private static ConditionFactory inTime() {
        return await().atMost(Duration.ofSeconds(40));
    }

    private static JsonNode json(String text) throws IOException {
        return new ObjectMapper().readTree(text);
    }
}
