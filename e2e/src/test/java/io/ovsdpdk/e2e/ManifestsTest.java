package io.ovsdpdk.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Namespace;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodSpec;
import io.fabric8.kubernetes.api.model.Volume;
import io.fabric8.kubernetes.api.model.VolumeMount;
import io.fabric8.kubernetes.api.model.apps.DaemonSet;
import io.fabric8.kubernetes.api.model.rbac.ClusterRole;
import io.fabric8.kubernetes.api.model.rbac.PolicyRule;
import io.fabric8.openshift.api.model.SecurityContextConstraints;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.NetworkConfiguration;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What an administrator applies: that it renders, is what Kubernetes knows, and asks for no more than it needs. */
class ManifestsTest {
    private static final Set<String> KEYS_OF_OLD_KUSTOMIZE =
            Set.of("apiVersion", "kind", "namespace", "bases", "resources", "patchesStrategicMerge", "images");

    /** Where {@code toolchain/kustomize} puts an old and a new one, which it downloads once. */
    private static Path otherKustomizes() throws IOException {
        Process script = new ProcessBuilder(
                        Jars.repository().resolve("toolchain/kustomize").toString())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        return Path.of(Output.of(script.getInputStream()).text().strip());
    }

    static Stream<Path> kustomizations() throws IOException {
        return Manifests.files().stream().filter(file -> file.endsWith("kustomization.yaml"));
    }

    private static PodSpec pod(Manifests manifests) {
        return manifests.only(DaemonSet.class).getSpec().getTemplate().getSpec();
    }

    private static Container agent(Manifests manifests) {
        return pod(manifests).getContainers().getFirst();
    }

    @ParameterizedTest
    @MethodSource("kustomizations")
    void everyKustomizationRendersToWhatKubernetesKnows(Path kustomization) throws IOException {
        Path folder = Manifests.folder().relativize(kustomization.getParent());

        assertThat(Manifests.rendered(folder.toString()).objects()).isNotEmpty();
    }

    /** That of kubectl 1.20, which Debian 12 has. */
    @ParameterizedTest
    @MethodSource("kustomizations")
    void everyKustomizationUsesWhatOldKustomizeKnowsToo(Path kustomization) throws IOException {
        JsonNode content = Manifests.documents(Files.readString(kustomization)).getFirst();

        assertThat(content.properties().stream().map(Map.Entry::getKey)).isSubsetOf(KEYS_OF_OLD_KUSTOMIZE);
        for (JsonNode resource : content.path("resources")) {
            assertThat(kustomization.resolveSibling(resource.asText())).isRegularFile();
        }
    }

    /** That of Debian 12's kubectl, that of the kubectl that is installed, and a standalone one. */
    @ParameterizedTest
    @MethodSource("kustomizations")
    @Tag("long")
    void everyKustomizeRendersTheSame(Path kustomization) throws IOException {
        String folder = kustomization.getParent().toString();
        Path others = otherKustomizes();

        Object rendered = unordered(Manifests.rendered(folder, List.of("kubectl", "kustomize")));
        Object old = unordered(
                Manifests.rendered(folder, List.of(others.resolve("kubectl").toString(), "kustomize")));
        Object standalone = unordered(
                Manifests.rendered(folder, List.of(others.resolve("kustomize").toString(), "build")));

        assertThat(old).isEqualTo(rendered);
        assertThat(standalone).isEqualTo(rendered);
    }

    /** Lists that are merged by name come out in this order or that. */
    private static List<String> unordered(String yaml) throws IOException {
        return Manifests.documents(yaml).stream()
                .map(ManifestsTest::unordered)
                .sorted()
                .toList();
    }

    private static String unordered(JsonNode value) {
        if (value.isArray()) {
            return value.valueStream()
                    .map(ManifestsTest::unordered)
                    .sorted()
                    .toList()
                    .toString();
        }
        return value.isObject()
                ? value.properties().stream()
                        .map(field -> field.getKey() + "=" + unordered(field.getValue()))
                        .sorted()
                        .toList()
                        .toString()
                : value.toString();
    }

    static Stream<Path> filesToApply() throws IOException {
        return Manifests.files().stream().filter(file -> !file.endsWith("kustomization.yaml"));
    }

