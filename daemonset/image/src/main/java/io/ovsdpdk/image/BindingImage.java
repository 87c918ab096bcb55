package io.ovsdpdk.image;

import com.google.cloud.tools.jib.api.Jib;
import com.google.cloud.tools.jib.api.buildplan.AbsoluteUnixPath;
import com.google.cloud.tools.jib.api.buildplan.FileEntriesLayer;
import com.google.cloud.tools.jib.api.buildplan.FilePermissions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * The image of KubeVirt's binding: a static executable and nothing else.
 *
 * @param binding the native executable
 */
public record BindingImage(Path binding) {
    private static final AbsoluteUnixPath PLACE = AbsoluteUnixPath.get("/usr/bin/ovs-dpdk-binding");

    /** KubeVirt's, which it sets anyhow where the VM doesn't run as root. */
    private static final String USER = "107:107";

    /**
     * Builds it and writes it as a tar file.
     *
     * @param name of the image, with a tag
     * @param work a folder for what comes up meanwhile
     * @param tar what is written
     * @throws IOException when the executable is missing, or the image can't be written
     */
    public void write(String name, Path work, Path tar) throws IOException {
        if (!Files.isExecutable(binding)) {
            throw new IOException("there is no executable " + binding + ": make native makes one");
        }
        new ImageTar(tar, name, work.resolve("cache"))
                .write(Jib.fromScratch()
                        .addFileEntriesLayer(FileEntriesLayer.builder()
                                .setName("binding")
                                .addEntry(binding, PLACE, FilePermissions.fromOctalString("755"))
                                .build())
                        .setEntrypoint(List.of(PLACE.toString()))
                        .setUser(USER)
                        .setWorkingDirectory(AbsoluteUnixPath.get("/")));
    }
}
