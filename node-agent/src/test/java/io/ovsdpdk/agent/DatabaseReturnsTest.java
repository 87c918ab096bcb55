package io.ovsdpdk.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.ovsdpdk.ovsdb.LocalSwitch;
import io.ovsdpdk.ovsdb.OvsdbClient;
import io.ovsdpdk.ovsdb.OvsdbOptions;
import io.ovsdpdk.ovsdb.testbed.OvsdbServer;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class DatabaseReturnsTest {
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    @Test
    void eachReturnOfTheDatabaseIsToldOnce() throws Exception {
        AtomicInteger told = new AtomicInteger();
        try (OvsdbServer database = OvsdbServer.create();
                OvsdbClient client = new OvsdbClient(database.socket(), LocalSwitch.TABLES, OvsdbOptions.DEFAULT);
                DatabaseReturns returns = new DatabaseReturns(client, told::incrementAndGet)) {
            returns.follow();
            database.start();
            await().atMost(PATIENCE).until(() -> told.get() == 1);

            database.stop();
            database.start();
            await().atMost(PATIENCE).until(() -> told.get() == 2);

            assertThat(database.vsctl("--no-wait", "add-br", "br0")).isEmpty();
            await().atMost(PATIENCE)
                    .until(() -> new LocalSwitch(client).bridge("br0").isPresent());
            assertThat(told).as("a change is no return").hasValue(2);
        }
    }
}
