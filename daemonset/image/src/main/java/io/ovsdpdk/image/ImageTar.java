package io.ovsdpdk.image;

import com.google.cloud.tools.jib.api.CacheDirectoryCreationException;
import com.google.cloud.tools.jib.api.Containerizer;
import com.google.cloud.tools.jib.api.InvalidImageReferenceException;
import com.google.cloud.tools.jib.api.JibContainerBuilder;
import com.google.cloud.tools.jib.api.RegistryException;
import com.google.cloud.tools.jib.api.TarImage;
import com.google.cloud.tools.jib.api.buildplan.Platform;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.Path;
import java.util.Set;
import java.util.concurrent.ExecutionException;

/**
 * The file that an image is written to, as {@code ctr}, {@code docker}, {@code podman} and {@code skopeo} read it.
 *
 * @param name of the image, with a tag
 * @param cache a folder for layers
 */
record ImageTar(Path file, String name, Path cache) {
    /** @throws IOException when there can be no such image, or it can't be written */
    void write(JibContainerBuilder image) throws IOException {
        try {
            image.setPlatforms(Set.of(new Platform(architecture(), "linux")))
                    .containerize(Containerizer.to(TarImage.at(file).named(name))
                            .setBaseImageLayersCache(cache)
                            .setApplicationLayersCache(cache)
                            .setToolName("ovs-dpdk-cni"));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while the image was written");
        } catch (InvalidImageReferenceException
                | RegistryException
                | CacheDirectoryCreationException
                | ExecutionException e) {
            throw new IOException("the image can't be written: " + e.getMessage(), e);
        }
    }

    private static String architecture() {
        String name = System.getProperty("os.arch");
        return name.equals("aarch64") ? "arm64" : name;
    }
}
