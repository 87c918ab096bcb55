package io.ovsdpdk.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The plugin's process with an environment and a standard input that can't be; the many cases, on the JVM, are in its module. */
@Tag("native")
class HostilePluginCallTest {
    private static final int ENVIRONMENT = 4;
    private static final int DECODING = 6;
    private static final int CONFIGURATION = 7;

    private static Node node;
    private static NodeState before;

    @BeforeAll
    static void startNode() throws IOException {
        node = Node.start();
        before = NodeState.of(node);
    }

    @AfterAll
    static void stopNode() throws IOException {
        node.close();
    }

    @AfterEach
    void nothingHasChanged() throws IOException {
        assertThat(NodeState.of(node)).isEqualTo(before);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "CNI_CONTAINERID=../../etc",
                "CNI_IFNAME=../../etc/x",
                "CNI_IFNAME=net1\nnet2",
                "CNI_NETNS=",
                "CNI_COMMAND=add",
                "CNI_ARGS=K8S_POD_NAME=../../x",
                "CNI_ARGS=MAC=ff:ff:ff:ff:ff:ff"
            })
    void variableThatCannotBeIsRefused(String variable) throws IOException {
        String name = variable.substring(0, variable.indexOf('='));

        PluginCall.Outcome outcome =
                add().with(name, variable.substring(name.length() + 1)).run();

        assertThat(outcome.status()).isEqualTo(1);
        assertThat(outcome.code()).isEqualTo(ENVIRONMENT);
    }

    static Stream<Arguments> documents() {
        byte[] garbage = new byte[100_000];
        new Random(1).nextBytes(garbage);
        return Stream.of(
                Arguments.of("nothing", new byte[0]),
                Arguments.of("an array", "[]".getBytes(StandardCharsets.UTF_8)),
                Arguments.of("garbage", garbage),
                Arguments.of("2 MiB", "[".repeat(2 << 20).getBytes(StandardCharsets.UTF_8)));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("documents")
    void inputThatIsNoConfigurationIsRefused(String what, byte[] document) throws IOException {
        PluginCall.Outcome outcome = add().with(document).run();

        assertThat(outcome.status()).isEqualTo(1);
        assertThat(outcome.code()).isEqualTo(DECODING);
    }

    @ParameterizedTest
    @ValueSource(strings = {"/etc", "ROOTevil", "ROOT/../x"})
    void folderThatIsNotAllowedIsRefused(String sharedDir) throws IOException {
        PluginCall.Outcome outcome = add().with(node.network("1.1.0", "dpdk-net")
                        .put(
                                "sharedDir",
                                sharedDir.replace("ROOT", node.sharedRoot().toString())))
                .run();

        assertThat(outcome.status()).isEqualTo(1);
        assertThat(outcome.code()).isEqualTo(CONFIGURATION);
    }

    private static PluginCall add() throws IOException {
        return node.call("ADD", "c1", "net1", node.network("1.1.0", "dpdk-net"));
    }
}
