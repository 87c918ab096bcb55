package io.ovsdpdk.e2e;

import com.google.cloud.tools.jib.api.CacheDirectoryCreationException;
import com.google.cloud.tools.jib.api.Containerizer;
import com.google.cloud.tools.jib.api.InvalidImageReferenceException;
import com.google.cloud.tools.jib.api.Jib;
import com.google.cloud.tools.jib.api.RegistryException;
import com.google.cloud.tools.jib.api.TarImage;
import com.google.cloud.tools.jib.api.buildplan.AbsoluteUnixPath;
import com.google.cloud.tools.jib.api.buildplan.FileEntriesLayer;
import com.google.cloud.tools.jib.api.buildplan.FilePermissions;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.Path;
import java.util.concurrent.ExecutionException;

/** The image that a sandbox runs, with nothing in it but a static busybox that sleeps. */
final class PauseImage {
    static final String NAME = "localhost/pause:test";

    /** Of Debian's package busybox-static. */
    private static final Path BUSYBOX = Path.of("/bin/busybox");

    private PauseImage() {}

    /** Writes it as a tar file, which {@code ctr images import} reads. */
    static void write(Path tar, Path cache) throws IOException {
        try {
            Jib.fromScratch()
                    .addFileEntriesLayer(FileEntriesLayer.builder()
                            .addEntry(
                                    BUSYBOX,
                                    AbsoluteUnixPath.get("/bin/busybox"),
                                    FilePermissions.fromOctalString("755"))
                            .build())
                    .setEntrypoint("/bin/busybox", "sleep", "1000000")
                    .addEnvironmentVariable("PATH", "/bin")
                    .containerize(Containerizer.to(TarImage.at(tar).named(NAME))
                            .setBaseImageLayersCache(cache)
                            .setApplicationLayersCache(cache)
                            .setOfflineMode(true));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while the pause image was written");
        } catch (InvalidImageReferenceException
                | RegistryException
                | CacheDirectoryCreationException
                | ExecutionException e) {
            throw new IOException("the pause image can't be written", e);
        }
    }
}
