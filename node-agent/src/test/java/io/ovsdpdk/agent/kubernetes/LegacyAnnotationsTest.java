package io.ovsdpdk.agent.kubernetes;

import static io.ovsdpdk.agent.kubernetes.Recorded.json;
import static io.ovsdpdk.agent.kubernetes.Recorded.ours;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LegacyAnnotationsTest {
    private static final PodInterface NET1 = legacy("net1", "/var/run/vhost/net1.sock");
    private static final PodInterface NET2 = legacy("net2", "/var/run/vhost/net2.sock");

    @Test
    void entryHasTheFormOfUserspaceCni() throws Exception {
        LegacyAnnotations annotations = of(Optional.empty(), NET1);

        assertThat(annotations.mappedDir()).contains("/var/run/vhost/");
        assertThat(json(annotations.configurationData())).isEqualTo(json("""
                [{"containerId": "c0ffee", "ifName": "net1", "name": "fast",
                  "config": {"engine": "ovs-dpdk", "iftype": "vhostuser", "netType": "interface", "memif": {},
                    "vhost": {"mode": "server", "socketfile": "net1.sock"}, "bridge": {}},
                  "ipResult": {"cniVersion": "0.4.0", "dns": {},
                    "interfaces": [{"name": "net1", "mac": "02:11:22:33:44:55", "sandbox": "/run/netns/p1"}]}}]"""));
    }

    @Test
    void nobodyAsksNobodyIsTold() throws Exception {
        assertThat(LegacyAnnotations.of(Optional.empty(), List.of(ours("net1", "/a/net1.sock"))))
                .isEmpty();
    }

    @Test
    void onlyThoseThatAskAreTold() throws Exception {
        assertThat(names(of(Optional.empty(), NET1, ours("net2", "/a/net2.sock"))))
                .containsExactly("net1");
    }

    @Test
    void eachInterfaceIsToldOnce() throws Exception {
        LegacyAnnotations first = of(Optional.empty(), NET1);
        LegacyAnnotations second = of(Optional.of(first.configurationData()), NET1, NET2);

        assertThat(names(second)).containsExactly("net1", "net2");
        assertThat(of(Optional.of(second.configurationData()), NET1, NET2)).isEqualTo(second);
    }

    @Test
    void whatIsRightIsNotWrittenAnew() throws Exception {
        String pretty = json(of(Optional.empty(), NET1).configurationData()).toPrettyString();

        assertThat(of(Optional.of(pretty), NET1).configurationData()).isEqualTo(pretty);
    }

    @Test
    void entriesOfASandboxBeforeGo() throws Exception {
        String before = of(Optional.empty(), NET1, NET2).configurationData().replace("c0ffee", "deadbeef");

        JsonNode after = json(of(Optional.of(before), NET1).configurationData());

        assertThat(after).hasSize(1);
        assertThat(after.at("/0/containerId").asText()).isEqualTo("c0ffee");
    }

    /** The network was changed meanwhile, and does not ask for them any more. */
    @Test
    void entriesOfASandboxBeforeGoThoughNobodyAsksAnyMore() throws Exception {
        String others = "{\"containerId\":\"c0ffee\",\"ifName\":\"memif0\"}";
        String before = "[{\"containerId\":\"deadbeef\",\"ifName\":\"net1\"}," + others + "]";

        LegacyAnnotations annotations = of(Optional.of(before), ours("net1", "/a/net1.sock"));

        assertThat(annotations.configurationData()).isEqualTo("[" + others + "]");
        assertThat(annotations.mappedDir()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"[]", "", "no JSON", "[{\"containerId\":\"c0ffee\",\"ifName\":\"memif0\"}]"})
    void whatIsOthersIsLeftAloneWhereNobodyAsks(String text) throws Exception {
        assertThat(LegacyAnnotations.of(Optional.of(text), List.of(ours("net1", "/a/net1.sock"))))
                .isEmpty();
    }

    @Test
    void entriesOfOthersInThisSandboxStay() throws Exception {
        String others =
                "{\"containerId\":\"c0ffee\",\"ifName\":\"memif0\",\"config\":{\"iftype\":\"memif\",\"x\":1.50}}";

        String after = of(Optional.of("[" + others + "]"), NET1).configurationData();

        assertThat(after).startsWith("[" + others + ",{");
    }

    @Test
    void socketsAreFoundBelowTheFolderThatTheyShare() throws Exception {
        LegacyAnnotations annotations = of(
                Optional.empty(), legacy("net1", "/var/run/vhost/net1.sock"), legacy("net2", "/var/run/vh/net2.sock"));

        assertThat(annotations.mappedDir()).contains("/var/run/");
        assertThat(json(annotations.configurationData()).findValuesAsText("socketfile"))
                .containsExactly("vhost/net1.sock", "vh/net2.sock");
    }

    @ParameterizedTest
    @ValueSource(strings = {"/a=b/net1.sock", "/a b/net1.sock", "/a\\b/net1.sock", "/a\tb/net1.sock"})
    void pathThatReadersStumbleOverIsNotTold(String path) {
        assertThatThrownBy(() -> of(Optional.empty(), legacy("net1", path)))
                .isInstanceOf(UnspeakableException.class)
                .hasMessageContaining("can't be told by userspace/*");
    }

    @Test
    void nameThatReadersStumbleOverIsNotTold() {
        assertThatThrownBy(() -> of(Optional.empty(), legacy("a=b", "/a/net1.sock")))
                .isInstanceOf(UnspeakableException.class)
                .hasMessageContaining("interface a=b");
    }

    @ParameterizedTest
    @ValueSource(strings = {"{}", "[", "no JSON"})
    void dataThatIsNoArrayIsLeftAlone(String text) {
        assertThatThrownBy(() -> of(Optional.of(text), NET1))
                .isInstanceOf(MalformedAnnotationException.class)
                .hasMessageContaining("userspace/configuration-data");
    }

    @Test
    void entryOfAnInterfaceThatIsGoneGoesAndOthersStay() throws Exception {
        String others = "{\"containerId\":\"deadbeef\",\"ifName\":\"net1\",\"x\":1.50}";
        String ours = of(Optional.empty(), NET1, NET2).configurationData();
        String all = "[" + others + "," + ours.substring(1);

        Optional<String> left = LegacyAnnotations.without(Optional.of(all), List.of(NET1));

        assertThat(json(left.orElseThrow()).findValuesAsText("ifName")).containsExactly("net1", "net2");
        assertThat(left.orElseThrow()).startsWith("[" + others + ",");
        assertThat(LegacyAnnotations.without(left, List.of(NET1))).isEqualTo(left);
        assertThat(LegacyAnnotations.without(Optional.empty(), List.of(NET1))).isEmpty();
    }

    /** It was never told there. */
    @Test
    void dataThatCanNotBeReadIsNoConcernOfAnInterfaceThatDidNotAsk() throws Exception {
        assertThat(LegacyAnnotations.without(Optional.of("no JSON"), List.of(ours("net1", "/a/net1.sock"))))
                .contains("no JSON");
    }

    private static LegacyAnnotations of(Optional<String> current, PodInterface... interfaces)
            throws MalformedAnnotationException, UnspeakableException {
        return LegacyAnnotations.of(current, List.of(interfaces)).orElseThrow();
    }

    private static List<String> names(LegacyAnnotations annotations) {
        return json(annotations.configurationData()).findValuesAsText("ifName");
    }

    private static PodInterface legacy(String ifname, String socketPath) {
        return ours(ifname, socketPath, Recorded.MAC, true);
    }
}
