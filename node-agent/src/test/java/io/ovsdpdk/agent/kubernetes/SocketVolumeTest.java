package io.ovsdpdk.agent.kubernetes;

import static io.ovsdpdk.agent.kubernetes.testbed.Pods.pod;
import static io.ovsdpdk.agent.kubernetes.testbed.Pods.withVolume;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.client.utils.Serialization;
import io.ovsdpdk.agent.host.Ownership;
import io.ovsdpdk.agent.kubernetes.SocketVolume.Source;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SocketVolumeTest {
    private static final String EMPTY_DIR = "\"emptyDir\": {}";

    private static Pod mounting(String mount, String more) {
        return pod(
                "p",
                "n",
                "\"volumes\": [{\"name\": \"shared-dir\", \"emptyDir\": {}}]" + more,
                "\"volumeMounts\": [{\"name\": \"shared-dir\", \"mountPath\": \"/sockets\"" + mount + "}]");
    }

    private static SocketVolume of(Pod pod) throws CniException {
        return SocketVolume.of(pod, Optional.empty());
    }

    private static void assertRefused(Pod pod, Optional<String> chosen, String... words) {
        assertThatExceptionOfType(CniException.class)
                .isThrownBy(() -> SocketVolume.of(pod, chosen))
                .withMessageStartingWith("pod default/p ")
                .satisfies(e -> assertThat(e.code()).isEqualTo(ErrorCode.CONFIGURATION.code()))
                .satisfies(e -> assertThat(e.getMessage() + " " + e.details()).contains(words));
    }

    @Test
    void volumeByCustomIsTaken() throws CniException {
        assertThat(of(withVolume("p", "n", "shared-dir", EMPTY_DIR)))
                .isEqualTo(new SocketVolume(
                        "shared-dir",
                        new Source.EmptyDir(false),
                        false,
                        Path.of(""),
                        Path.of("/sockets"),
                        Ownership.ANYBODY));
    }

    @Test
    void chosenVolumeGoesBeforeTheOneByCustom() throws CniException {
        Pod pod = pod(
                "p",
                "n",
                "\"volumes\": [{\"name\": \"shared-dir\", \"emptyDir\": {}}, {\"name\": \"mine\", \"emptyDir\": {\"medium\": \"Memory\"}}]",
                "\"volumeMounts\": [{\"name\": \"shared-dir\", \"mountPath\": \"/a\"}, {\"name\": \"mine\", \"mountPath\": \"/b/\"}]");

        SocketVolume volume = SocketVolume.of(pod, Optional.of("mine"));

        assertThat(volume.name()).isEqualTo("mine");
        assertThat(volume.source()).isEqualTo(new Source.EmptyDir(true));
        assertThat(volume.workloadFolder()).isEqualTo(Path.of("/b"));
    }

    @Test
    void hostPathIsTold() throws CniException {
        Pod pod = withVolume("p", "n", "shared-dir", "\"hostPath\": {\"path\": \"/srv/a\"}");

        assertThat(of(pod).source()).isEqualTo(new Source.HostPath(Path.of("/srv/a")));
    }

    @Test
    void podWithoutAPlaceIsToldTheWays() {
        assertRefused(
                withVolume("p", "n", "data", EMPTY_DIR),
                Optional.empty(),
                "has no volume for the socket",
                "shared-dir",
                "socketVolume",
                "sharedDir",
                "binding");
        assertRefused(withVolume("p", "n", "data", EMPTY_DIR), Optional.of("mine"), "has no volume \"mine\"");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "\"configMap\": {\"name\": \"c\"} | neither an emptyDir nor a hostPath",
                "\"persistentVolumeClaim\": {\"claimName\": \"c\"} | neither an emptyDir nor a hostPath",
                "\"emptyDir\": {\"medium\": \"HugePages-2Mi\"} | of medium \"HugePages-2Mi\"",
                "\"hostPath\": {\"path\": \"relative\"} | hostPath \"relative\"",
                "\"hostPath\": {\"path\": \"/srv/../etc\"} | hostPath \"/srv/../etc\"",
                "\"hostPath\": {\"path\": \"/a\\u0000b\"} | with hostPath"
            })
    void volumeThatCanNotHoldSocketsIsRefused(String source, String words) {
        assertRefused(withVolume("p", "n", "shared-dir", source), Optional.empty(), words);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                ", \"readOnly\": true | read-only",
                ", \"subPathExpr\": \"$(POD)\" | subPathExpr",
                ", \"subPath\": \"../a\" | subPath \"../a\"",
                ", \"subPath\": \"/a\" | subPath \"/a\"",
                ", \"subPath\": \"a/../../b\" | subPath",
                ", \"mountPath\": \"relative\" | at \"relative\"",
                ", \"mountPath\": \"/a/../b\" | at \"/a/../b\""
            })
    void mountThatNoSocketCanBeReachedThroughIsRefused(String mount, String words) {
        assertRefused(mounting(mount, ""), Optional.empty(), words);
    }

    @Test
    void volumeThatNoContainerMountsIsRefused() {
        Pod pod = pod("p", "n", "\"volumes\": [{\"name\": \"shared-dir\", \"emptyDir\": {}}]", "");

        assertRefused(pod, Optional.empty(), "no container mounts it");
    }

    @ParameterizedTest
    @CsvSource({"a, a", "a/b, a/b", "a/, a", "., ''", "'', ''"})
    void subPathIsTheFolderInTheVolume(String subPath, String folder) throws CniException {
        SocketVolume volume = of(mounting(", \"subPath\": \"" + subPath + "\"", ""));

        assertThat(volume.subPath()).isEqualTo(Path.of(folder));
        assertThat(volume.workloadFolder()).isEqualTo(Path.of("/sockets"));
    }

    @Test
    void firstContainerThatCanBindThereCounts() throws CniException {
        Pod pod = mounting(", \"readOnly\": true", "");
        pod.getSpec()
                .getInitContainers()
                .add(mounting(", \"mountPath\": \"/sidecar\"", "")
                        .getSpec()
                        .getContainers()
                        .getFirst());

        assertThat(of(pod).workloadFolder()).isEqualTo(Path.of("/sidecar"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{\"runAsUser\": 1000, \"fsGroup\": 2000} | {} | 1000 2000",
                "{\"runAsUser\": 1000, \"runAsGroup\": 3000} | {} | 1000 3000",
                "{\"runAsUser\": 1000} | {\"runAsUser\": 1001, \"runAsGroup\": 3001} | 1001 3001",
                "{\"fsGroup\": 2000} | {\"runAsUser\": 1001, \"runAsGroup\": 3001} | 1001 2000",
                "{\"runAsUser\": 0} | {} | 0 0",
                "{\"fsGroup\": 2000} | {} | anybody",
                "{} | {} | anybody",
                "{\"runAsUser\": 4294967295} | {} | anybody"
            })
    void folderBelongsToTheContainersUser(String ofPod, String ofContainer, String owner) throws CniException {
        Pod pod = mounting("", ", \"securityContext\": " + ofPod);
        pod.getSpec()
                .getContainers()
                .getFirst()
                .setSecurityContext(
                        Serialization.unmarshal(ofContainer, io.fabric8.kubernetes.api.model.SecurityContext.class));

        Ownership expected = owner.equals("anybody")
                ? Ownership.ANYBODY
                : Ownership.of(Integer.parseInt(owner.split(" ")[0]), Integer.parseInt(owner.split(" ")[1]));
        assertThat(of(pod).owner()).isEqualTo(expected);
    }

    private static Pod launcher(String securityContext) {
        return pod(
                "p",
                "n",
                "\"securityContext\": " + securityContext
                        + ", \"volumes\": [{\"name\": \"shared-dir\", \"emptyDir\": {}}, {\"name\":"
                        + " \"hook-sidecar-sockets\", \"emptyDir\": {}}]",
                "\"volumeMounts\": [{\"name\": \"hook-sidecar-sockets\", \"mountPath\": \"/var/run/kubevirt-hooks\"}]");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{} | 107 | 107",
                "{\"runAsUser\": 0} | 107 | 107",
                "{\"runAsUser\": 1000, \"fsGroup\": 2000} | 1000 | 2000"
            })
    void vmsSocketIsWhereTheBindingLooksForIt(String securityContext, int uid, int gid) throws CniException {
        assertThat(of(launcher(securityContext)))
                .isEqualTo(new SocketVolume(
                        "hook-sidecar-sockets",
                        new Source.EmptyDir(false),
                        true,
                        Path.of(""),
                        Path.of("/var/run/kubevirt-hooks/ovs-dpdk/sockets"),
                        Ownership.of(uid, gid)));
    }

    @Test
    void vmsSocketCanNotBeElsewhere() {
        assertRefused(launcher("{}"), Optional.of("shared-dir"), "is a VM's", "the network binding plugin computes");
    }

    @Test
    void volumeOfThatNameThatIsNotKubeVirtsIsRefused() {
        assertRefused(
                withVolume("p", "n", "hook-sidecar-sockets", "\"hostPath\": {\"path\": \"/srv\"}"),
                Optional.empty(),
                "is no emptyDir");
    }
}
