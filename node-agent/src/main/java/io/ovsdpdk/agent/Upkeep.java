package io.ovsdpdk.agent;

import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.ovsdb.Deadline;
import io.ovsdpdk.ovsdb.OvsdbClient;
import io.ovsdpdk.ovsdb.OvsdbUnavailableException;
import io.ovsdpdk.ovsdb.Replica;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps attachments as they were promised: makes ports anew that the switch's database has lost, or that somebody deleted
 * or changed, and socket folders and mounts. What can't be made anew, because the administrator took away the bridge for
 * instance, becomes a condition that people are shown; it is tried again with growing pauses, also what somebody else
 * undoes each time: this is no fight.
 *
 * <p>One thread looks at the ports soon after each change of the database, and at everything now and then. What it finds is
 * put right on threads of their own, all at once, because the switch takes many ports at the price of one.
 */
final class Upkeep implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Upkeep.class);

    /** A look costs microseconds for each attachment, and changes come many at once. */
    private static final Duration SETTLING = Duration.ofSeconds(1);

    static final Duration PERIOD = Duration.ofMinutes(1);

    /** For ovs-vswitchd. A DEL waits for it no longer than that. */
    private static final Duration LIMIT = Duration.ofSeconds(10);

    private static final Duration FIRST_PAUSE = Duration.ofSeconds(1);
    private static final Duration LONGEST_PAUSE = Duration.ofMinutes(1);

    /**
     * What was wrong with an attachment.
     *
     * @param pause until it is looked at again; twice as long as the time before
     * @param notBefore that moment, of {@link System#nanoTime}
     * @param reason why it could not be put right; empty when it was
     */
    private record Trouble(Duration pause, long notBefore, String reason) {
        static Trouble first() {
            return new Trouble(FIRST_PAUSE, System.nanoTime(), "");
        }

        Trouble again(String why) {
            Duration doubled = pause.multipliedBy(2);
            return new Trouble(
                    doubled.compareTo(LONGEST_PAUSE) > 0 ? LONGEST_PAUSE : doubled,
                    System.nanoTime() + pause.toNanos(),
                    why);
        }

        Duration untilDue() {
            return Duration.ofNanos(notBefore - System.nanoTime());
        }

        boolean isDue() {
            return !untilDue().isPositive();
        }

        /** A second trouble long after the first is another one. */
        boolean isOver() {
            return System.nanoTime() - notBefore > 2 * LONGEST_PAUSE.toNanos();
        }
    }

    private final Attachments attachments;
    private final Ports ports;
    private final OvsdbClient client;
    private final Map<AttachmentId, Trouble> troubles = new HashMap<>();
    private final Duration period;
    private final ExecutorService restorations = Executors.newThreadPerTaskExecutor(
            Thread.ofVirtual().name("restoration-", 1).factory());
    private final Thread thread = Thread.ofVirtual().name("upkeep").unstarted(this::run);

    /** @param period how often to look at folders and mounts, of which nobody tells */
    Upkeep(Attachments attachments, Ports ports, OvsdbClient client, Duration period) {
        this.period = period;
        this.attachments = attachments;
        this.ports = ports;
        this.client = client;
    }

    void follow() {
        thread.start();
    }

    private void run() {
        try {
            long lookedAtAll = System.nanoTime() - period.toNanos();
            while (true) {
                Replica seen = client.replica();
                boolean all = System.nanoTime() - lookedAtAll >= period.toNanos();
                if (ports.areKnown()) {
                    restoreOrTell(all);
                    lookedAtAll = all ? System.nanoTime() : lookedAtAll;
                }
                client.await(
                        () -> Optional.of(client.replica()).filter(now -> now != seen), Deadline.after(untilNext()));
                Thread.sleep(SETTLING);
            }
        } catch (OvsdbUnavailableException | InterruptedException e) {
            LOG.debug("attachments are not kept up any longer: {}", e.getMessage());
        }
    }

    /** A bug must not end it for good. */
    private void restoreOrTell(boolean all) throws InterruptedException {
        try {
            restore(all);
        } catch (RuntimeException e) {
            LOG.error("a bug in the upkeep", e);
        }
    }

    private Duration untilNext() {
        return troubles.values().stream()
                .filter(trouble -> !trouble.reason().isEmpty())
                .map(trouble -> trouble.isDue() ? Duration.ZERO : trouble.untilDue())
                .min(Duration::compareTo)
                .filter(pause -> pause.compareTo(period) < 0)
                .orElse(period);
    }

    /** @param all what can be seen of folders and mounts too */
    private void restore(boolean all) throws InterruptedException {
        List<Attachment> known = attachments.all().stream()
                .filter(attachment -> attachment.state() == Attachment.State.MADE)
                .toList();
        troubles.keySet().retainAll(known.stream().map(Attachment::id).toList());
        troubles.values().removeIf(Trouble::isOver);
        Map<AttachmentId, Future<Boolean>> begun = new HashMap<>();
        for (Attachment attachment : known) {
            boolean due = Optional.ofNullable(troubles.get(attachment.id()))
                    .map(Trouble::isDue)
                    .orElse(true);
            if (due && (all || attachments.lacksPort(attachment) || hasFailed(attachment.id()))) {
                begin(attachment.id()).ifPresent(restoration -> begun.put(attachment.id(), restoration));
            }
        }
        for (Map.Entry<AttachmentId, Future<Boolean>> restoration : begun.entrySet()) {
            await(restoration.getKey(), restoration.getValue());
        }
    }

    private boolean hasFailed(AttachmentId id) {
        return troubles.containsKey(id) && !troubles.get(id).reason().isEmpty();
    }

    /** Empty when the agent stops. */
    private Optional<Future<Boolean>> begin(AttachmentId id) {
        try {
            return Optional.of(restorations.submit(() -> attachments.restore(id, Deadline.after(LIMIT))));
        } catch (RejectedExecutionException e) {
            return Optional.empty();
        }
    }

    private void await(AttachmentId id, Future<Boolean> restoration) throws InterruptedException {
        try {
            if (restoration.get()) {
                troubles.put(id, troubles.getOrDefault(id, Trouble.first()).again(""));
                LOG.info("as promised again: ifname={} container={}", id.ifname(), id.containerId());
            } else if (hasFailed(id)) {
                troubles.remove(id);
            }
        } catch (ExecutionException e) {
            if (e.getCause() instanceof InterruptedException) {
                throw new InterruptedException("the agent is stopping");
            }
            Trouble before = troubles.getOrDefault(id, Trouble.first());
            String reason = String.valueOf(e.getCause().getMessage());
            troubles.put(id, before.again(reason));
            if (!(e.getCause() instanceof CniException)) {
                LOG.error("a bug in the upkeep: ifname={} container={}", id.ifname(), id.containerId(), e.getCause());
            } else if (!reason.equals(before.reason())) {
                LOG.warn(
                        "can't be made as promised: ifname={} container={} reason={}",
                        id.ifname(),
                        id.containerId(),
                        reason);
            }
        }
    }

    @Override
    public void close() {
        thread.interrupt();
        restorations.shutdownNow();
    }
}
