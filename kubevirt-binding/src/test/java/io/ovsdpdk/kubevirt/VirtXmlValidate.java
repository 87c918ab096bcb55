package io.ovsdpdk.kubevirt;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** libvirt's own check of a domain against its schema. Needs the packages libvirt-clients, libvirt0 and libxml2-utils. */
final class VirtXmlValidate {
    private VirtXmlValidate() {}

    /** What it complains of; empty when the file is valid. */
    static String run(Path domain) throws IOException, InterruptedException {
        Process process = new ProcessBuilder("virt-xml-validate", domain.toString(), "domain")
                .redirectErrorStream(true)
                .start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return process.waitFor() == 0 ? "" : "status " + process.exitValue() + ": " + said;
    }
}
