package io.ovsdpdk.e2e;

import static io.ovsdpdk.e2e.Replies.added;
import static io.ovsdpdk.e2e.Replies.done;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The agent takes no more of the machine after many attachments than after some. */
@Tag("long")
class FlatnessTest {
    private static final int AT_ONCE = 32;

    /** The JIT compilers come and go, and so may a carrier of virtual threads. */
    private static final int THREADS_OF_THE_JVM = 4;

    /** What the JVM's and the libraries' caches take until they are full, which they are after some 1,000 pairs. */
    private static final long CACHES = 512 * 1024;

    /** In bytes: a forgotten attachment ID alone, with its two texts and its place in a map, takes some 150. */
    private static final long LESS_THAN_ANY_LEAK = 100;

    /** What a leak takes, it takes each time; caches that fill and garbage that one look finds and another doesn't, don't. */
    private static final int LOOKS = 4;

    @AutoClose
    private Node node;

    @BeforeEach
    void startNode() throws IOException {
        node = Node.start();
    }

    @Test
    void agentIsFlatOverTwoThousandPairs() throws Exception {
        Footprint before = after(200);
        List<Footprint> looks = new ArrayList<>(List.of(after(1000), after(1000)));
        while (growth(looks) >= 1000 * LESS_THAN_ANY_LEAK && looks.size() < LOOKS) {
            looks.add(after(1000));
        }

        assertFlat(before, looks.getLast());
        assertThat(growth(looks)).as("%s", looks).isLessThan(1000 * LESS_THAN_ANY_LEAK);
    }

    /** In bytes, from the last look but one to the last. */
    private static long growth(List<Footprint> looks) {
        return looks.getLast().liveBytes() - looks.get(looks.size() - 2).liveBytes();
    }

    private void assertFlat(Footprint before, Footprint after) throws IOException {
        // A cached pool: one for each connection that is being read or written, gone after a minute without work
        assertThat(after.ioThreads()).isLessThanOrEqualTo(2 * AT_ONCE);
        assertThat(after.otherThreads()).isLessThanOrEqualTo(before.otherThreads() + THREADS_OF_THE_JVM);
        // Exactly: every socket, folder and checkpoint that was opened was closed
        assertThat(after.descriptors()).isEqualTo(before.descriptors());
        assertThat(after.mounts()).isZero();
        assertThat(after.liveBytes()).isLessThan(before.liveBytes() + CACHES);
        assertThat(node.remains()).isEmpty();
    }

    /** The agent's footprint after that many more pairs. */
    private Footprint after(int pairs) throws Exception {
        long start = System.nanoTime();
        addAndDelete(pairs);
        double seconds = (System.nanoTime() - start) / 1e9;
        Footprint footprint = Footprint.of(node);
        System.out.printf(
                "%d ADD/DEL pairs, %d at once: %.1f pairs/s; then %s%n", pairs, AT_ONCE, pairs / seconds, footprint);
        return footprint;
    }

    private void addAndDelete(int pairs) throws Exception {
        AtomicInteger next = new AtomicInteger();
        Crowd.of(AT_ONCE, caller -> () -> {
            for (int i = next.getAndIncrement(); i < pairs; i = next.getAndIncrement()) {
                String container = "c-%04d".formatted(i);
                added(node.ask(node.add(container, "net1")));
                done(node.ask(node.delete(container, "net1")));
            }
            return null;
        });
    }
}
