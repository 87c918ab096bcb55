package io.ovsdpdk.agent.kubernetes;

import static io.ovsdpdk.agent.kubernetes.Recorded.json;
import static io.ovsdpdk.agent.kubernetes.Recorded.networkStatus;
import static io.ovsdpdk.agent.kubernetes.Recorded.ours;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.api.Attached;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.MacAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class NetworkStatusTest {
    private static final PodInterface NET1 = ours("net1", "/var/run/vhost/net1.sock");

    private static final String DEVICE_INFO = """
            {"type":"vhost-user","version":"1.1.0","vhost-user":{"mode":"server","path":"/var/run/vhost/net1.sock"}}""";

    @ParameterizedTest
    @CsvSource({"p-noid, 1, net1", "p-list, 1, net1", "p-full, 3, net3"})
    void recordedEntryThatLacksItGetsOursAndNothingElseChanges(String pod, int index, String ifname) throws Exception {
        String before = networkStatus(pod).replaceAll("(?s),\\s*\"device-info\": \\{.*?}\\s*}", "");

        String after = completed(before, ours(ifname, "/var/run/vhost/net1.sock"));

        JsonNode expected = json(before);
        ((ObjectNode) expected.get(index)).set("device-info", json(DEVICE_INFO));
        assertThat(json(after)).isEqualTo(expected);
        assertThat(after.replace(",\n    \"device-info\": " + DEVICE_INFO, "")).isEqualTo(before);
    }

    @Test
    void interfacesAreToldApart() throws Exception {
        String before = networkStatus("p-full").replaceAll("(?s),\\s*\"device-info\": \\{.*?}\\s*}", "");

        JsonNode after = json(NetworkStatus.completed(
                        Optional.of(before),
                        true,
                        List.of(
                                ours("net3", "/a/net3.sock"),
                                ours("vhu0", "/a/vhu0.sock"),
                                ours("net2", "/b/net2.sock")))
                .orElseThrow());

        assertThat(after.get(0).has("device-info")).isFalse();
        assertThat(after.at("/1/device-info/vhost-user/path").asText()).isEqualTo("/a/vhu0.sock");
        assertThat(after.at("/2/device-info/vhost-user/path").asText()).isEqualTo("/b/net2.sock");
        assertThat(after.at("/3/device-info/vhost-user/path").asText()).isEqualTo("/a/net3.sock");
    }

    @Test
    void deviceInfoThatMultusReadFromOurFileIsLeftAlone() throws Exception {
        assertThat(NetworkStatus.completed(Optional.of(networkStatus("p-devid")), true, List.of(NET1)))
                .isEmpty();
    }

    @Test
    void deviceInfoWithAnotherPathIsCorrected() throws Exception {
        String after = completed(networkStatus("p-devid"), ours("net1", "/elsewhere/net1.sock"));

        assertThat(json(after))
                .isEqualTo(json(networkStatus("p-devid").replace("/var/run/vhost/net1.sock", "/elsewhere/net1.sock")));
    }

    @Test
    void whatADevicePluginSaidOfTheDeviceStays() throws Exception {
        String after = completed("""
                [{"interface": "net1", "device-info": {"type": "vhost-user", "version": "1.0.0", "x": 1.50}}]""", NET1);

        assertThat(after).isEqualTo("""
                [{"interface": "net1", "device-info": {"type":"vhost-user","version":"1.0.0","x":1.50,\
                "vhost-user":{"mode":"server","path":"/var/run/vhost/net1.sock"}}}]""");
    }

    @ParameterizedTest
    @ValueSource(strings = {"null", "7", "-1.5e3", "true", "[]", "\"text }, \\\" ] \"", "{}"})
    void deviceInfoOfAnotherKindIsReplaced(String value) throws Exception {
        String after = completed("[{\"interface\":\"net1\",\"device-info\":" + value + ",\"z\":1e2}]", NET1);

        assertThat(after).isEqualTo("[{\"interface\":\"net1\",\"device-info\":" + DEVICE_INFO + ",\"z\":1e2}]");
    }

    @Test
    void unknownKeysTheirOrderNumbersAndLettersStayAsTheyAre() throws Exception {
        String entry =
                "\n\t{ \"z\" : 1.000, \"interface\":\"net1\", \"a\":12345678901234567890, \"ü\\u00fc\":[ 1,{} ,-0.0]%s },";
        String text = " [ null, 3, [\"interface\"]," + entry + " {\"interface\":\"eth0\"} ]\n";

        String after = completed(text.formatted(""), NET1);

        assertThat(after).isEqualTo(text.formatted(", \"device-info\": " + DEVICE_INFO));
    }

    @Test
    void secondTimeThereIsNothingToDo() throws Exception {
        String once = completed(networkStatus("p-noid"), NET1);

        assertThat(NetworkStatus.completed(Optional.of(once), true, List.of(NET1)))
                .isEmpty();
    }

    /** app-netutil passes over an annotation that has one, with all that others said in it. */
    @Test
    void noEqualsSignIsBroughtIn() throws Exception {
        String after = completed(networkStatus("p-noid"), ours("net1", "/a=b/net1.sock"));

        assertThat(after).doesNotContain("=");
        assertThat(json(after).at("/1/device-info/vhost-user/path").asText()).isEqualTo("/a=b/net1.sock");
        assertThat(NetworkStatus.completed(Optional.of(after), true, List.of(ours("net1", "/a=b/net1.sock"))))
                .isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "  \n"})
    void statusThatMultusHasNotWrittenIsWaitedFor(String text) throws Exception {
        assertThat(NetworkStatus.completed(Optional.empty(), true, List.of(NET1)))
                .isEmpty();
        assertThat(NetworkStatus.completed(Optional.of(text), true, List.of(NET1)))
                .isEmpty();
    }

    @Test
    void entryThatMultusHasNotWrittenIsWaitedFor() throws Exception {
        assertThat(NetworkStatus.completed(
                        Optional.of(networkStatus("p-noid")), true, List.of(ours("net9", "/a/net9.sock"))))
                .isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "no JSON",
                "[{\"interface\":\"net1\"}",
                "[{\"interface\":\"net1\"}] []",
                "{\"interface\":\"net1\"}",
                "\"net1\"",
                "null",
                "[{\"interface\":\"net1\",\"interface\":\"net2\"}]"
            })
    void annotationThatIsNoArrayIsLeftAlone(String text) {
        assertThatThrownBy(() -> completed(text, NET1))
                .isInstanceOf(MalformedAnnotationException.class)
                .hasMessageContaining("annotation k8s.v1.cni.cncf.io/network-status is not");
    }

    @Test
    void annotationNestedWithoutEndIsLeftAlone() {
        assertThatThrownBy(() -> completed("[".repeat(100_000), NET1)).isInstanceOf(MalformedAnnotationException.class);
    }

    @Test
    void withoutMultusTheEntryIsOurs() throws Exception {
        PodInterface net1 = withIpam(OptionalInt.of(9000), """
                {"ips": [{"address": "10.9.0.5/24"}, {"address": "fd00::5/64"}], "dns": {"domain": "x"}}""");

        Optional<String> status = NetworkStatus.completed(Optional.empty(), false, List.of(net1));

        assertThat(json(status.orElseThrow())).isEqualTo(json("""
                [{"name": "fast", "interface": "net1", "ips": ["10.9.0.5", "fd00::5"], "mac": "02:11:22:33:44:55",
                  "mtu": 9000, "dns": {"domain": "x"}, "device-info": %s}]""".formatted(DEVICE_INFO)));
        assertThat(NetworkStatus.completed(status, false, List.of(net1))).isEmpty();
    }

    @Test
    void withoutMultusOursComesBehindWhatOthersWrote() throws Exception {
        String after = NetworkStatus.completed(
                        Optional.of("[{\"interface\": \"eth0\"} ]"),
                        false,
                        List.of(NET1, ours("net2", "/var/run/vhost/net2.sock")))
                .orElseThrow();

        assertThat(json(after).findValuesAsText("interface")).containsExactly("eth0", "net1", "net2");
        assertThat(after).startsWith("[{\"interface\": \"eth0\"},{");
    }

    @Test
    void withoutMultusAnEntryOfASandboxBeforeIsReplaced() throws Exception {
        String before = NetworkStatus.completed(
                        Optional.empty(), false, List.of(ours("net1", "/old/net1.sock", "02:00:00:00:00:01", false)))
                .orElseThrow();

        String after = NetworkStatus.completed(Optional.of(before), false, List.of(NET1))
                .orElseThrow();

        assertThat(json(after)).hasSize(1);
        assertThat(json(after).at("/0/mac").asText()).isEqualTo(Recorded.MAC);
        assertThat(json(after).at("/0/device-info")).isEqualTo(json(DEVICE_INFO));
    }

    /** The MAC address is the network's or the pod's own, and so the same. */
    @Test
    void withoutMultusTheAddressesOfASandboxBeforeGo() throws Exception {
        PodInterface before = withIpam(OptionalInt.of(9000), "{\"ips\":[{\"address\":\"10.9.0.5/24\"}]}");
        String told = NetworkStatus.completed(Optional.empty(), false, List.of(before))
                .orElseThrow()
                .replace("\"mac\"", "\"of-another\": 1.50, \"mac\"");

        String next = again(told, withIpam(OptionalInt.empty(), "{\"ips\":[{\"address\":\"10.9.0.6/24\"}]}"));
        String last = again(next, NET1);

        assertThat(next).isEqualTo("""
                [{"name":"fast","interface":"net1","ips":["10.9.0.6"],"of-another":1.50,"mac":"02:11:22:33:44:55",\
                "dns":{},"device-info":%s}]""".formatted(DEVICE_INFO));
        assertThat(last).isEqualTo(next.replace("\"ips\":[\"10.9.0.6\"],", ""));
        assertThat(NetworkStatus.completed(Optional.of(last), false, List.of(NET1)))
                .isEmpty();
    }

    /** Multus writes it for every pod, also for those that ask for no other networks. */
    @Test
    void entryOfTheDefaultNetworkIsLeftToMultus() throws Exception {
        String multus = """
                [{"name": "cbr0", "interface": "net1", "ips": ["10.244.0.2"], "mac": "aa:bb:cc:dd:ee:ff",
                  "default": true, "dns": {}%s}]""";

        assertThat(again(multus.formatted(""), NET1)).isEqualTo(multus.formatted(",\"device-info\":" + DEVICE_INFO));
    }

    private static String again(String text, PodInterface ours) throws MalformedAnnotationException {
        return NetworkStatus.completed(Optional.of(text), false, List.of(ours)).orElseThrow();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "[%s]                 | []",
                "[ %s ]               | [ ]",
                "[%s, {\"a\": 1.50}]    | [{\"a\": 1.50}]",
                "[{\"a\": 1.50} , %s ] | [{\"a\": 1.50}  ]",
                "[3,%s,[] ]           | [3,[] ]"
            })
    void entryOfAnInterfaceThatIsGoneGoes(String around, String left) throws Exception {
        String entry = "{\"interface\": \"net1\", \"mac\": \"" + Recorded.MAC + "\", \"x\": [{}, \",]\"]}";

        assertThat(NetworkStatus.without(Optional.of(around.formatted(entry)), List.of(NET1)))
                .contains(left);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"interface\": \"net2\", \"mac\": \"02:11:22:33:44:55\"}",
                "{\"interface\": \"net1\", \"mac\": \"02:11:22:33:44:56\"}",
                "{\"interface\": \"net1\"}",
                "{\"interface\": \"net1\", \"mac\": \"02:11:22:33:44:55\", \"default\": true}"
            })
    void entryThatIsNotOfTheInterfaceThatIsGoneStays(String entry) throws Exception {
        Optional<String> status = Optional.of("[" + entry + "]");

        assertThat(NetworkStatus.without(status, List.of(NET1))).isEqualTo(status);
    }

    @Test
    void withoutInterfacesThereIsNothingToDo() throws Exception {
        assertThat(NetworkStatus.completed(Optional.empty(), false, List.of())).isEmpty();
        assertThat(NetworkStatus.completed(Optional.of("[]"), false, List.of())).isEmpty();
    }

    private static PodInterface withIpam(OptionalInt mtu, String ipam) throws CniException {
        return new PodInterface(
                "c0ffee",
                "fast",
                new Attached(
                        "net1",
                        "/run/netns/p1",
                        new MacAddress(Recorded.MAC),
                        mtu,
                        "/var/run/vhost/net1.sock",
                        Json.readObject("test data", ipam.getBytes(StandardCharsets.UTF_8))),
                false);
    }

    private static String completed(String text, PodInterface ours) throws MalformedAnnotationException {
        return NetworkStatus.completed(Optional.of(text), true, List.of(ours)).orElseThrow();
    }
}
