package io.ovsdpdk.image;

import com.google.cloud.tools.jib.api.InvalidImageReferenceException;
import com.google.cloud.tools.jib.api.buildplan.AbsoluteUnixPath;
import com.google.cloud.tools.jib.api.buildplan.FileEntriesLayer;
import com.google.cloud.tools.jib.api.buildplan.FilePermissions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.stream.Stream;

/**
 * The image of the agent, with the plugin's executable for the init container and the probes.
 *
 * <p>Its layers, from what seldom changes to what always does: the base, the Java runtime, the libraries, the agent with
 * the plugin, and what the JVM prepared. All but the last are the same, byte by byte, when they are built again.
 *
 * @param layout the agent, trained
 * @param plugin the native executable
 * @param name of the image, with a tag
 */
public record AgentImage(Base base, Layout layout, Path plugin, String name) {
    /** Where the plugin's executable lies, which is in the {@code PATH}. */
    static final String PLUGIN = "/usr/bin/ovs-dpdk";

    private static final FilePermissions EXECUTABLE = FilePermissions.fromOctalString("755");
    private static final FilePermissions READABLE = FilePermissions.fromOctalString("644");

    /**
     * Builds it and writes it as a tar file that {@code ctr}, {@code docker}, {@code podman} and {@code skopeo} read.
     *
     * @param base {@code debian}, {@code tar:FILE} or an image of a registry
     * @param jdk of version 25
     * @param agent the folder with {@code node-agent-*.jar} and {@code lib/}
     * @param plugin the plugin's native executable
     * @param name of the image, with a tag
     * @param work a folder for what comes up meanwhile; one build at a time
     * @param tar what is written
     * @return how it was staged, in {@code work}
     * @throws IOException when a part is missing or fails; the message says which
     */
    public static Layout build(String base, Path jdk, Path agent, Path plugin, String name, Path work, Path tar)
            throws IOException {
        if (!Files.isExecutable(plugin)) {
            throw new IOException("there is no executable " + plugin + ": make native makes one");
        }
        Path stage = work.resolve("stage");
        remove(stage);
        Layout layout = Layout.of(stage, jdk, agent);
        Training.of(layout);
        new AgentImage(Base.named(base), layout, plugin, name).write(tar, work.resolve("cache"));
        return layout;
    }

    void write(Path tar, Path cache) throws IOException {
        try {
            new ImageTar(tar, name, cache)
                    .write(base.builder(SharedLibraries.neededBy(layout.stage()))
                            .addFileEntriesLayer(below("runtime"))
                            .addFileEntriesLayer(below("lib"))
                            .addFileEntriesLayer(agent())
                            .addFileEntriesLayer(prepared())
                            .setEntrypoint(Layout.command())
                            .addEnvironmentVariable("PATH", "/usr/bin:/bin")
                            .setUser("0:0")
                            .setWorkingDirectory(AbsoluteUnixPath.get("/")));
        } catch (InvalidImageReferenceException e) {
            throw new IOException("the image can't be written: " + e.getMessage(), e);
        }
    }

    private static void remove(Path folder) throws IOException {
        if (Files.exists(folder)) {
            try (Stream<Path> files = Files.walk(folder)) {
                for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                    Files.delete(file);
                }
            }
        }
    }

    private FileEntriesLayer below(String folder) throws IOException {
        FileEntriesLayer.Builder layer = FileEntriesLayer.builder().setName(folder);
        addTree(layer, layout.stage().resolve(folder));
        return layer.build();
    }

    private FileEntriesLayer agent() throws IOException {
        FileEntriesLayer.Builder layer = FileEntriesLayer.builder().setName("agent");
        addTree(layer, layout.stage().resolve("native"));
        addTree(layer, layout.stage().resolve("node-agent.jar"));
        layer.addEntry(plugin, AbsoluteUnixPath.get(PLUGIN), EXECUTABLE);
        return layer.build();
    }

    private FileEntriesLayer prepared() throws IOException {
        FileEntriesLayer.Builder layer = FileEntriesLayer.builder().setName("prepared");
        addTree(layer, layout.prepared());
        return layer.build();
    }

    private void addTree(FileEntriesLayer.Builder layer, Path top) throws IOException {
        try (Stream<Path> files = Files.walk(top)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                AbsoluteUnixPath place = AbsoluteUnixPath.get(Layout.HOME)
                        .resolve(layout.stage().relativize(file).toString());
                layer.addEntry(file, place, Files.isExecutable(file) ? EXECUTABLE : READABLE);
            }
        }
    }
}
