package io.ovsdpdk.agent.kubernetes;

import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.net.HttpURLConnection;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * All that is said to one pod.
 *
 * <p>Its annotations are replaced by a JSON Patch that tests the values which it was built from, so that nothing is lost
 * of what others write at the same time. What is tested is what the watch told last, or the API server's answer to the
 * patch before, where that is newer: as a rule an ADD costs one request. Only when a test fails is the pod read.
 *
 * <p>{@code lock} guards the fields above it. At most one thread runs at a time, from the moment in which there may be
 * something to say until there is nothing; it alone asks the API server, without the lock.
 */
final class Conversation {
    private static final Logger LOG = LoggerFactory.getLogger(Conversation.class);

    private static final int UNPROCESSABLE = 422;

    /** After a test that failed, doubled each time: whoever wrote meanwhile is done after milliseconds. */
    private static final Duration FIRST_PAUSE = Duration.ofMillis(10);

    private static final Duration LONGEST_PAUSE_OF_RIVALS = Duration.ofSeconds(1);

    /** Of an API server that is away. A change of the pod ends it: then the API server is back. */
    private static final Duration LONGEST_PAUSE = Duration.ofSeconds(30);

    /** So many patches within so long are a quarrel with somebody who undoes them. */
    private static final int QUARREL = 10;

    private static final Duration QUARREL_TIME = Duration.ofSeconds(10);

    private enum Outcome {
        /** There is nothing to say, any more or at all. */
        SAID,
        /** The pod was told. */
        TOLD,
        /** Somebody wrote at the same time: again, from what there is now. */
        RIVALLED,
        /** The API server does not answer, or refuses for another reason. */
        UNHEARD
    }

    /** The newest that is known of the pod. */
    private Pod pod;

    /** Of ours that are no longer in the pod, until that is said or there was nothing to say of them. */
    private final Set<PodInterface> departed = new LinkedHashSet<>();

    /** Whether there may be something to say that the thread has not looked at. */
    private boolean due;

    private boolean running;
    private boolean over;

    /** What keeps annotations from being completed, by the last look at them: logged once, and not with each event. */
    private Set<String> problems = Set.of();

    /** Why the pod could not be told, as it was last logged. */
    private String trouble = "";

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();

    /** When the pod was told lately, by {@link System#nanoTime}. Of the thread that runs. */
    private final Deque<Long> told = new ArrayDeque<>();

    private final PodRequests requests;
    private final Function<Pod, List<PodInterface>> interfaces;
    private final Executor threads;

    /** @param interfaces all of ours that the pod has now */
    Conversation(PodRequests requests, Function<Pod, List<PodInterface>> interfaces, Executor threads) {
        this.requests = requests;
        this.interfaces = interfaces;
        this.threads = threads;
    }

    /** The pod is, or was a moment ago, like this; or it got an interface. */
    void hear(Pod seen) {
        hear(seen, List.of());
    }

    /** Likewise, and these are no longer in it. */
    void hear(Pod seen, List<PodInterface> gone) {
        lock.lock();
        try {
            if (over) {
                return;
            }
            know(seen);
            departed.addAll(gone);
            due = true;
            changed.signal();
            if (!running) {
                threads.execute(this::run);
                running = true;
            }
        } catch (RejectedExecutionException e) {
            // We are being closed
            over = true;
        } finally {
            lock.unlock();
        }
    }

    /** Nothing more is said. */
    void end() {
        lock.lock();
        try {
            over = true;
            changed.signal();
        } finally {
            lock.unlock();
        }
    }

