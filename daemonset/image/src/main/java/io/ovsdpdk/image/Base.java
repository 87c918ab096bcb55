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

/** What the image builds upon: it must have the C library of glibc. */
sealed interface Base {
    /** An image of a registry. */
    record Registry(String image) implements Base {}

    /** An image as {@code docker save} and others write it. */
    record Tar(Path file) implements Base {}

    /** Nothing but the C library of the build machine, which must be a Debian or one that descends from it. */
    record Debian() implements Base {}

    String DEBIAN = "debian";
    String TAR = "tar:";

    static Base named(String name) {
        if (name.equals(DEBIAN)) {
            return new Debian();
        }
        return name.startsWith(TAR) ? new Tar(Path.of(name.substring(TAR.length()))) : new Registry(name);
    }

    /** @throws InvalidImageReferenceException when the name is none of a registry's images */
    default JibContainerBuilder builder() throws IOException, InvalidImageReferenceException {
        return switch (this) {
            case Registry registry -> Jib.from(RegistryImage.named(registry.image()));
            case Tar tar -> Jib.from(TarImage.at(tar.file()));
            case Debian ignored -> Jib.fromScratch().addFileEntriesLayer(libraries());
        };
    }

    /** The files of Debian's package libc6, without its converters of character sets. */
    private static FileEntriesLayer libraries() throws IOException {
        FileEntriesLayer.Builder layer = FileEntriesLayer.builder().setName("C library");
        for (String line : Command.run(List.of("dpkg-query", "--listfiles", "libc6"))
                .lines()
                .toList()) {
            Path file = Path.of(line);
            String name = file.getFileName() == null ? "" : file.getFileName().toString();
            boolean library = line.contains("/lib") && name.contains(".so") && !line.contains("/gconv/");
            if (Files.isRegularFile(file) && (library || line.equals("/usr/share/doc/libc6/copyright"))) {
                // The loader looks for itself below /lib64, for others below /lib; with or without a merged /usr
                String place = library && line.startsWith("/usr/") ? line.substring("/usr".length()) : line;
                layer.addEntry(file.toRealPath(), AbsoluteUnixPath.get(place), FilePermissions.fromOctalString("755"));
            }
        }
        return layer.build();
    }
}
