package io.ovsdpdk.e2e;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;

/** The programs of this project as the build left them, started as an administrator would start them. */
final class Jars {
    /** What a short-lived JVM starts fastest with. */
    private static final List<String> QUICK_START =
            List.of("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Xmx64m");

    private static final String PLUGIN_VARIABLE = "OVS_DPDK_PLUGIN";
    private static final String BINDING_VARIABLE = "OVS_DPDK_BINDING";

    private Jars() {}

    /** The beginning of the plugin's command line: the executable that {@code OVS_DPDK_PLUGIN} names, or its jar's. */
    static List<String> plugin() throws IOException {
        return isPluginNative() ? List.of(nativePlugin().toString()) : java(QUICK_START, jar("cni-plugin"));
    }

    /** Whether an executable is named. */
    static boolean isPluginNative() {
        return !System.getenv().getOrDefault(PLUGIN_VARIABLE, "").isEmpty();
    }

    /**
     * The executable that {@code OVS_DPDK_PLUGIN} names.
     *
     * @throws IOException when none is named, or it is not there
     */
    static Path nativePlugin() throws IOException {
        return executable(PLUGIN_VARIABLE);
    }

    /**
     * The executable that {@code OVS_DPDK_BINDING} names.
     *
     * @throws IOException when none is named, or it is not there
     */
    static Path nativeBinding() throws IOException {
        return executable(BINDING_VARIABLE);
    }

    /**
     * The beginning of the command line of KubeVirt's binding, for any user: a copy of the executable that {@code
     * OVS_DPDK_BINDING} names, or of its jar, in a folder that is made.
     */
    static List<String> binding(Path folder) throws IOException {
        Files.createDirectory(folder);
        if (!System.getenv().getOrDefault(BINDING_VARIABLE, "").isEmpty()) {
            Path copy = folder.resolve("ovs-dpdk-binding");
            Files.copy(executable(BINDING_VARIABLE), copy, StandardCopyOption.COPY_ATTRIBUTES);
            return List.of(copy.toString());
        }
        Path jar = jar("kubevirt-binding");
        Files.copy(jar, folder.resolve(jar.getFileName()));
        Path libraries = Files.createDirectory(folder.resolve("lib"));
        try (DirectoryStream<Path> jars = Files.newDirectoryStream(jar.resolveSibling("lib"))) {
            for (Path library : jars) {
                Files.copy(library, libraries.resolve(library.getFileName()));
            }
        }
        return java(QUICK_START, folder.resolve(jar.getFileName()));
    }

    private static Path executable(String variable) throws IOException {
        Path executable = Path.of(System.getenv().getOrDefault(variable, ""));
        if (!Files.isRegularFile(executable) || !Files.isExecutable(executable)) {
            throw new IOException(variable + " names no executable: \"" + executable + "\"; make native makes one");
        }
        return executable.toAbsolutePath();
    }

    /** Where the build leaves the agent. */
    static Path agentBuild() throws IOException {
        return repository().resolve("node-agent/target");
    }

    /**
     * The beginning of the agent's command line.
     *
     * @param options of its JVM
     * @param build a folder with {@code node-agent-*.jar} and {@code lib/}
     */
    static List<String> agent(List<String> options, Path build) throws IOException {
        return java(options, jar("node-agent", build));
    }

    private static List<String> java(List<String> options, Path jar) {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(options);
        command.add("-jar");
        command.add(jar.toString());
        return command;
    }

    /** @throws IOException when it was not built */
    private static Path jar(String module) throws IOException {
        return jar(module, repository().resolve(module).resolve("target"));
    }

    private static Path jar(String module, Path target) throws IOException {
        if (Files.isDirectory(target)) {
            try (DirectoryStream<Path> jars = Files.newDirectoryStream(target, module + "-*.jar")) {
                for (Path jar : jars) {
                    return jar;
                }
            }
        }
        throw new IOException("there is no jar of " + module + " in " + target + ": run make build");
    }

    /** The folder of the sources: the one with the parent pom, from where we are upwards. */
    static Path repository() throws IOException {
        Path here = Path.of("").toAbsolutePath();
        for (Path folder = here; folder != null; folder = folder.getParent()) {
            if (Files.isDirectory(folder.resolve("cni-plugin")) && Files.isRegularFile(folder.resolve("pom.xml"))) {
                return folder;
            }
        }
        throw new IOException(here + " is not in the project's sources");
    }
}
