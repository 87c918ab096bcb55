import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The command native-image of an assembled home: turns the usual arguments into a run of the image builder. It knows what
 * native-maven-plugin passes and what people type; an option that it does not know is an error.
 */
final class NativeImage {
    private static final String USAGE =
            "native-image [-cp <class path>] [<option>...] [-o <file>] <main class> [<file>]";

    private static final Path HOME = Path.of(System.getProperty("java.home"));
    private static final Path BUILDER = HOME.resolve("lib/svm/builder");
    private static final Path C_LIBRARIES = HOME.resolve("lib/svm/clibraries/linux-amd64");
    private static final Pattern COMPILER = Pattern.compile("compiler-(.+)\\.jar");

    private final List<String> options = new ArrayList<>();
    private final List<String> operands = new ArrayList<>();
    private String classPath = ".";
    private Optional<Path> output = Optional.empty();
    private boolean verbose;
    private boolean dryRun;

    private NativeImage() {}

    public static void main(String[] arguments) throws IOException, InterruptedException {
        List<String> all =
                new ArrayList<>(ArgumentFile.words(System.getenv().getOrDefault("NATIVE_IMAGE_OPTIONS", "")));
        all.addAll(ArgumentFile.expand(List.of(arguments)));
        if (all.contains("--version")) {
            System.out.print(version());
        } else if (all.contains("--help") || all.contains("-h")) {
            System.out.println(USAGE);
        } else {
            System.exit(run(all));
        }
    }

    private static int run(List<String> arguments) throws IOException, InterruptedException {
        NativeImage image = new NativeImage();
        List<String> command;
        try {
            image.read(BuilderOptions.joined(arguments).iterator());
            command = image.command();
        } catch (IllegalArgumentException e) {
            System.err.println("native-image: " + e.getMessage());
            return 2;
        }
        if (image.verbose || image.dryRun) {
            System.out.println(String.join(" \\\n", command));
        }
        return image.dryRun
                ? 0
                : new ProcessBuilder(command).inheritIO().start().waitFor();
    }

    private void read(Iterator<String> arguments) {
        while (arguments.hasNext()) {
            String argument = arguments.next();
            switch (argument) {
                case "--verbose" -> verbose = true;
                case "--dry-run" -> dryRun = true;
                case "-cp", "-classpath", "--class-path" -> classPath = following(argument, arguments);
                case "-o" -> output = Optional.of(Path.of(following(argument, arguments)));
                case "-jar", "-m", "--module", "-p", "--module-path" ->
                    throw new IllegalArgumentException(argument + " is not supported: give -cp and a main class");
                default -> (argument.startsWith("-") ? options : operands).add(argument);
            }
        }
        if (operands.isEmpty() || operands.size() > 2) {
            throw new IllegalArgumentException("a main class, and perhaps a file, must be given, not " + operands);
        }
    }

    private static String following(String option, Iterator<String> arguments) {
        if (!arguments.hasNext()) {
            throw new IllegalArgumentException("value missing: " + option);
        }
        return arguments.next();
    }

    private List<String> command() throws IOException {
        ImageClassPath imageClassPath = ImageClassPath.of(classPath);
        BuilderOptions builder = new BuilderOptions();
        imageClassPath.configure(builder);
        builder.addAll(options, "command line");
        if (!builder.chosen("UseLibC").equals(Optional.of("musl"))) {
            throw new IllegalArgumentException("this builder links with musl only: give --static --libc=musl");
        }
        String mainClass = operands.getFirst();
        Path file = output.or(() -> operands.stream().skip(1).findFirst().map(Path::of))
                .orElse(Path.of(mainClass.toLowerCase(Locale.ROOT)))
                .toAbsolutePath();
        String identity = imageClassPath + builder.forBuilder().toString() + mainClass + file.getFileName();

        List<String> command = new ArrayList<>(virtualMachine());
        command.addAll(builder.forVirtualMachine());
        command.addAll(modules());
        command.addAll(List.of("-imagecp", imageClassPath.toString()));
        command.add("-H:+UnlockExperimentalVMOptions");
        command.add("-H:CLibraryPath=" + C_LIBRARIES.resolve("musl") + "," + C_LIBRARIES);
        command.add("-H:ImageBuildID=" + UUID.nameUUIDFromBytes(identity.getBytes(StandardCharsets.UTF_8)));
        command.add("-H:Path=" + file.getParent());
        command.add("-H:Class=" + mainClass);
        command.add("-H:Name=" + file.getFileName());
        command.add("-H:FallbackThreshold=0");
        command.addAll(builder.forBuilder());
        command.add("-H:-UnlockExperimentalVMOptions");
        return command;
    }

