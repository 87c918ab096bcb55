package io.ovsdpdk.cni;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.LogLevel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NodeConfigurationTest {
    @TempDir
    Path folder;

    private NodeConfiguration read(String document) throws IOException, CniException {
        return NodeConfiguration.read(Files.writeString(folder.resolve("ovs-dpdk.conf"), document));
    }

    @Test
    void withoutAFileEverythingIsAsUsual() throws Exception {
        assertThat(NodeConfiguration.read(folder.resolve("none.conf")))
                .isEqualTo(new NodeConfiguration(
                        Path.of("/run/ovs-dpdk-cni/agent/agent.sock"),
                        Duration.ofSeconds(10),
                        Duration.ofSeconds(30),
                        Path.of("/var/run/k8s.cni.cncf.io/devinfo/cni"),
                        LogLevel.WARN));
    }

    @Test
    void emptyOneIsAsUsualToo() throws Exception {
        assertThat(read("{}")).isEqualTo(NodeConfiguration.DEFAULT);
    }

    @Test
    void everyKeyCounts() throws Exception {
        assertThat(read("{\"agentSocket\":\"/a.sock\",\"addTimeoutSeconds\":300,\"agentWaitSeconds\":0,"
                        + "\"deviceInfoFolder\":\"/d\",\"logLevel\":\"debug\"}"))
                .isEqualTo(new NodeConfiguration(
                        Path.of("/a.sock"), Duration.ofSeconds(300), Duration.ZERO, Path.of("/d"), LogLevel.DEBUG));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "7 | agentSockets      | \"/a\"",
                "7 | agentSocket       | \"a.sock\"",
                "7 | agentSocket       | \"\"",
                "7 | agentSocket       | null",
                "7 | agentSocket       | 7",
                "7 | agentSocket       | \"/a\\u0000b\"",
                "7 | agentSocket       | \"/a\\ud800\"",
                "7 | agentSocket       | \"/12345678901234567890123456789012345678901234567890"
                        + "123456789012345678901234567890123456789012345678901234567\"",
                "7 | addTimeoutSeconds | 0",
                "7 | addTimeoutSeconds | 301",
                "7 | addTimeoutSeconds | 1.5",
                "7 | addTimeoutSeconds | \"10\"",
                "7 | addTimeoutSeconds | 99999999999",
                "7 | agentWaitSeconds  | -1",
                "7 | agentWaitSeconds  | 301",
                "7 | agentWaitSeconds  | null",
                "7 | deviceInfoFolder  | \"devinfo\"",
                "7 | deviceInfoFolder  | []",
                "7 | logLevel          | \"DEBUG\"",
                "7 | logLevel          | 1"
            })
    void wrongKeyOrValueIsNamed(int code, String key, String value) {
        assertThatThrownBy(() -> read("{\"" + key + "\":" + value + "}"))
                .isInstanceOfSatisfying(
                        CniException.class, e -> assertThat(e.code()).isEqualTo(code))
                .hasMessageContaining(key)
                .hasMessageContaining(folder.toString());
    }

    @Test
    void socketPathMayHave107Bytes() throws Exception {
        String path = "/" + "x".repeat(106);

        assertThat(read("{\"agentSocket\":\"" + path + "\"}").agentSocket()).isEqualTo(Path.of(path));
    }

    @Test
    void whatIsNoJsonIsCode6() {
        assertThatThrownBy(() -> read("agentSocket=/a"))
                .isInstanceOfSatisfying(
                        CniException.class, e -> assertThat(e.code()).isEqualTo(6));
    }

    @Test
    void whatCantBeReadIsCode5() {
        assertThatThrownBy(() -> NodeConfiguration.read(folder))
                .isInstanceOfSatisfying(
                        CniException.class, e -> assertThat(e.code()).isEqualTo(5));
    }
}
