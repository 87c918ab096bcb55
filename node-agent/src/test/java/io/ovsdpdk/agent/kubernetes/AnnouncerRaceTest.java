package io.ovsdpdk.agent.kubernetes;

import io.fabric8.kubernetes.client.KubernetesClient;
import io.ovsdpdk.agent.kubernetes.testbed.ApiServer;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AnnouncerRaceTest {
    @TempDir
    private Path folder;

    @Test
    @Tag("long")
    void nothingIsLostInAHundredRaces() throws Exception {
        try (ApiServer server = ApiServer.start();
                KubernetesClient agents = new ApiServerAccess.OfKubeconfig(
                                server.writeKubeconfig(folder.resolve("kubeconfig"), "token"))
                        .client();
                AnnouncerRaces races = new AnnouncerRaces(server.client(), agents, server::create)) {
            races.run(100);
        }
    }
}
