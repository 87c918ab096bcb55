package io.ovsdpdk.api;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.Set;

/** What the plugin asks of the agent: one on each connection. */
public sealed interface Request {
    Duration MAX_TIMEOUT = Duration.ofMinutes(5);

    /**
     * The first half of an ADD with IPAM. Checks everything and makes nothing; the agent answers with
     * {@link Reply.Announced}. Until the {@link Add} or a {@link Delete} of the same attachment comes, for at most two
     * minutes or four times the time-out, whichever is longer, another announcement of it is refused: two IPAM plugins must not be asked for the same interface at
     * once. A {@link Delete} in between makes the agent refuse the {@link Add} that follows: the address is released.
     *
     * @param timeout as in {@link Add}
     */
    record Announce(AttachmentRequest attachment, Duration timeout) implements Request {
        public Announce {
            checkTimeout(timeout);
        }
    }

    /**
     * Makes the port, or finds the one that an equal ADD made before. Answered with {@link Reply.Added}.
     *
     * @param ipam as in {@link Attached}
     * @param timeout within which the agent makes the port or rolls everything back: 1 ms to {@link #MAX_TIMEOUT}
     */
    record Add(AttachmentRequest attachment, ObjectNode ipam, Duration timeout) implements Request {
        public Add {
            checkTimeout(timeout);
        }
    }

    /** Removes whatever there is of an attachment. Answered with {@link Reply.Done}, also when there is nothing. */
    record Delete(AttachmentId id) implements Request {}

    /** Compares what was made with what is there. Answered with {@link Reply.Added}: what was promised. */
    record Check(AttachmentRequest attachment) implements Request {}

    /**
     * Removes the attachments of a network that are not in {@code valid}. Answered with {@link Reply.Done}.
     *
     * @param network the network's name
     */
    record Collect(String network, Set<AttachmentId> valid) implements Request {
        public Collect {
            valid = Set.copyOf(valid);
        }
    }

    /**
     * Looks for attachments whose pod is gone, and for mounts that belong to nothing. For people. Answered with
     * {@link Reply.Orphans}, which may take minutes where there are hundreds.
     *
     * @param removal which of them go
     */
    record CollectOrphans(Removal removal) implements Request {
        /** Which orphans go. */
        public enum Removal {
            NONE,
            /** Those that have been seen as such for the grace period. */
            DUE,
            /** All that are seen as such now. */
            ALL
        }
    }

    /** Can an ADD be served now? Answered with {@link Reply.Done}, or the reason why not. */
    record Status() implements Request {}

    /**
     * Is all in sync that an ADD needs, the switch's database and the node's pods? For probes: nothing is asked of either. Answered with {@link Reply.Done}, or
     * the reason why not.
     */
    record Ready() implements Request {}

    /** What attachments are there? For people. Answered with {@link Reply.Listed}. */
    record List() implements Request {}

    /** How is the node? For people. Answered with {@link Reply.Inspected}. */
    record Inspect() implements Request {}

    private static void checkTimeout(Duration timeout) {
        if (timeout.toMillis() < 1 || timeout.compareTo(MAX_TIMEOUT) > 0) {
            throw new IllegalArgumentException(
                    "the time-out of " + timeout.toMillis() + " ms must be 1 to " + MAX_TIMEOUT.toMillis() + " ms");
        }
    }
}
