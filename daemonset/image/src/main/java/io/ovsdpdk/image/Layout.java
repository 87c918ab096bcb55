package io.ovsdpdk.image;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.stream.Stream;

/**
 * The agent as it lies in the image, below {@value #HOME}, staged in a folder of the build machine: the Java runtime, the
 * libraries, the agent's jar, and last what the JVM prepared of them.
 *
 * @param stage what becomes {@value #HOME}
 */
public record Layout(Path stage) {
    /** Where it lies in the image, and while the JVM is trained: what it prepares holds for these paths only. */
    static final String HOME = "/opt/ovs-dpdk";

    static final String PREPARED = "agent.aot";

    /**
     * What the agent, its libraries and people with a thread dump need of the JDK. jdeps names more: what optional parts of
     * libraries would use.
     */
    private static final List<String> MODULES = List.of(
            "java.logging",
            "java.management",
            "java.naming",
            "java.net.http",
            "java.security.sasl",
            "java.xml",
            "jdk.management",
            "jdk.unsupported");

    /** The JVM of one node's daemon: small, and over when it is out of memory, since kubelet starts another one. */
    private static final List<String> JVM = List.of(
            HOME + "/runtime/bin/java",
            "-XX:+UseSerialGC",
            "-Xmx128m",
            // A node has some ADDs an hour: the better compiler would work for longer than it ever saves, on processors
            // that
            // are the switch's
            "-XX:TieredStopAtLevel=1",
            "-XX:+ExitOnOutOfMemoryError",
            // There is nowhere to write: the image is mounted read-only
            "-XX:-UsePerfData",
            "-Djffi.boot.library.path=" + HOME + "/native");

    /** As Jib sets it on files; the JVM takes what it prepared only for files of the very same time. */
    private static final FileTime MODIFIED = FileTime.fromMillis(1000);

    /**
     * Stages all but what the JVM prepares.
     *
     * @param stage a folder that doesn't exist yet
     * @param jdk whose runtime is cut
     * @param agent the folder with {@code node-agent-*.jar} and {@code lib/}
     */
    static Layout of(Path stage, Path jdk, Path agent) throws IOException {
        Path jar = onlyJar(agent);
        Files.createDirectories(stage);
        Command.run(List.of(
                jdk.resolve("bin/jlink").toString(),
                "--add-modules=" + String.join(",", MODULES),
                "--strip-debug",
                "--no-header-files",
                "--no-man-pages",
                "--output=" + stage.resolve("runtime")));
        copyAll(agent.resolve("lib"), Files.createDirectory(stage.resolve("lib")));
        Files.copy(jar, stage.resolve("node-agent.jar"));
        unpackNativeLibrary(stage.resolve("lib"), Files.createDirectory(stage.resolve("native")));
        touchAll(stage);
        return new Layout(stage);
    }

    /** What the image starts. */
    static List<String> command() {
        return command(List.of("-XX:AOTCache=" + HOME + "/" + PREPARED));
    }

    /** The same without what was prepared, with other options of the JVM. */
    static List<String> command(List<String> options) {
        return Stream.of(JVM.stream(), options.stream(), Stream.of("-jar", HOME + "/node-agent.jar"))
                .flatMap(words -> words)
                .toList();
    }

    private static Path onlyJar(Path folder) throws IOException {
        try (DirectoryStream<Path> jars = Files.newDirectoryStream(folder, "node-agent-*.jar")) {
            for (Path jar : jars) {
                return jar;
            }
        }
        throw new IOException("there is no node-agent-*.jar in " + folder + ": make build makes one");
    }

    private static void copyAll(Path from, Path to) throws IOException {
        try (DirectoryStream<Path> files = Files.newDirectoryStream(from)) {
            for (Path file : files) {
                Files.copy(file, to.resolve(file.getFileName()), StandardCopyOption.REPLACE_EXISTING);
            }
        }
    }

    /** That of jnr, which else would unpack it into a temporary folder at each start. */
    private static void unpackNativeLibrary(Path libraries, Path to) throws IOException {
        String folder = "jni/" + processor() + "-Linux/";
        try (DirectoryStream<Path> jars = Files.newDirectoryStream(libraries, "jffi-*-native.jar")) {
            for (Path jar : jars) {
                try (JarFile file = new JarFile(jar.toFile())) {
                    for (JarEntry entry : file.stream()
                            .filter(e -> e.getName().startsWith(folder))
                            .toList()) {
                        if (!entry.isDirectory()) {
                            Files.copy(
                                    file.getInputStream(entry),
                                    to.resolve(entry.getName().substring(folder.length())));
                        }
                    }
                }
            }
        }
        try (Stream<Path> unpacked = Files.list(to)) {
            if (unpacked.findAny().isEmpty()) {
                throw new IOException("no jffi-*-native.jar in " + libraries + " has " + folder);
            }
        }
    }

    private static String processor() {
        String name = System.getProperty("os.arch");
        return name.equals("amd64") ? "x86_64" : name;
    }

    private static void touchAll(Path folder) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.toList()) {
                Files.setLastModifiedTime(file, MODIFIED);
            }
        }
    }

    Path prepared() {
        return stage.resolve(PREPARED);
    }
}
