package io.ovsdpdk.agent.kubernetes;

import static io.ovsdpdk.agent.kubernetes.Recorded.networkStatus;
import static io.ovsdpdk.agent.kubernetes.Recorded.ours;
import static org.assertj.core.api.Assertions.assertThat;

import io.ovsdpdk.agent.kubernetes.AppNetutil.Interface;
import io.ovsdpdk.api.Attached;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.MacAddress;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

/** What applications that read with app-netutil learn from what we write. */
class AppNetutilTest {
    @Test
    void itsRulesGiveWhatItMadeOfTheRecordedAnnotations() {
        assertThat(AppNetutil.interfaces(Recorded.annotations("p-devid")))
                .containsExactly(
                        new Interface("eth0", "unknown", "", "", List.of("10.244.0.3")),
                        vhostUser("net1", "/var/run/vhost/net1.sock"));
        assertThat(AppNetutil.interfaces(Recorded.annotations("p-full")))
                .containsExactly(
                        new Interface("eth0", "unknown", "", "", List.of("10.244.0.4")),
                        vhostUser("net2", "/var/run/vhost/net2.sock"),
                        new Interface("net3", "unknown", "", "", List.of()),
                        vhostUser("vhu0", "/var/run/vhost/vhu0.sock"));
        // Userspace CNI's own: the slash that it lacks, and the addresses without their version
        assertThat(AppNetutil.interfaces(Recorded.annotations("us-empty")))
                .containsExactly(vhostUser("net1", "/var/run/vhoste75abb1b6955-net1"));
    }

    @Test
    void pathAndModeAreFoundInNetworkStatus() throws Exception {
        assertThat(told(networkStatus("p-noid"), ours("net1", "/var/run/vhost/net1.sock")))
                .contains(vhostUser("net1", "/var/run/vhost/net1.sock"));
    }

    @Test
    void pathsAndModesOfSeveralAreFoundInNetworkStatus() throws Exception {
        assertThat(told(
                        networkStatus("p-full").replaceAll("(?s),\\s*\"device-info\": \\{.*?}\\s*}", ""),
                        ours("net2", "/a/net2.sock"),
                        ours("vhu0", "/b/vhu0.sock"),
                        ours("net3", "/a/net3.sock")))
                .contains(
                        vhostUser("net2", "/a/net2.sock"),
                        vhostUser("net3", "/a/net3.sock"),
                        vhostUser("vhu0", "/b/vhu0.sock"));
    }

    @Test
    void networkStatusOfAPodWithoutMultusIsRead() throws Exception {
        String status = NetworkStatus.completed(
                        Optional.empty(), false, List.of(ours("net1", "/a/net1.sock"), ours("net2", "/b/net2.sock")))
                .orElseThrow();

        assertThat(AppNetutil.interfaces(AppNetutil.file(Map.of(NetworkStatus.ANNOTATION, status))))
                .containsExactly(vhostUser("net1", "/a/net1.sock"), vhostUser("net2", "/b/net2.sock"));
    }

    @Test
    void pathAndModeAreFoundInUserspaceAnnotations() throws Exception {
        assertThat(toldOldStyle(legacy("net1", "/var/run/vhost/net1.sock")))
                .containsExactly(vhostUser("net1", "/var/run/vhost/net1.sock"));
    }

    @Test
    void pathsAndModesOfSeveralAreFoundInUserspaceAnnotations() throws Exception {
        assertThat(toldOldStyle(
                        legacy("net1", "/var/run/vhost/net1.sock"),
                        legacy("net2", "/var/run/vhost/net2.sock"),
                        legacy("net3", "/var/run/vhost/sub/net3.sock")))
                .containsExactly(
                        vhostUser("net1", "/var/run/vhost/net1.sock"),
                        vhostUser("net2", "/var/run/vhost/net2.sock"),
                        vhostUser("net3", "/var/run/vhost/sub/net3.sock"));
    }

    @Test
    void socketsInVolumesThatHaveNothingInCommonAreFoundInUserspaceAnnotations() throws Exception {
        assertThat(toldOldStyle(legacy("net1", "/a/net1.sock"), legacy("net2", "/b/net2.sock")))
                .containsExactly(vhostUser("net1", "/a/net1.sock"), vhostUser("net2", "/b/net2.sock"));
    }

    @Test
    void addressesAreFoundInUserspaceAnnotations() throws Exception {
        PodInterface net1 = new PodInterface(
                "c0ffee",
                "fast",
                new Attached(
                        "net1",
                        "/run/netns/p1",
                        new MacAddress(Recorded.MAC),
                        OptionalInt.empty(),
                        "/a/net1.sock",
                        Json.readObject("test data", """
                                {"ips": [{"address": "10.9.0.5/24", "gateway": "10.9.0.1"}, {"address": "fd00::5/64"}],
                                 "routes": [{"dst": "0.0.0.0/0"}], "dns": {"options": ["a=b"]}}""".getBytes(StandardCharsets.UTF_8))),
                true);

        assertThat(toldOldStyle(net1))
                .containsExactly(
                        new Interface("net1", "vhost-user", "server", "/a/net1.sock", List.of("10.9.0.5", "fd00::5")));
    }

    @Test
    void userspaceAnnotationsCompleteAStatusWithoutDeviceInfo() throws Exception {
        Map<String, String> annotations = new HashMap<>(oldStyle(legacy("net1", "/var/run/vhost/net1.sock")));
        annotations.put(NetworkStatus.ANNOTATION, networkStatus("p-noid"));

        assertThat(AppNetutil.interfaces(AppNetutil.file(annotations)))
                .contains(vhostUser("net1", "/var/run/vhost/net1.sock"));
    }

    private static List<Interface> told(String status, PodInterface... interfaces) throws MalformedAnnotationException {
        String completed = NetworkStatus.completed(Optional.of(status), true, List.of(interfaces))
                .orElseThrow();
        return AppNetutil.interfaces(AppNetutil.file(Map.of(NetworkStatus.ANNOTATION, completed)));
    }

    private static List<Interface> toldOldStyle(PodInterface... interfaces) throws Exception {
        return AppNetutil.interfaces(AppNetutil.file(oldStyle(interfaces)));
    }

    private static Map<String, String> oldStyle(PodInterface... interfaces) throws Exception {
        LegacyAnnotations annotations =
                LegacyAnnotations.of(Optional.empty(), List.of(interfaces)).orElseThrow();
        return Map.of(
                LegacyAnnotations.CONFIGURATION_DATA, annotations.configurationData(),
                LegacyAnnotations.MAPPED_DIR, annotations.mappedDir().orElseThrow());
    }

    private static PodInterface legacy(String ifname, String socketPath) {
        return ours(ifname, socketPath, Recorded.MAC, true);
    }

    private static Interface vhostUser(String ifname, String path) {
        return new Interface(ifname, "vhost-user", "server", path, List.of());
    }
}
