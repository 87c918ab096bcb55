import java.io.File;
import java.io.IOException;
import java.io.Reader;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Stream;

/** The class path of the image, and what its jars and folders say about themselves in META-INF/native-image. */
final class ImageClassPath {
    private static final String METADATA = "META-INF/native-image";

    /** Files of metadata, and the builder's options that take them. */
    private static final Map<String, String> CONFIGURATIONS = Map.of(
            "reachability-metadata.json", "ReachabilityMetadataResources",
            "reflect-config.json", "ReflectionConfigurationResources",
            "jni-config.json", "JNIConfigurationResources",
            "resource-config.json", "ResourceConfigurationResources",
            "proxy-config.json", "DynamicProxyConfigurationResources",
            "serialization-config.json", "SerializationConfigurationResources",
            "predefined-classes-config.json", "PredefinedClassesConfigurationResources");

    private final List<Path> entries;

    private ImageClassPath(List<Path> entries) {
        this.entries = entries;
    }

    /** @param path as {@code java -cp} takes it; what does not exist is left out */
    static ImageClassPath of(String path) throws IOException {
        List<Path> entries = new ArrayList<>();
        for (String element : path.split(File.pathSeparator)) {
            Path entry = Path.of(element).toAbsolutePath().normalize();
            if (element.equals("*") || element.endsWith("/*")) {
                entries.addAll(jars(entry.getParent()));
            } else if (Files.exists(entry)) {
                entries.add(entry);
            }
        }
        return new ImageClassPath(entries);
    }

    private static List<Path> jars(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(ImageClassPath::isJar).sorted().toList();
        }
    }

    private static boolean isJar(Path file) {
        return file.toString().endsWith(".jar");
    }

    /** Adds the options that the entries ask for. */
    void configure(BuilderOptions options) throws IOException {
        for (Path entry : entries) {
            if (Files.isDirectory(entry)) {
                configure(entry, options);
            } else if (isJar(entry)) {
                try (FileSystem jar = FileSystems.newFileSystem(entry)) {
                    configure(jar.getPath("/"), options);
                }
            }
        }
    }

    private static void configure(Path root, BuilderOptions options) throws IOException {
        Path metadata = root.resolve(METADATA);
        if (!Files.isDirectory(metadata)) {
            return;
        }
        try (Stream<Path> files = Files.walk(metadata)) {
            for (Path file : files.filter(Files::isRegularFile).sorted().toList()) {
                String name = file.getFileName().toString();
                String resource = root.relativize(file).toString();
                if (CONFIGURATIONS.containsKey(name)) {
                    options.addResource(CONFIGURATIONS.get(name), resource);
                } else if (name.equals("native-image.properties")) {
                    addProperties(file, resource, options);
                }
            }
        }
    }

    private static void addProperties(Path file, String resource, BuilderOptions options) throws IOException {
        Properties properties = new Properties();
        try (Reader reader = Files.newBufferedReader(file)) {
            properties.load(reader);
        }
        String folder = resource.substring(0, resource.lastIndexOf('/'));
        for (String key : List.of("Args", "JavaArgs")) {
            String arguments = properties.getProperty(key, "").replace("${.}", folder);
            options.addAll(BuilderOptions.joined(ArgumentFile.words(arguments)), resource);
        }
    }

    @Override
    public String toString() {
        return String.join(
                File.pathSeparator, entries.stream().map(Path::toString).toList());
    }
}
