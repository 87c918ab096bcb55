package io.ovsdpdk.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * With a program of Debian in the runtime's place that, like Debian's own JDK, needs zlib, the C++ library and more, and
 * some of that only by way of another library.
 */
class SharedLibrariesTest {
    private static final Path PROGRAM = Path.of("/usr/bin/apt-config");

    @TempDir
    private Path folder;

    /** All that an image has of the agent, with the program as its runtime. */
    private Layout staged() throws IOException {
        Path stage = folder.resolve("stage");
        Files.createDirectories(stage.resolve("lib"));
        Files.createDirectories(stage.resolve("native"));
        Files.createFile(stage.resolve("node-agent.jar"));
        Files.createFile(stage.resolve(Layout.PREPARED));
        Files.copy(
                PROGRAM, Files.createDirectories(stage.resolve("runtime/bin")).resolve("java"));
        return new Layout(stage);
    }

    /** One that the program needs itself, and that needs most of the others. */
    private static Path library(Layout layout) throws IOException {
        return SharedLibraries.neededBy(layout.stage()).files().stream()
                .filter(file -> file.getFileName().toString().startsWith("libapt-pkg."))
                .findFirst()
                .orElseThrow();
    }

    /** The root of a container of an image. */
    private Path unpacked(Path tar) throws IOException {
        Path layers = Files.createDirectory(folder.resolve("layers"));
        Path root = Files.createDirectory(folder.resolve("root"));
        Command.run(List.of("tar", "-xf", tar.toString(), "-C", layers.toString()));
        for (JsonNode layer : new ObjectMapper()
                .readTree(layers.resolve("manifest.json").toFile())
                .at("/0/Layers")) {
            Command.run(List.of("tar", "-xzf", layers.resolve(layer.asText()).toString(), "-C", root.toString()));
        }
        return root;
    }

    @Test
    void runtimeFindsInTheImageAllThatItNeeds() throws IOException {
        Path tar = folder.resolve("image.tar");

        new AgentImage(new Base.Debian(), staged(), Path.of("/bin/true"), "a:1").write(tar, folder.resolve("cache"));

        Path root = unpacked(tar);
        // The loader of the image fails for what it doesn't find
        assertThat(Command.run(List.of(
                        "chroot",
                        root.toString(),
                        "/lib64/ld-linux-x86-64.so.2",
                        "--list",
                        "/opt/ovs-dpdk/runtime/bin/java")))
                .contains("libz.so.1 => /", "libstdc++.so.6 => /", "libgcc_s.so.1 => /")
                .doesNotContain("not found");
        assertThat(root.resolve("usr/share/doc/zlib1g/copyright")).isNotEmptyFile();
    }

    @Test
    void whatTheFolderHasItselfIsNotNeeded() throws IOException {
        Layout layout = staged();
        Path library = library(layout);
        Files.copy(library, layout.stage().resolve("lib").resolve(library.getFileName()));

        assertThat(SharedLibraries.neededBy(layout.stage()).names())
                .contains("libc.so.6", "libstdc++.so.6", "libz.so.1")
                .doesNotContain("libapt-pkg");
    }

    @Test
    void libraryThatThisMachineLacksIsNamed() throws IOException {
        Layout layout = staged();
        Path program = layout.stage().resolve("runtime/bin/java");
        String library = library(layout).getFileName().toString();
        String missing = library.replace(".so.", ".xx.");
        String bytes = Files.readString(program, StandardCharsets.ISO_8859_1);
        Files.writeString(program, bytes.replace(library, missing), StandardCharsets.ISO_8859_1);

        assertThatThrownBy(() -> SharedLibraries.neededBy(folder.resolve("stage")))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(program.toString())
                .hasMessageContaining(missing);
    }

    @Test
    void libraryOfNoPackageIsNamed() {
        SharedLibraries needed = new SharedLibraries(new TreeSet<>(Set.of(folder.resolve("libown.so"))));

        assertThatThrownBy(() -> new Base.Debian().builder(needed))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(folder.resolve("libown.so").toString());
    }
}
