package io.ovsdpdk.image;

import com.google.cloud.tools.jib.api.InvalidImageReferenceException;
import com.google.cloud.tools.jib.api.Jib;
import com.google.cloud.tools.jib.api.JibContainerBuilder;
import com.google.cloud.tools.jib.api.RegistryImage;
import com.google.cloud.tools.jib.api.TarImage;
import com.google.cloud.tools.jib.api.buildplan.AbsoluteUnixPath;
import com.google.cloud.tools.jib.api.buildplan.FileEntriesLayer;
import com.google.cloud.tools.jib.api.buildplan.FilePermissions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/** What the image builds upon: it must have the shared libraries that the Java runtime needs, glibc's at least. */
sealed interface Base {
    /** An image of a registry. */
    record Registry(String image) implements Base {}

    /** An image as {@code docker save} and others write it. */
    record Tar(Path file) implements Base {}

    /**
     * Nothing but the C library of the build machine, which must be a Debian or one that descends from it, and what else
     * its JDK needs: Debian's own wants zlib and the C++ library, others bring them along.
     */
    record Debian() implements Base {}

    String DEBIAN = "debian";
    String TAR = "tar:";

    static Base named(String name) {
        if (name.equals(DEBIAN)) {
            return new Debian();
        }
        return name.startsWith(TAR) ? new Tar(Path.of(name.substring(TAR.length()))) : new Registry(name);
    }

    /**
     * @param needed by what is built upon it
     * @throws InvalidImageReferenceException when the name is none of a registry's images
     */
    default JibContainerBuilder builder(SharedLibraries needed) throws IOException, InvalidImageReferenceException {
        return switch (this) {
            case Registry registry -> Jib.from(RegistryImage.named(registry.image()));
            case Tar tar -> Jib.from(TarImage.at(tar.file()));
            case Debian ignored -> Jib.fromScratch().addFileEntriesLayer(libraries(needed));
        };
    }

    /** The files of Debian's package libc6, without its converters of character sets, and what else is needed. */
    private static FileEntriesLayer libraries(SharedLibraries needed) throws IOException {
        FileEntriesLayer.Builder layer = FileEntriesLayer.builder().setName("libraries");
        SortedMap<Path, Path> files = new TreeMap<>();
        for (String line : Command.run(List.of("dpkg-query", "--listfiles", "libc6"))
                .lines()
                .toList()) {
            Path file = Path.of(line);
            String name = file.getFileName() == null ? "" : file.getFileName().toString();
            boolean library = line.contains("/lib") && name.contains(".so") && !line.contains("/gconv/");
            if (Files.isRegularFile(file) && (library || line.equals("/usr/share/doc/libc6/copyright"))) {
                files.put(inPlace(file), file);
            }
        }
        for (Path library : needed.files()) {
            if (files.putIfAbsent(inPlace(library), library) == null) {
                Path copyright = Path.of("/usr/share/doc", owner(library), "copyright");
                files.put(copyright, copyright);
            }
        }
        for (Map.Entry<Path, Path> file : files.entrySet()) {
            layer.addEntry(
                    file.getValue().toRealPath(),
                    AbsoluteUnixPath.fromPath(file.getKey()),
                    FilePermissions.fromOctalString("755"));
        }
        return layer.build();
    }

    /** The loader looks for itself below /lib64, for others below /lib; with or without a merged /usr. */
    private static Path inPlace(Path file) {
        String path = file.toString();
        return path.startsWith("/usr/lib") ? Path.of(path.substring("/usr".length())) : file;
    }

    /** The package that a library belongs to, without its architecture. */
    private static String owner(Path library) throws IOException {
        try {
            // Packages name it with /usr or without
            String owners = Command.run(List.of("dpkg-query", "--search", "*" + inPlace(library)));
            return owners.substring(0, owners.indexOf(':'));
        } catch (IOException e) {
            throw new IOException(
                    "the Java runtime needs " + library
                            + ", which belongs to no package of this Debian: take another JDK,"
                            + " or a base image that has it",
                    e);
        }
    }
}