    /** Patches and examples too, each by itself. */
    @ParameterizedTest
    @MethodSource("filesToApply")
    void everyFileHasNoKeyThatItsSchemaLacks(Path file) throws IOException {
        for (JsonNode document : Manifests.documents(Files.readString(file))) {
            validate(document, file);
        }
    }

    private static void validate(JsonNode document, Path file) throws IOException {
        String kind = document.path("kind").asText();
        switch (kind) {
            case "VirtualMachine" -> ListedTypes.read().check(document, "V1VirtualMachine");
            case "NetworkAttachmentDefinition" -> ListedTypes.read().check(document, kind);
            // A patch of the one object KubeVirt, by its name
            case "" -> {
                assertThat(file.getFileName().toString()).contains("kubevirt-patch");
                ListedTypes.read().check(document, "V1KubeVirt");
            }
            default -> Manifests.read(document.toString());
        }
    }

    @ParameterizedTest
    @CsvSource({
        "V1KubeVirt, '{spec: {configuration: {network: {binding: {ovs-dpdk: {sidecarImag: x}}}}}}', sidecarImag",
        "V1KubeVirt, '{spec: {configuration: {network: {binding: {ovs-dpdk: {sidecarImage: 1}}}}}}', is no string",
        "V1VirtualMachine, '{spec: {template: {spec: {domain: {devices: {interfaces: {}}}}}}}', is no list of",
        "V1VirtualMachine, '{metadata: {nam: x}}', nam",
        "V1VirtualMachine, '{status: {}}', not in the list",
        "NetworkAttachmentDefinition, '{spec: {conf: x}}', conf"
    })
    void slipOfThePenInACustomResourceIsFound(String type, String yaml, String slip) throws IOException {
        JsonNode value = Manifests.documents(yaml).getFirst();

        assertThatThrownBy(() -> ListedTypes.read().check(value, type))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(slip);
    }

    @ParameterizedTest
    @ValueSource(strings = {"privilegd: true", "readOnlyRootFilesystem: maybe"})
    void slipOfThePenIsFound(String slip) {
        String yaml = """
                apiVersion: v1
                kind: Pod
                metadata: {name: p}
                spec:
                  containers: [{name: c, image: i, securityContext: {%s}}]
                """.formatted(slip);

        assertThatThrownBy(() -> Manifests.read(yaml))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("Pod p");
    }

