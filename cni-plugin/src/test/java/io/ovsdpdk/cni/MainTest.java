package io.ovsdpdk.cni;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** The executable itself: exit status and streams of a process. */
class MainTest {
    private static Process start(String command) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                "io.ovsdpdk.cni.Main");
        builder.environment().put("CNI_COMMAND", command);
        Process process = builder.start();
        process.getOutputStream().close();
        return process;
    }

    private static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }

    @Test
    void versionIsAnswered() throws Exception {
        Process process = start("VERSION");

        assertThat(text(process.getInputStream().readAllBytes()))
                .isEqualTo("{\"cniVersion\":\"1.1.0\",\"supportedVersions\":"
                        + "[\"0.3.0\",\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]}\n");
        assertThat(text(process.getErrorStream().readAllBytes())).isEmpty();
        assertThat(process.waitFor()).isZero();
    }

    @Test
    void errorIsOnStandardOutputWithStatus1() throws Exception {
        Process process = start("ADD");

        assertThat(text(process.getInputStream().readAllBytes()))
                .startsWith("{\"cniVersion\":\"1.1.0\",\"code\":4,\"msg\":\"ADD needs the environment variables");
        assertThat(process.waitFor()).isEqualTo(1);
    }
}