    private static List<String> virtualMachine() throws IOException {
        String version = builderVersion();
        return List.of(
                HOME.resolve("bin/java").toString(),
                "@" + BUILDER.resolve("exports.args"),
                "-XX:+UseParallelGC",
                "-XX:+UnlockExperimentalVMOptions",
                "-XX:+EnableJVMCI",
                "-XX:-UseJVMCICompiler",
                "-Xss10m",
                "-XX:MaxRAMPercentage=60",
                "-Djava.system.class.loader=com.oracle.svm.hosted.NativeImageSystemClassLoader",
                "-Dcom.oracle.graalvm.isaot=true",
                "-Dorg.graalvm.nativeimage.imagecode=buildtime",
                "-Djava.awt.headless=true",
                "-Dorg.graalvm.vendor=assembled",
                "-Dorg.graalvm.version=" + version,
                "-Dorg.graalvm.vendorversion=assembled-" + version,
                // Whether a lambda's class is initialized in the builder is for the image's options to say
                "-Djdk.internal.lambda.disableEagerInitialization=true",
                "-Djava.lang.invoke.InnerClassLambdaMetafactory.initializeLambdas=false",
                "--sun-misc-unsafe-memory-access=allow",
                "--enable-native-access=org.graalvm.nativeimage.builder");
    }

    /** The builder's compiler stands in for the JDK's module of that name. */
    private static List<String> modules() throws IOException {
        Map<Boolean, List<String>> jars = builderJars().stream()
                .collect(Collectors.partitioningBy(
                        NativeImage::isCompiler, Collectors.mapping(Path::toString, Collectors.toList())));
        return List.of(
                "--upgrade-module-path",
                String.join(File.pathSeparator, jars.get(true)),
                "--module-path",
                String.join(File.pathSeparator, jars.get(false)),
                "--add-modules=ALL-DEFAULT",
                "--patch-module=org.graalvm.nativeimage.builder=" + BUILDER.resolve("patch"),
                "--module",
                "org.graalvm.nativeimage.builder/com.oracle.svm.hosted.NativeImageGeneratorRunner");
    }

    private static List<Path> builderJars() throws IOException {
        try (Stream<Path> files = Files.list(BUILDER)) {
            return files.filter(file -> file.toString().endsWith(".jar"))
                    .sorted()
                    .toList();
        }
    }

    private static boolean isCompiler(Path jar) {
        return COMPILER.matcher(jar.getFileName().toString()).matches();
    }

    private static String builderVersion() throws IOException {
        return builderJars().stream()
                .map(jar -> COMPILER.matcher(jar.getFileName().toString()))
                .filter(Matcher::matches)
                .map(matcher -> matcher.group(1))
                .findFirst()
                .orElseThrow(() -> new IOException("there is no compiler-*.jar in " + BUILDER));
    }

    /** In the form in which a GraalVM distribution says it, and native-maven-plugin reads it. */
    private static String version() throws IOException {
        String builder = builderVersion();
        String build = "(build " + System.getProperty("java.runtime.version") + ")";
        return "native-image " + builder + " " + System.getProperty("java.version.date", "") + "\n"
                + "GraalVM Runtime Environment assembled " + builder + " " + build + "\n"
                + "Substrate VM assembled " + builder + " " + build + "\n";
    }
}
