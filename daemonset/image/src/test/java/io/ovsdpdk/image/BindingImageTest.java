package io.ovsdpdk.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whatever executable stands in for the binding. */
class BindingImageTest {
    @TempDir
    private Path folder;

    private JsonNode entry(Path tar, String name) throws IOException {
        return new ObjectMapper().readTree(Command.run(List.of("tar", "-xOf", tar.toString(), name)));
    }

    @Test
    void imageHasTheExecutableAndStartsItAsKubeVirtsUser() throws IOException {
        Path tar = folder.resolve("image.tar");

        new BindingImage(Path.of("/bin/true")).write("binding:1", folder.resolve("work"), tar);

        JsonNode manifest = entry(tar, "manifest.json").get(0);
        assertThat(manifest.at("/RepoTags/0").asText()).isEqualTo("binding:1");
        assertThat(manifest.path("Layers")).hasSize(1);
        JsonNode configuration = entry(tar, "config.json").path("config");
        assertThat(configuration.path("Entrypoint")).hasSize(1);
        assertThat(configuration.at("/Entrypoint/0").asText()).isEqualTo("/usr/bin/ovs-dpdk-binding");
        assertThat(configuration.at("/User").asText()).isEqualTo("107:107");
        Path layer = folder.resolve("layer.tar.gz");
        Command.run(List.of(
                "sh",
                "-c",
                "tar -xOf \"$0\" \"$1\" >\"$2\"",
                tar.toString(),
                manifest.at("/Layers/0").asText(),
                layer.toString()));
        assertThat(Command.run(List.of("tar", "-tvzf", layer.toString())))
                .contains("-rwxr-xr-x", "usr/bin/ovs-dpdk-binding");
    }

    @Test
    void bindingThatWasNotBuiltIsNamed() {
        Path tar = folder.resolve("image.tar");
        Path missing = folder.resolve("ovs-dpdk-binding");

        assertThatThrownBy(() -> new BindingImage(missing).write("binding:1", folder, tar))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(missing.toString())
                .hasMessageContaining("make native");
        assertThat(Files.exists(tar)).isFalse();
    }
}
