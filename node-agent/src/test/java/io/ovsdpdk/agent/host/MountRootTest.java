package io.ovsdpdk.agent.host;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class MountRootTest {

    @Test
    void mountPointIsTheStartOfTheSha256OfTheHostPath() {
        MountRoot root =
                new MountRoot(new LinuxCalls(), Path.of("/run/p"), Nosymfollow.REQUIRED, Sandbox.accessOfRoot());

        // printf %s /var/lib/cni/usrspcni/0123456789ab | sha256sum
        assertThat(root.pointFor(Path.of("/var/lib/cni/usrspcni/0123456789ab")))
                .isEqualTo(Path.of("/run/p/2f5063b4973ac2ec"));
    }
}
