package io.ovsdpdk.ovsdb;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.opendaylight.ovsdb.lib.notation.UUID;

class ReplicaFeedTest {

    private static final UUID ROW = new UUID("00000000-0000-4000-8000-000000000001");
    private static final UUID OTHER = new UUID("00000000-0000-4000-8000-000000000002");

    private final ReplicaFeed feed = new ReplicaFeed();

    @Test
    void waiterForARowIsNotWokenForOthers() throws Exception {
        Semaphore looked = new Semaphore(0);
        AtomicInteger looks = new AtomicInteger();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<Optional<Integer>> waiter = threads.submit(() -> feed.await(
                    Set.of(ROW),
                    () -> {
                        looked.release();
                        return Optional.of(looks.incrementAndGet()).filter(count -> count == 2);
                    },
                    soon()));
            looked.acquire();

            for (int i = 0; i < 1000; i++) {
                feed.changed(new Replica.Change(Replica.NOTHING, Set.of(OTHER)));
            }
            feed.changed(new Replica.Change(Replica.NOTHING, Set.of(OTHER, ROW)));

            assertThat(waiter.get()).contains(2);
        }
    }

    @Test
    void lossOfTheConnectionWakesEverybody() throws Exception {
        Semaphore looked = new Semaphore(0);
        AtomicInteger looks = new AtomicInteger();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<Optional<Integer>> waiter = threads.submit(() -> feed.await(
                    Set.of(),
                    () -> {
                        looked.release();
                        return Optional.of(looks.incrementAndGet()).filter(count -> count == 2);
                    },
                    soon()));
            looked.acquire();

            feed.lost();

            assertThat(waiter.get()).contains(2);
        }
    }

    @Test
    void conditionThatHoldsAlreadyNeedsNoChange() throws Exception {
        assertThat(feed.await(() -> Optional.of("there"), Deadline.after(Duration.ZERO)))
                .contains("there");
    }

    @Test
    void conditionThatNeverHoldsEndsAtTheDeadline() throws Exception {
        assertThat(feed.await(Optional::empty, Deadline.after(Duration.ofMillis(20))))
                .isEmpty();
    }

    private static Deadline soon() {
        return Deadline.after(Duration.ofSeconds(10));
    }
}