    private void run() {
        try {
            int failures = 0;
            for (Optional<Pod> next = next(); next.isPresent(); next = next()) {
                Outcome outcome = speakOrTryAgain(next.get());
                switch (outcome) {
                    case SAID -> failures = 0;
                    case TOLD -> {
                        failures = 0;
                        restFromQuarrel();
                    }
                    case RIVALLED -> pause(failures++, LONGEST_PAUSE_OF_RIVALS);
                    case UNHEARD -> pause(failures++, LONGEST_PAUSE);
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** The pod that there may be something to say to; empty when the thread is to end. */
    private Optional<Pod> next() {
        lock.lock();
        try {
            running = due && !over;
            due = false;
            return running ? Optional.of(pod) : Optional.empty();
        } finally {
            lock.unlock();
        }
    }

    /** Then it is due again: at once when something is heard, at the latest after a while. */
    private void pause(int failures, Duration longest) throws InterruptedException {
        Duration doubled = FIRST_PAUSE.multipliedBy(1L << Math.min(failures, 20));
        long left = (doubled.compareTo(longest) < 0 ? doubled : longest).toNanos();
        lock.lock();
        try {
            while (!due && !over && left > 0) {
                left = changed.awaitNanos(left);
            }
            due = true;
        } finally {
            lock.unlock();
        }
    }

    /** Unlike {@link #pause}, whatever is heard: what is heard is the other one's next word. */
    private void restFromQuarrel() throws InterruptedException {
        long now = System.nanoTime();
        told.addLast(now);
        if (told.size() < QUARREL || now - told.removeFirst() > QUARREL_TIME.toNanos()) {
            return;
        }
        lock.lock();
        try {
            long left = LONGEST_PAUSE_OF_RIVALS.toNanos();
            while (!over && left > 0) {
                left = changed.awaitNanos(left);
            }
        } finally {
            lock.unlock();
        }
    }

    /** What nobody thought of may pass too, and must not be the last word to the pod. */
    private Outcome speakOrTryAgain(Pod read) throws InterruptedException {
        // Taken: one that comes and goes once more meanwhile is to be said again
        List<PodInterface> gone = takeDeparted();
        Outcome outcome;
        try {
            outcome = speak(read, gone);
        } catch (RuntimeException e) {
            LOG.debug("pod={}", name(read), e);
            outcome = unheard(e);
        }
        switch (outcome) {
            case SAID, TOLD -> {}
            case RIVALLED, UNHEARD -> putBack(gone);
        }
        return outcome;
    }

    private Outcome speak(Pod read, List<PodInterface> gone) throws InterruptedException {
        Set<String> found = new LinkedHashSet<>();
        Map<String, String> missing = PodPatch.missing(read, interfaces.apply(read), gone, found::add);
        report(found);
        if (missing.isEmpty()) {
            return Outcome.SAID;
        }
        try {
            learn(requests.patchStatus(read, PodPatch.of(read, missing)));
            LOG.info("told: pod={} annotations={}", name(read), missing.keySet());
            return Outcome.TOLD;
        } catch (KubernetesClientException e) {
            return switch (e.getCode()) {
                case HttpURLConnection.HTTP_NOT_FOUND -> PodRequests.isGone(e) ? Outcome.SAID : unheard(e);
                case UNPROCESSABLE, HttpURLConnection.HTTP_CONFLICT -> refused(read, e);
                default -> unheard(e);
            };
        }
    }

    /** A test failed, as a rule: then the pod changed meanwhile, or another one has its name now. */
    private Outcome refused(Pod read, KubernetesClientException refusal) throws InterruptedException {
        try {
            Optional<Pod> fresh = requests.read(read).filter(found -> found.getMetadata()
                    .getUid()
                    .equals(read.getMetadata().getUid()));
            if (fresh.isEmpty()) {
                return Outcome.SAID;
            }
            if (PodPatch.isSame(fresh.get(), read)) {
                return unheard(refusal);
            }
            correct(fresh.get());
            return Outcome.RIVALLED;
        } catch (KubernetesClientException e) {
            return unheard(e);
        }
    }

    private Outcome unheard(RuntimeException e) {
        String words = "it can't be told of its interfaces yet, trying again: "
                + (e instanceof KubernetesClientException ? e.getMessage() : e);
        lock.lock();
        try {
            if (!trouble.equals(words)) {
                trouble = words;
                complain(words);
            }
        } finally {
            lock.unlock();
        }
        return Outcome.UNHEARD;
    }

    private List<PodInterface> takeDeparted() {
        lock.lock();
        try {
            List<PodInterface> taken = List.copyOf(departed);
            departed.clear();
            return taken;
        } finally {
            lock.unlock();
        }
    }

    private void putBack(List<PodInterface> gone) {
        lock.lock();
        try {
            departed.addAll(gone);
        } finally {
            lock.unlock();
        }
    }

    private void learn(Pod answer) {
        lock.lock();
        try {
            know(answer);
        } finally {
            lock.unlock();
        }
    }

    /** The watch may be behind the answer to a patch of ours. */
    private void know(Pod seen) {
        if (pod == null || !PodPatch.isOlder(seen, pod)) {
            pod = TrimmedPods.trimmed(seen);
        }
    }

    /** What is read to find out why a patch failed counts, whatever was known before. */
    private void correct(Pod fresh) {
        lock.lock();
        try {
            pod = TrimmedPods.trimmed(fresh);
        } finally {
            lock.unlock();
        }
    }

    private void report(Set<String> found) {
        lock.lock();
        try {
            found.stream().filter(problem -> !problems.contains(problem)).forEach(this::complain);
            problems = found;
        } finally {
            lock.unlock();
        }
    }

    /** The caller holds the lock. */
    private void complain(String problem) {
        if (!over) {
            LOG.warn("pod={} {}", name(pod), problem);
        }
    }

    private static String name(Pod pod) {
        return pod.getMetadata().getNamespace() + "/" + pod.getMetadata().getName();
    }
}
