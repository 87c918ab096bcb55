package io.ovsdpdk.agent.kubernetes;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.ovsdpdk.agent.kubernetes.testbed.ApiServer;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;

class AnnouncerRaceTest {
    @TempDir
    private Path folder;

    private final ListAppender<ILoggingEvent> log = new ListAppender<>();

    @BeforeEach
    void listen() {
        log.start();
        logger().addAppender(log);
    }

    @AfterEach
    void stopListening() {
        logger().detachAppender(log);
    }

    private static Logger logger() {
        return (Logger) LoggerFactory.getLogger(Conversation.class);
    }

    @Test
    @Tag("long")
    void nothingIsLostInAHundredRaces() throws Exception {
        try (ApiServer server = ApiServer.start();
                KubernetesClient agents = new ApiServerAccess.OfKubeconfig(
                                server.writeKubeconfig(folder.resolve("kubeconfig"), "token"))
                        .client();
                AnnouncerRaces races = new AnnouncerRaces(server.client(), agents, server::create)) {
            races.run(100);

            // The others update the status as a whole
            long patches = server.requests().stream()
                    .filter(request -> request.matches("PATCH .*/pods/[^/]+/status.*"))
                    .count();
            assertThat(told()).isGreaterThan(100);
            assertThat(patches).as("some lost their race").isGreaterThan(told());
        }
    }

    private long told() {
        return List.copyOf(log.list).stream()
                .filter(event -> event.getFormattedMessage().startsWith("told:"))
                .count();
    }
}
