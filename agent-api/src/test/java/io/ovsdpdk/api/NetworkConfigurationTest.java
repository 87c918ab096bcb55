package io.ovsdpdk.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class NetworkConfigurationTest {
    private static final AttachmentId ID = new AttachmentId("c1", "net1");

    private static ObjectNode json(String text) {
        try {
            return Json.readObject("test data", text.getBytes(StandardCharsets.UTF_8));
        } catch (CniException e) {
            throw new AssertionError(text, e);
        }
    }

    /** What every network configuration must have, with one member changed, added, or, by {@code null}, left out. */
    private static ObjectNode with(String key, String value) {
        ObjectNode source = json("{\"cniVersion\":\"1.0.0\",\"name\":\"fast\",\"type\":\"ovs-dpdk\",\"bridge\":\"br0\","
                + "\"sharedDir\":\"/var/lib/cni/usrspcni\"}");
        source.remove(key);
        if (value != null) {
            source.set(key, json("{\"value\":" + value + "}").get("value"));
        }
        return source;
    }

    private static CniException refused(String key, String value) {
        return catchThrowableOfType(CniException.class, () -> NetworkConfiguration.of(with(key, value)));
    }

    @Test
    void everyKeyHasItsPlace() throws CniException {
        ObjectNode source = json("""
                {"cniVersion": "1.0.0", "name": "fast", "type": "ovs-dpdk", "bridge": "br0",
                 "sharedDir": "/var/lib/cni/usrspcni", "mtu": 9000, "mac": "02:00:00:00:00:03",
                 "ipam": {"type": "host-local"}, "dns": {"nameservers": ["10.1.0.1"]},
                 "legacyAnnotations": true, "logLevel": "debug",
                 "args": {"cni": {"mac": "02:00:00:00:00:02"}}, "runtimeConfig": {"mac": "02:00:00:00:00:01"}}""");

        assertThat(NetworkConfiguration.of(source))
                .isEqualTo(new NetworkConfiguration(
                        "fast",
                        "br0",
                        Optional.of(Path.of("/var/lib/cni/usrspcni")),
                        Optional.empty(),
                        OptionalInt.of(9000),
                        new NetworkConfiguration.MacSource(
                                Optional.of(new MacAddress("02:00:00:00:00:01")),
                                Optional.of(new MacAddress("02:00:00:00:00:02")),
                                Optional.of(new MacAddress("02:00:00:00:00:03"))),
                        Optional.of("host-local"),
                        true,
                        Optional.of(LogLevel.DEBUG),
                        source));
    }

    @Test
    void socketMayGoIntoAVolumeInsteadOfAFolderOfTheHost() throws CniException {
        ObjectNode source = with("sharedDir", null);

        assertThat(NetworkConfiguration.of(source).sharedDir()).isEmpty();
        assertThat(NetworkConfiguration.of(source).socketVolume()).isEmpty();
        assertThat(NetworkConfiguration.of(source.put("socketVolume", "sockets"))
                        .socketVolume())
                .contains("sockets");
    }

    @Test
    void socketHasOnePlace() {
        CniException refusal = refused("socketVolume", "\"sockets\"");

        assertThat(refusal).hasMessageContaining("both sharedDir and socketVolume");
        assertThat(refusal.code()).isEqualTo(ErrorCode.CONFIGURATION.code());
    }

    @Test
    void whatIsNotRequiredMayBeMissing() throws CniException {
        NetworkConfiguration network = NetworkConfiguration.of(with("mtu", null));

        assertThat(network.mtu()).isEmpty();
        assertThat(network.ipamType()).isEmpty();
        assertThat(network.legacyAnnotations()).isFalse();
        assertThat(network.logLevel()).isEmpty();
        assertThat(network.mac())
                .isEqualTo(new NetworkConfiguration.MacSource(Optional.empty(), Optional.empty(), Optional.empty()));
    }

    @ParameterizedTest
    @ValueSource(strings = {"name", "bridge"})
    void requiredKeyThatIsMissingIsNamed(String key) {
        assertThat(refused(key, null))
                .hasMessage("the network configuration has no \"" + key + "\", which is required")
                .satisfies(e -> assertThat(e.is(ErrorCode.CONFIGURATION)).isTrue());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "name         | 7",
                "name         | \"\"",
                "name         | \"a b\"",
                "name         | \"../a\"",
                "bridge       | null",
                "bridge       | \"\"",
                "bridge       | \"br/0\"",
                "bridge       | \"br 0\"",
                "bridge       | [\"br0\"]",
                "socketVolume | 7",
                "socketVolume | \"\"",
                "socketVolume | \"Upper\"",
                "socketVolume | \"a/b\"",
                "socketVolume | \"..\"",
                "sharedDir    | 7",
                "sharedDir    | \"\"",
                "sharedDir    | \"/\"",
                "sharedDir    | \"a/b\"",
                "sharedDir    | \"/a/\"",
                "sharedDir    | \"/a//b\"",
                "sharedDir    | \"/a/./b\"",
                "sharedDir    | \"/a/../b\"",
                "sharedDir    | \"/a\\nb\"",
                "sharedDir    | \"/a\\u0000\"",
                "sharedDir    | \"/a\\ud800\"",
                "mtu          | 67",
                "mtu          | 9703",
                "mtu          | -1",
                "mtu          | 1500.5",
                "mtu          | 4294968796",
                "mtu          | \"1500\"",
                "mtu          | null",
                "mac          | 7",
                "mac          | null",
                "mac          | \"02:00\"",
                "mac          | \"01:00:00:00:00:00\"",
                "mac          | \"00:00:00:00:00:00\"",
                "ipam         | \"host-local\"",
                "ipam         | [1]",
                "ipam.type    | {\"subnet\":\"10.1.0.0/16\"}",
                "ipam.type    | {\"type\":7}",
                "ipam.type    | {\"type\":\"\"}",
                "ipam.type    | {\"type\":\"a/b\"}",
                "ipam.type    | {\"type\":\"..\"}",
                "ipam.type    | {\"type\":\"ovs-dpdk\"}",
                "dns          | []",
                "dns.search   | {\"search\":\"a\"}",
                "dns.options  | {\"options\":[1]}",
                "dns.nameservers | {\"nameservers\":{}}",
                "dns.domain   | {\"domain\":[]}",
                "legacyAnnotations | \"true\"",
                "legacyAnnotations | null",
                "logLevel     | \"WARN\"",
                "logLevel     | 1",
                "runtimeConfig     | 7",
                "runtimeConfig.mac | {\"mac\":7}",
                "args         | []",
                "args.cni.mac | {\"cni\":{\"mac\":\"x\"}}"
            })
    void wrongValueIsNamedWithItsKey(String key, String value) {
        CniException refused = refused(key.replaceAll("\\..*", ""), value);

        assertThat(refused.code()).isEqualTo(7);
        assertThat(refused).hasMessageContaining(key);
    }

    @ParameterizedTest
    @CsvSource({"mtu, 68", "mtu, 9702"})
    void limitsOfTheMtuAreIncluded(String key, String value) throws CniException {
        assertThat(NetworkConfiguration.of(with(key, value)).mtu()).hasValue(Integer.parseInt(value));
    }

    @ParameterizedTest
    @ValueSource(strings = {"null", "{}"})
    void emptyIpamMeansNone(String ipam) throws CniException {
        assertThat(NetworkConfiguration.of(with("ipam", ipam)).ipamType()).isEmpty();
    }

    @Test
    void emptyMacMeansNone() throws CniException {
        assertThat(NetworkConfiguration.of(with("mac", "\"\"")).mac().network()).isEmpty();
    }

    @Test
    void unknownKeysAreNamedAndTheKnownOnesListed() {
        CniException refused = refused("vlan", "7");

        assertThat(refused).hasMessage("the network configuration has unknown keys: \"vlan\"");
        assertThat(refused.details())
                .isEqualTo(
                        "the known keys are cniVersion, name, type, bridge, sharedDir, socketVolume, mtu, mac, ipam, dns, legacyAnnotations, logLevel");
    }

    @Test
    void configurationOfUserspaceCniIsToldWhatIsDifferentHere() {
        CniException refused = refused("host", "{\"engine\":\"ovs-dpdk\",\"iftype\":\"vhostuser\"}");

        assertThat(refused.code()).isEqualTo(ErrorCode.CONFIGURATION.code());
        assertThat(refused.details()).contains("Userspace CNI", "dpdkvhostuserclient", "restart");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "runtimeConfig | {\"CNIDeviceInfoFile\":\"/x\"}",
                "args | {\"cni\":{\"queues\":2}}",
                "capabilities | {\"mac\":true}",
                "deviceID | \"vhost-1\"",
                "pciBusID | \"vhost-1\"",
                "prevResult | {}",
                "cni.dev/valid-attachments | []",
                "disableCheck | true",
                "disableGC | true",
                "loadOnlyInlinedPlugins | true",
                "cniVersions | [\"1.0.0\"]",
                "dns | {}"
            })
    void whatRuntimesPutInIsNotUnknown(String key, String value) throws CniException {
        assertThat(NetworkConfiguration.of(with(key, value)).name()).isEqualTo("fast");
    }

    @Test
    void mostSpecificMacCounts() throws CniException {
        ObjectNode source = with("mac", "\"02:00:00:00:00:04\"");
        Optional<MacAddress> fromArgs = Optional.of(new MacAddress("02:00:00:00:00:02"));

        assertThat(NetworkConfiguration.of(source).macFor(ID, Optional.empty()).text())
                .isEqualTo("02:00:00:00:00:04");
        source.putObject("args").putObject("cni").put("mac", "02:00:00:00:00:03");
        assertThat(NetworkConfiguration.of(source).macFor(ID, Optional.empty()).text())
                .isEqualTo("02:00:00:00:00:03");
        assertThat(NetworkConfiguration.of(source).macFor(ID, fromArgs).text()).isEqualTo("02:00:00:00:00:02");
        source.putObject("runtimeConfig").put("mac", "02:00:00:00:00:01");
        assertThat(NetworkConfiguration.of(source).macFor(ID, fromArgs).text()).isEqualTo("02:00:00:00:00:01");
    }

    @Test
    void withoutAnyMacItIsDerived() throws CniException {
        assertThat(NetworkConfiguration.of(with("mac", null)).macFor(ID, Optional.empty()))
                .isEqualTo(MacAddress.derived("fast", ID));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "cniVersion | \"1.1.0\"",
                "prevResult | {\"interfaces\":[]}",
                "logLevel | \"debug\"",
                "capabilities | {}",
                "cni.dev/valid-attachments | []"
            })
    void digestLeavesOutWhatMayDiffer(String key, String value) throws CniException {
        assertThat(digest(with(key, value))).isEqualTo(digest(with("mtu", null)));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "name | \"slow\"",
                "bridge | \"br1\"",
                "mtu | 1500",
                "ipam | {\"type\":\"static\"}",
                "runtimeConfig | {\"mac\":\"02:00:00:00:00:01\"}",
                "deviceID | \"vhost-1\""
            })
    void digestDependsOnAllElse(String key, String value) throws CniException {
        assertThat(digest(with(key, value))).isNotEqualTo(digest(with("mtu", null)));
    }

    @Test
    void digestDependsOnTheCircumstancesAndNotOnTheOrderOfKeys() throws CniException {
        ObjectNode one = json(
                "{\"name\":\"n\",\"type\":\"t\",\"bridge\":\"b\",\"sharedDir\":\"/s\",\"args\":{\"a\":1,\"b\":[2,3]}}");
        ObjectNode other = json(
                "{\"args\":{\"b\":[2,3],\"a\":1},\"sharedDir\":\"/s\",\"bridge\":\"b\",\"type\":\"t\",\"name\":\"n\"}");

        assertThat(digest(one)).isEqualTo(digest(other)).matches("[0-9a-f]{64}");
        assertThat(NetworkConfiguration.of(one).digest(List.of("/netns"))).isNotEqualTo(digest(one));
    }

    private static String digest(ObjectNode source) throws CniException {
        return NetworkConfiguration.of(source).digest(List.of());
    }

    @Test
    void laterChangesOfTheDocumentDoNotReachIt() throws CniException {
        ObjectNode source = with("mtu", "1500");
        NetworkConfiguration network = NetworkConfiguration.of(source);

        source.put("mtu", 9000);

        assertThat(network.source().get("mtu").intValue()).isEqualTo(1500);
    }
}