    /** kubectl apply -f FOLDER takes the files in the order of their names. */
    @Test
    void filesOfTheBaseAreNumberedInTheOrderOfApplication() throws IOException {
        JsonNode resources = Manifests.documents(
                        Files.readString(Manifests.folder().resolve("base/kustomization.yaml")))
                .getFirst()
                .path("resources");
        List<String> files = resources.valueStream().map(JsonNode::asText).toList();

        assertThat(files).isSorted().allMatch(file -> file.matches("[0-9]{2}-[a-z]+\\.yaml"));
        List<String> kinds = files.stream()
                .flatMap(file -> read(Manifests::read, "base/" + file).objects().stream())
                .map(HasMetadata::getKind)
                .toList();
        assertThat(kinds)
                .containsExactly(
                        "Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "ConfigMap", "DaemonSet");
    }

    /** Something that reads text and may fail. */
    private interface Reading<T> {
        T of(String yaml) throws IOException;
    }

    private static <T> T read(Reading<T> reading, String file) {
        try {
            return reading.of(Files.readString(Manifests.folder().resolve(file)));
        } catch (IOException e) {
            throw new IllegalStateException(file, e);
        }
    }

    @Test
    void agentMayReadPodsPatchTheirStatusAndTellEventsAndNothingElse() throws IOException {
        ClusterRole role = Manifests.rendered("base").only(ClusterRole.class);

        Set<String> permissions = role.getRules().stream()
                .flatMap(ManifestsTest::permissions)
                .collect(Collectors.toCollection(TreeSet::new));
        assertThat(permissions)
                .containsExactlyInAnyOrder(
                        "get pods", "list pods", "watch pods", "patch pods/status", "create events", "patch events");
    }

    private static Stream<String> permissions(PolicyRule rule) {
        return rule.getVerbs().stream()
                .flatMap(verb -> rule.getResources().stream().map(resource -> verb + " " + resource));
    }

    @Test
    void checksMayOnlyRead() throws IOException {
        ClusterRole role = Manifests.rendered("checks").only(ClusterRole.class);

        assertThat(role.getRules()).flatExtracting(PolicyRule::getVerbs).containsOnly("get", "list");
    }

    @Test
    void nothingIsAskedForThatPrivilegesDoNotNeed() throws IOException {
        Manifests base = Manifests.rendered("base");
        PodSpec pod = pod(base);
        Container install = pod.getInitContainers().getFirst();

        assertThat(agent(base).getSecurityContext().getPrivileged()).isTrue();
        assertThat(agent(base).getSecurityContext().getReadOnlyRootFilesystem()).isTrue();
        assertThat(install.getSecurityContext().getPrivileged()).isNull();
        assertThat(install.getSecurityContext().getReadOnlyRootFilesystem()).isTrue();
        assertThat(install.getSecurityContext().getAllowPrivilegeEscalation()).isFalse();
        assertThat(install.getSecurityContext().getCapabilities().getDrop()).containsExactly("ALL");
        assertThat(install.getSecurityContext().getCapabilities().getAdd()).containsExactly("DAC_OVERRIDE");
        assertThat(pod.getNodeSelector())
                .containsEntry("kubernetes.io/arch", "amd64")
                .containsEntry("ovs-dpdk.io/node", "true");
        assertThat(install.getVolumeMounts()).extracting(VolumeMount::getName).containsExactly("cni-bin");
        assertThat(Stream.of(pod.getHostNetwork(), pod.getHostPID(), pod.getHostIPC()))
                .containsOnlyNulls();
        assertThat(base.only(Namespace.class).getMetadata().getLabels())
                .containsEntry("pod-security.kubernetes.io/enforce", "privileged");
    }

    /** A name without a registry would be looked for at the usual one, where it may be anybody's. */
    @ParameterizedTest
    @CsvSource({"IMAGE, agent", "BINDING_IMAGE, binding"})
    void imagesAreNamedAsTheyAreBuiltAndAreInNoRegistry(String variable, String name) throws IOException {
        String built = Files.readAllLines(Jars.repository().resolve("Makefile")).stream()
                .filter(line -> line.startsWith(variable + " := "))
                .map(line -> line.substring(variable.length() + " := ".length()))
                .findFirst()
                .orElseThrow();

        assertThat(built).isEqualTo("localhost/ovs-dpdk-cni/" + name + ":latest");
        assertThat(imagesOf(name)).isNotEmpty().containsOnly(built);
    }

    private static List<String> imagesOf(String name) throws IOException {
        if (name.equals("agent")) {
            return images(Manifests.rendered("base"));
        }
        Path patch = Manifests.folder().resolve("examples/kubevirt/10-kubevirt-patch.yaml");
        return Manifests.documents(Files.readString(patch)).getFirst().findValuesAsText("sidecarImage");
    }

    private static List<String> images(Manifests manifests) {
        PodSpec pod = pod(manifests);
        return Stream.concat(pod.getInitContainers().stream(), pod.getContainers().stream())
                .map(Container::getImage)
                .toList();
    }

    /** The overlay of docs/installation.md, for old and new kustomizes. */
    @Test
    void overlaySaysWhereTheImageIsAndNodesThatHaveItDoNotAsk(@TempDir Path overlay) throws IOException {
        String documented = Files.readString(Jars.repository().resolve("docs/installation.md"));
        String yaml = documented.substring(documented.indexOf("# kustomization.yaml"));
        Files.createSymbolicLink(overlay.resolve("daemonset"), Manifests.folder());
        Files.writeString(
                overlay.resolve("kustomization.yaml"),
                yaml.substring(0, yaml.indexOf("```")).replace("ovs-dpdk-cni/daemonset", "daemonset"));

        Manifests rendered = Manifests.read(Manifests.rendered(overlay.toString(), List.of("kubectl", "kustomize")));

        assertThat(images(rendered)).hasSize(2).containsOnly("registry.example/ovs-dpdk-cni/agent:0.1.0");
        PodSpec pod = pod(rendered);
        assertThat(Stream.concat(pod.getInitContainers().stream(), pod.getContainers().stream()))
                .extracting(Container::getImagePullPolicy)
                .containsOnly("IfNotPresent");
    }

    @Test
    void mountsReachTheSideThatNeedsThem() throws IOException {
        Manifests base = Manifests.rendered("base");

        Function<String, String> propagation = path -> agent(base).getVolumeMounts().stream()
                .filter(mount -> mount.getMountPath().equals(path))
                .findFirst()
                .orElseThrow()
                .getMountPropagation();
        assertThat(propagation.apply("/run/ovs-dpdk-cni")).isEqualTo("Bidirectional");
        assertThat(propagation.apply("/var/lib/kubelet")).isEqualTo("HostToContainer");
        assertThat(propagation.apply("/run/openvswitch")).isEqualTo("HostToContainer");
    }

    /** The switch and the plugin see the paths that the agent writes down. */
    @Test
    void agentSeesEveryFolderOfTheNodeWhereTheNodeHasIt() throws IOException {
        Manifests base = Manifests.rendered("base");

        for (VolumeMount mount : agent(base).getVolumeMounts()) {
            Volume volume = pod(base).getVolumes().stream()
                    .filter(candidate -> candidate.getName().equals(mount.getName()))
                    .findFirst()
                    .orElseThrow();
            assertThat(volume.getHostPath().getPath()).isEqualTo(mount.getMountPath());
        }
    }

    @Test
    void agentHasTimeToFinishWhatItBegan() throws IOException {
        Manifests base = Manifests.rendered("base");

        int grace = Integer.parseInt(base.only(ConfigMap.class).getData().get("OVS_DPDK_STOP_GRACE"));
        assertThat(pod(base).getTerminationGracePeriodSeconds()).isGreaterThan(grace);
    }

    @Test
    void openshiftAllowsWhatTheDaemonSetAsksForAndHasItsFolderOfPlugins() throws IOException {
        Manifests openshift = Manifests.rendered("overlays/openshift");

        SecurityContextConstraints constraints = openshift.only(SecurityContextConstraints.class);
        assertThat(constraints.getUsers()).containsExactly("system:serviceaccount:ovs-dpdk-cni:ovs-dpdk-agent");
        assertThat(constraints.getAllowPrivilegedContainer()).isTrue();
        assertThat(constraints.getAllowHostNetwork()).isFalse();
        assertThat(constraints.getAllowHostPID()).isFalse();
        assertThat(constraints.getVolumes()).contains("hostPath", "configMap", "projected");
        assertThat(pod(openshift).getVolumes())
                .filteredOn(Volume::getName, "cni-bin")
                .singleElement()
                .satisfies(volume -> assertThat(volume.getHostPath().getPath()).isEqualTo("/var/lib/cni/bin"));
    }

    @Test
    void openVswitchInAPodMayComeLaterThanTheAgent() throws IOException {
        assertThat(pod(Manifests.rendered("overlays/ovs-in-pod")).getVolumes())
                .filteredOn(Volume::getName, "openvswitch")
                .singleElement()
                .satisfies(volume -> assertThat(volume.getHostPath().getType()).isEqualTo("DirectoryOrCreate"));
    }

    static Stream<JsonNode> exampleNetworks() throws IOException {
        List<JsonNode> documents = new ArrayList<>();
        for (Path file : Manifests.files()) {
            if (file.toString().contains("/examples/")) {
                documents.addAll(Manifests.documents(Files.readString(file)));
            }
        }
        return documents.stream()
                .filter(document -> document.path("kind").asText().equals("NetworkAttachmentDefinition"));
    }

    @ParameterizedTest
    @MethodSource("exampleNetworks")
    void exampleNetworksAreValidForThePlugin(JsonNode definition) throws Exception {
        byte[] config = definition.at("/spec/config").asText().getBytes(StandardCharsets.UTF_8);

        NetworkConfiguration network = NetworkConfiguration.of(Json.readObject("example", config));

        assertThat(network.name()).isEqualTo(definition.at("/metadata/name").asText());
    }

    @Test
    void examplePodHasTheVolumeThatItsNetworkWants() throws IOException {
        Pod pod = read(Manifests::read, "examples/20-dpdk-pod.yaml").only(Pod.class);

        assertThat(pod.getSpec().getVolumes()).extracting(Volume::getName).contains("shared-dir");
        assertThat(exampleNetworks().map(network -> network.at("/metadata/name").asText()))
                .contains(pod.getMetadata().getAnnotations().get("k8s.v1.cni.cncf.io/networks"));
    }
}
