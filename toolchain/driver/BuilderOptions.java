import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * The options of the native-image command in the form that the image builder takes: some are its own
 * ({@code -H:Name=value}), some belong to the virtual machine in which it runs.
 */
final class BuilderOptions {
    /** An option's builder form, made from its value; the value is null where there is none. */
    private interface Translation {
        String of(String option, String value);
    }

    /** Options whose value may be the next argument. */
    private static final Set<String> VALUE_FOLLOWS =
            Set.of("--add-exports", "--add-opens", "--add-reads", "--add-modules", "--enable-native-access");

    private static final Map<String, Translation> TRANSLATIONS = new HashMap<>();

    static {
        // What kind of image
        TRANSLATIONS.put("--static", enable("StaticExecutable"));
        TRANSLATIONS.put("--libc", value("UseLibC"));
        TRANSLATIONS.put("-march", value("MicroArchitecture"));
        TRANSLATIONS.put("--gc", value("SupportedGCs"));
        TRANSLATIONS.put("-g", fixed("GenerateDebugInfo=2"));
        TRANSLATIONS.put("--no-fallback", fixed("FallbackThreshold=0"));
        TRANSLATIONS.put("--strict-image-heap", enable("StrictImageHeap"));
        TRANSLATIONS.put("--future-defaults", value("FutureDefaults"));

        // What is in it
        TRANSLATIONS.put("--initialize-at-build-time", classes("build_time"));
        TRANSLATIONS.put("--initialize-at-run-time", classes("run_time"));
        TRANSLATIONS.put("--link-at-build-time", optionalValue("LinkAtBuildTime"));
        TRANSLATIONS.put("--link-at-build-time-paths", value("LinkAtBuildTimePaths"));
        TRANSLATIONS.put("--exact-reachability-metadata", optionalValue("ThrowMissingRegistrationErrors"));
        TRANSLATIONS.put("--exact-reachability-metadata-path", value("ThrowMissingRegistrationErrorsPaths"));
        TRANSLATIONS.put("--report-unsupported-elements-at-runtime", enable("ReportUnsupportedElementsAtRuntime"));
        TRANSLATIONS.put("--features", value("Features"));
        TRANSLATIONS.put("--enable-monitoring", value("EnableMonitoringFeatures"));
        TRANSLATIONS.put("--enable-http", fixed("EnableURLProtocols=http"));
        TRANSLATIONS.put("--enable-https", fixed("EnableURLProtocols=https"));
        TRANSLATIONS.put("--enable-url-protocols", value("EnableURLProtocols"));
        TRANSLATIONS.put("--enable-all-security-services", enable("EnableAllSecurityServices"));
        TRANSLATIONS.put("--install-exit-handlers", enable("InstallExitHandlers"));
        TRANSLATIONS.put("--add-exports", value("AddExports"));
        TRANSLATIONS.put("--add-opens", value("AddOpens"));
        TRANSLATIONS.put("--add-reads", value("AddReads"));
        TRANSLATIONS.put("--enable-native-access", value("EnableNativeAccess"));

        // How it is built
        TRANSLATIONS.put("--parallelism", value("NumberOfThreads"));
        TRANSLATIONS.put("--silent", enable("BuildOutputSilent"));
        TRANSLATIONS.put("--color", value("Color"));
        TRANSLATIONS.put("--native-compiler-path", value("CCompilerPath"));
        TRANSLATIONS.put("--native-compiler-options", value("CCompilerOption"));
    }

    private final List<String> forBuilder = new ArrayList<>();
    private final List<String> forVirtualMachine = new ArrayList<>();

    /** In the order in which they were added: a later one wins. */
    List<String> forBuilder() {
        return forBuilder;
    }

    List<String> forVirtualMachine() {
        return forVirtualMachine;
    }

    /** The same arguments, each option with its value in one. */
    static List<String> joined(List<String> arguments) {
        List<String> joined = new ArrayList<>();
        for (int i = 0; i < arguments.size(); i++) {
            if (VALUE_FOLLOWS.contains(arguments.get(i)) && i + 1 < arguments.size()) {
                joined.add(arguments.get(i) + "=" + arguments.get(i + 1));
                i++;
            } else {
                joined.add(arguments.get(i));
            }
        }
        return joined;
    }

    /**
     * Adds all of them.
     *
     * @param options as {@link #joined} leaves them
     * @param origin where they come from, for the message
     * @throws IllegalArgumentException when there is an unknown one
     */
    void addAll(List<String> options, String origin) {
        options.forEach(option -> add(option, origin));
    }

    private void add(String option, String origin) {
        if (option.startsWith("-H:") || option.startsWith("-R:")) {
            forBuilder.add(option);
        } else if (option.startsWith("-D") || option.startsWith("-X") || option.equals("--enable-preview")) {
            forVirtualMachine.add(option);
        } else if (option.startsWith("-J")) {
            forVirtualMachine.add(option.substring("-J".length()));
        } else if (option.matches("-O[0-9bs]")) {
            forBuilder.add("-H:Optimize=" + option.substring("-O".length()));
        } else if (option.startsWith("--add-modules=")) {
            String modules = option.substring("--add-modules=".length());
            forBuilder.add("-H:AddModules=" + modules);
            forVirtualMachine.add("-Dsvm.modulesupport.addModules=" + modules);
        } else {
            forBuilder.add(translated(option, origin));
        }
    }

    /** A file of metadata that the builder reads as a resource of the image's class path. */
    void addResource(String builderOption, String resource) {
        forBuilder.add("-H:" + builderOption + "=" + resource);
    }

    /** The value that the builder will take for one of its options. */
    Optional<String> chosen(String builderOption) {
        String prefix = "-H:" + builderOption + "=";
        return forBuilder.stream()
                .filter(option -> option.startsWith(prefix))
                .map(option -> option.substring(prefix.length()))
                .reduce((earlier, later) -> later);
    }

    private static String translated(String option, String origin) {
        int equals = option.indexOf('=');
        Translation translation = TRANSLATIONS.get(equals < 0 ? option : option.substring(0, equals));
        if (translation == null) {
            throw new IllegalArgumentException("unknown option: " + option + " (" + origin + ")");
        }
        return translation.of(option, equals < 0 ? null : option.substring(equals + 1));
    }

    private static Translation enable(String name) {
        return (option, value) -> "-H:+" + name;
    }

    private static Translation fixed(String assignment) {
        return (option, value) -> "-H:" + assignment;
    }

    private static Translation value(String name) {
        return (option, value) -> "-H:" + name + "=" + required(option, value);
    }

    private static Translation optionalValue(String name) {
        return (option, value) -> "-H:" + name + "=" + (value == null ? "" : value);
    }

    /** Without a value it means all classes. */
    private static Translation classes(String when) {
        return (option, value) -> "-H:ClassInitialization="
                + Arrays.stream((value == null ? "" : value).split(","))
                        .map(name -> name + ":" + when)
                        .collect(Collectors.joining(","));
    }

    private static String required(String option, String value) {
        if (value == null) {
            throw new IllegalArgumentException("value missing: " + option);
        }
        return value;
    }
}
