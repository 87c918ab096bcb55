package io.ovsdpdk.agent.host;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class KeyedLocksTest {

    @Test
    void oneHolderAtATimeForAKeyAndNothingRemains() {
        KeyedLocks<String> locks = new KeyedLocks<>();
        List<Integer> unsynchronized = new ArrayList<>();

        try (ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
            for (int i = 0; i < 2000; i++) {
                int number = i;
                executor.submit(() -> {
                    try (var _ = locks.hold("key")) {
                        unsynchronized.add(number);
                    }
                });
            }
        }

        assertThat(unsynchronized).hasSize(2000);
        assertThat(locks.size()).isZero();
    }

    @Test
    void anotherKeyDoesNotWait() throws InterruptedException {
        KeyedLocks<String> locks = new KeyedLocks<>();

        try (var _ = locks.hold("one")) {
            Thread other = Thread.startVirtualThread(() -> locks.hold("two").close());
            other.join();
        }

        assertThat(locks.size()).isZero();
    }
}
