package io.ovsdpdk.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * What all of this is for: two real VMs that ping each other. ADD by the native plugin, the domain by the native sidecar, a
 * real libvirt and QEMU; the agent is killed before the VMs start, the switch restarts under them, and nothing is left.
 */
@Tag("native")
class KubeVirtVmTest {
    @Test
    @Timeout(value = 3, unit = TimeUnit.MINUTES)
    void vmsPingEachOtherFromTheirStartToTheirEnd() throws Exception {
        ByteArrayOutputStream said = new ByteArrayOutputStream();

        new KubeVirtDemo(new PrintStream(said, true, StandardCharsets.UTF_8)).show();

        assertThat(said.toString(StandardCharsets.UTF_8))
                .contains(
                        "<interface type='vhostuser'>",
                        "UP 10.97.0.1 02:00:00:00:00:0a",
                        "UP 10.97.0.2 02:00:00:00:00:0b",
                        "answered again")
                .endsWith("nothing is left: no port, no socket, no folder, no mount, no checkpoint\n");
    }
}
