package io.ovsdpdk.agent;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine;

/** Turns SIGTERM and SIGINT into a clean end: the work learns of it, and the process ends with the work's own status. */
final class StopSignal {
    private final CountDownLatch asked = new CountDownLatch(1);
    private final CountDownLatch done = new CountDownLatch(1);

    /** What the process ends with when the work dies of an exception instead of returning. */
    private volatile int status = CommandLine.ExitCode.SOFTWARE;

    /** Something that runs until the signal comes. */
    interface Work {
        /** @return the exit status */
        int run(StopSignal signal) throws InterruptedException;
    }

    private StopSignal() {}

    /**
     * Runs the work in the calling thread. When a signal came, the process ends as soon as the work has; the caller goes
     * on only when the work ended by itself.
     *
     * @return the work's exit status
     */
    static int runUntilStopped(Work work) throws InterruptedException {
        StopSignal signal = new StopSignal();
        // The JVM runs this on a signal, and would exit with 128 + its number when it returns
        Runtime.getRuntime().addShutdownHook(Thread.ofPlatform().name("stop").unstarted(signal::stop));
        try {
            signal.status = work.run(signal);
            return signal.status;
        } finally {
            signal.done.countDown();
        }
    }

    private void stop() {
        boolean working = done.getCount() > 0;
        asked.countDown();
        try {
            done.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        if (working) {
            Runtime.getRuntime().halt(status);
        }
    }

    /** Waits until the process is asked to stop, at most for so long; returns whether it is. */
    boolean await(Duration patience) throws InterruptedException {
        return asked.await(patience.toNanos(), TimeUnit.NANOSECONDS);
    }
}
