package io.ovsdpdk.e2e;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;

/** The agent as another version of it would be built: the same but for what it calls itself. */
final class OtherBuild {
    private OtherBuild() {}

    /**
     * Makes one.
     *
     * @param folder is made, with {@code node-agent-VERSION.jar} and {@code lib/}
     */
    static Path ofVersion(String version, Path folder) throws IOException {
        Path target = Jars.repository().resolve("node-agent/target");
        Files.createDirectory(folder);
        Files.createSymbolicLink(folder.resolve("lib"), target.resolve("lib"));
        try (DirectoryStream<Path> jars = Files.newDirectoryStream(target, "node-agent-*.jar")) {
            copy(jars.iterator().next(), version, folder.resolve("node-agent-" + version + ".jar"));
        }
        return folder;
    }

    private static void copy(Path from, String version, Path to) throws IOException {
        try (JarFile jar = new JarFile(from.toFile())) {
            Manifest manifest = new Manifest(jar.getManifest());
            manifest.getMainAttributes().put(Attributes.Name.IMPLEMENTATION_VERSION, version);
            try (JarOutputStream copy = new JarOutputStream(Files.newOutputStream(to), manifest)) {
                for (JarEntry entry : jar.stream()
                        .filter(candidate -> !candidate.getName().equals(JarFile.MANIFEST_NAME))
                        .toList()) {
                    copy.putNextEntry(new JarEntry(entry.getName()));
                    jar.getInputStream(entry).transferTo(copy);
                }
            }
        }
    }
}
