package io.ovsdpdk.e2e;

import static io.ovsdpdk.e2e.Replies.added;
import static io.ovsdpdk.e2e.Replies.done;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The agent takes no more of the machine after many attachments than after some. */
class FlatnessTest {
    private static final int AT_ONCE = 32;

    /** The JIT compilers come and go, and so may a carrier of virtual threads. */
    private static final int THREADS_OF_THE_JVM = 4;

    /**
     * An attachment is remembered with some 2 kB, so 2,000 forgotten ones would be 4 MB; half a megabyte is what the
     * JVM's own caches and the log's buffers move about.
     */
    private static final long HEAP_SLACK = 512 * 1024;

    @AutoClose
    private Node node;

    @BeforeEach
    void startNode() throws IOException {
        node = Node.start();
    }

    @Test
    void agentIsFlatOverAHundredPairs() throws Exception {
        staysFlat(50, 100);
    }

    @Test
    @Tag("long")
    void agentIsFlatOverTwoThousandPairs() throws Exception {
        staysFlat(200, 2000);
    }

    private void staysFlat(int warmUp, int pairs) throws Exception {
        addAndDelete(warmUp, "warm");
        Footprint before = Footprint.of(node);

        long start = System.nanoTime();
        addAndDelete(pairs, "pair");
        double seconds = (System.nanoTime() - start) / 1e9;

        Footprint after = Footprint.of(node);
        System.out.printf("%d ADD/DEL pairs, %d at once: %.1f pairs/s%n", pairs, AT_ONCE, pairs / seconds);
        System.out.printf("  after %d: %s%n  after %d more: %s%n", warmUp, before, pairs, after);
        // A cached pool: one for each connection that is being read or written, gone after a minute without work
        assertThat(after.ioThreads()).isLessThanOrEqualTo(2 * AT_ONCE);
        assertThat(after.otherThreads()).isLessThanOrEqualTo(before.otherThreads() + THREADS_OF_THE_JVM);
        // Exactly: every socket, folder and checkpoint that was opened was closed
        assertThat(after.descriptors()).isEqualTo(before.descriptors());
        assertThat(after.mounts()).isZero();
        assertThat(after.liveBytes()).isLessThan(before.liveBytes() + HEAP_SLACK);
        assertThat(node.remains()).isEmpty();
    }

    private void addAndDelete(int pairs, String prefix) throws Exception {
        AtomicInteger next = new AtomicInteger();
        Crowd.of(AT_ONCE, caller -> () -> {
            for (int i = next.getAndIncrement(); i < pairs; i = next.getAndIncrement()) {
                String container = "%s-%04d".formatted(prefix, i);
                added(node.ask(node.add(container, "net1")));
                done(node.ask(node.delete(container, "net1")));
            }
            return null;
        });
    }
}
