import java.lang.module.ModuleDescriptor;
import java.lang.module.ModuleFinder;
import java.lang.module.ModuleReference;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * Prints an argument file for {@code java} that opens the JDK's own packages to the builder's modules. A GraalVM
 * distribution has a JDK whose modules are built to do so.
 *
 * <p>Usage: {@code java ModuleExports.java <folder of the builder's jars>}
 */
final class ModuleExports {
    /** The modules into which the builder looks. */
    private static final Set<String> OPENED = Set.of(
            "java.base",
            "java.compiler",
            "java.instrument",
            "java.logging",
            "java.management",
            "java.net.http",
            "java.prefs",
            "java.rmi",
            "java.security.jgss",
            "java.xml",
            "jdk.crypto.ec",
            "jdk.internal.jvmstat",
            "jdk.internal.vm.ci",
            "jdk.jfr",
            "jdk.localedata",
            "jdk.management",
            "jdk.net",
            "jdk.zipfs");

    private ModuleExports() {}

    public static void main(String[] arguments) {
        String builder = modules(ModuleFinder.of(Path.of(arguments[0]))).stream()
                .map(ModuleDescriptor::name)
                .collect(Collectors.joining(","));
        for (ModuleDescriptor module : modules(ModuleFinder.ofSystem())) {
            if (OPENED.contains(module.name())) {
                for (String name : new TreeSet<>(module.packages())) {
                    System.out.println("--add-exports=" + module.name() + "/" + name + "=" + builder);
                    System.out.println("--add-opens=" + module.name() + "/" + name + "=" + builder);
                }
            }
        }
    }

    private static List<ModuleDescriptor> modules(ModuleFinder finder) {
        return finder.findAll().stream()
                .map(ModuleReference::descriptor)
                .sorted(Comparator.comparing(ModuleDescriptor::name))
                .toList();
    }
}
