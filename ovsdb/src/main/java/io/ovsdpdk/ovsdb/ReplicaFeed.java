package io.ovsdpdk.ovsdb;

import java.util.Collections;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.opendaylight.ovsdb.lib.notation.UUID;

/**
 * What callers see of the connection: the current replica, whether it is in sync, and a way to wait for a change.
 *
 * <p>One thread publishes (the reader), any number read and wait. A waiter may name the rows that it waits for and is then
 * woken for these only: with 64 callers waiting for a port each, a change of one port wakes one of them. Synchronisation,
 * its loss and the end wake everybody. Conditions run in the thread that waits, never in the one that publishes.
 */
final class ReplicaFeed {

    /**
     * One consistent view.
     *
     * @param replica the last known content
     * @param connection what the replica is in sync with, if anything
     */
    record View(Replica replica, Optional<Connection> connection) {

        boolean synchronised() {
            return connection.isPresent();
        }
    }

    private volatile View view = new View(Replica.NOTHING, Optional.empty());
    private volatile boolean closed;
    private final Set<Waiter> waiters = ConcurrentHashMap.newKeySet();

    View view() {
        return view;
    }

    void synchronised(Replica replica, Connection connection) {
        publish(new View(replica, Optional.of(connection)));
    }

    void changed(Replica.Change change) {
        view = new View(change.after(), view.connection());
        for (Waiter waiter : waiters) {
            waiter.wakeFor(change.rows());
        }
    }

    void lost() {
        publish(new View(view.replica(), Optional.empty()));
    }

    void close() {
        closed = true;
        waiters.forEach(Waiter::wake);
    }

    private void publish(View next) {
        view = next;
        waiters.forEach(Waiter::wake);
    }

    /**
     * Waits until the condition gives something, for changes of any row.
     *
     * @return what it gave; empty at the deadline
     * @throws OvsdbUnavailableException if the client is closed, or the thread interrupted (its flag is set again)
     */
    <T> Optional<T> await(Supplier<Optional<T>> condition, Deadline deadline) throws OvsdbUnavailableException {
        return await(new Waiter(Optional.empty()), condition, deadline);
    }

    /** Likewise, woken by changes of these rows only. */
    <T> Optional<T> await(Set<UUID> rows, Supplier<Optional<T>> condition, Deadline deadline)
            throws OvsdbUnavailableException {
        return await(new Waiter(Optional.of(rows)), condition, deadline);
    }

    /** The waiter stands in the set before the condition is looked at, so no change falls in between. */
    private <T> Optional<T> await(Waiter waiter, Supplier<Optional<T>> condition, Deadline deadline)
            throws OvsdbUnavailableException {
        waiters.add(waiter);
        try {
            Optional<T> result = condition.get();
            while (result.isEmpty()) {
                if (closed) {
                    throw new OvsdbUnavailableException("the client is closed");
                }
                boolean woken = waiter.sleep(deadline);
                result = condition.get();
                if (!woken) {
                    return result;
                }
            }
            return result;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new OvsdbUnavailableException("the waiting thread was interrupted");
        } finally {
            waiters.remove(waiter);
        }
    }

    private static final class Waiter {

        private final Optional<Set<UUID>> rows;
        private final Semaphore woken = new Semaphore(0);

        Waiter(Optional<Set<UUID>> rows) {
            this.rows = rows;
        }

        void wake() {
            woken.release();
        }

        void wakeFor(Set<UUID> changed) {
            if (rows.isEmpty() || !Collections.disjoint(rows.get(), changed)) {
                wake();
            }
        }

        /** False at the deadline. Several wake-ups count as one: the condition is looked at after them all. */
        boolean sleep(Deadline deadline) throws InterruptedException {
            boolean awake = woken.tryAcquire(deadline.remainingNanos(), TimeUnit.NANOSECONDS);
            woken.drainPermits();
            return awake;
        }
    }
}
