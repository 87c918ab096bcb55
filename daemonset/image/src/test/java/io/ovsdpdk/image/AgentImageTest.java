package io.ovsdpdk.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whatever executable stands in for the plugin: what is in the image and runs is the matter of e2e. */
class AgentImageTest {
    private static final Path JDK = Path.of(System.getProperty("java.home"));
    private static final Path AGENT = Path.of("../../node-agent/target");
    private static final Path EXECUTABLE = Path.of("/bin/true");

    @TempDir
    private Path folder;

    private Path tar;

    @BeforeEach
    void nameTar() {
        tar = folder.resolve("image.tar");
    }

    private static JsonNode entry(Path tar, String name) throws IOException {
        return new ObjectMapper().readTree(Command.run(List.of("tar", "-xOf", tar.toString(), name)));
    }

    /** Named after their digests, from the base upwards. */
    private static List<String> layers(Path tar) throws IOException {
        return entry(tar, "manifest.json")
                .at("/0/Layers")
                .valueStream()
                .map(JsonNode::asText)
                .toList();
    }

    private Layout build(String base, String name, Path to) throws IOException {
        return AgentImage.build(base, JDK, AGENT, EXECUTABLE, name, folder.resolve("work"), to);
    }

    /** One test for both: a build takes its time. */
    @Test
    @Tag("long")
    void imageBuiltAgainDiffersInNothingButWhatTheJvmPreparedAndCanBeABaseItself() throws IOException {
        Path again = folder.resolve("again.tar");
        Path upon = folder.resolve("upon.tar");

        build("debian", "a:1", tar);
        Layout layout = build("debian", "a:1", again);
        new AgentImage(Base.named("tar:" + tar), layout, EXECUTABLE, "agent:2").write(upon, folder.resolve("cache"));

        List<String> layers = layers(tar);
        assertThat(layers).hasSize(5);
        assertThat(layers(again).subList(0, 4)).isEqualTo(layers.subList(0, 4));
        assertThat(layers(upon)).hasSize(5 + 4).startsWith(layers.toArray(String[]::new));
        assertThat(entry(upon, "manifest.json").at("/0/RepoTags/0").asText()).isEqualTo("agent:2");
        assertThat(Figures.sizes(tar))
                .matches("[0-9.]+ MB as a tar file, compressed; in it the base [2-9][0-9.]+, the runtime [2-9][0-9.]+,"
                        + " the libraries 1[0-9.]+, agent and plugin .* MB");
        JsonNode configuration = entry(upon, "config.json").path("config");
        assertThat(configuration.at("/Entrypoint/0").asText()).isEqualTo("/opt/ovs-dpdk/runtime/bin/java");
        assertThat(configuration.at("/User").asText()).isEqualTo("0:0");
    }

    @Test
    void pluginThatWasNotBuiltIsNamed() {
        Path missing = folder.resolve("ovs-dpdk");

        assertThatThrownBy(() -> AgentImage.build("debian", JDK, AGENT, missing, "a:1", folder, tar))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(missing.toString())
                .hasMessageContaining("make native");
        assertThat(tar).doesNotExist();
    }

    @Test
    void agentThatWasNotBuiltIsNamed() throws IOException {
        Path empty = Files.createDirectories(folder.resolve("agent/lib")).getParent();

        assertThatThrownBy(() -> AgentImage.build("debian", JDK, empty, EXECUTABLE, "a:1", folder, tar))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("node-agent-*.jar in " + empty);
        assertThat(tar).doesNotExist();
    }

    @Test
    void nameThatIsNoneIsRefused() {
        Layout layout = new Layout(folder);

        assertThatThrownBy(() -> new AgentImage(Base.named("debian"), layout, EXECUTABLE, "No Name").write(tar, folder))
                .isInstanceOf(IOException.class);
        assertThat(tar).doesNotExist();
    }
}
