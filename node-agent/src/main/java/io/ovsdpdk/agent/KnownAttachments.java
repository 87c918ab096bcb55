package io.ovsdpdk.agent;

import io.ovsdpdk.api.AttachmentId;
import java.io.IOException;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The attachments that the agent knows of, in memory and in their checkpoints. Read by anybody; an attachment is changed
 * by the holder of its lock only.
 */
final class KnownAttachments {
    private final Checkpoints checkpoints;
    private final Map<AttachmentId, Entry> known = new ConcurrentHashMap<>();
    private final AtomicLong entered = new AtomicLong();

    /**
     * @param place how many had been entered before it was, in whatever state
     * @param unfinished whether its checkpoint says so: then the next agent takes it down
     */
    private record Entry(Attachment attachment, long place, boolean unfinished) {}

    KnownAttachments(Checkpoints checkpoints) {
        this.checkpoints = checkpoints;
    }

    Optional<Attachment> find(AttachmentId id) {
        return Optional.ofNullable(known.get(id)).map(Entry::attachment);
    }

    /** All, in whatever state. */
    Collection<Attachment> all() {
        return known.values().stream().map(Entry::attachment).toList();
    }

    /** All, in whatever state, the one that became known last first. */
    List<Attachment> newestFirst() {
        return known.values().stream()
                .sorted(Comparator.comparingLong(Entry::place).reversed())
                .map(Entry::attachment)
                .toList();
    }

    /** How many have become known so far. */
    long entered() {
        return entered.get();
    }

    /** Whether it became known when so many had before. */
    boolean cameAfter(AttachmentId id, long others) {
        Entry entry = known.get(id);
        return entry != null && entry.place() >= others;
    }

    /** Takes it into memory and leaves the checkpoints as they are. */
    void enter(Attachment attachment) {
        known.compute(
                attachment.id(),
                (_, present) -> present == null
                        ? new Entry(attachment, entered.getAndIncrement(), false)
                        : new Entry(attachment, present.place(), present.unfinished()));
    }

    /** Takes into memory what its checkpoint says. */
    void enterAsWritten(Attachment attachment) {
        boolean unfinished = attachment.state() != Attachment.State.MADE;
        known.compute(
                attachment.id(),
                (_, present) -> new Entry(
                        attachment, present == null ? entered.getAndIncrement() : present.place(), unfinished));
    }

    /** Checkpoint first: what could not be written is not known either. */
    void remember(Attachment attachment) throws IOException {
        checkpoints.write(attachment);
        enterAsWritten(attachment);
    }

    /** Whether it is being removed, and its checkpoint tells the next agent to go on with that. */
    boolean isWrittenOff(AttachmentId id) {
        Entry entry = known.get(id);
        return entry != null && entry.unfinished() && entry.attachment().state() == Attachment.State.REMOVING;
    }

    /** Checkpoint first: what is still on the disk stays known, so that its removal is tried again. */
    void forget(Attachment attachment) throws IOException {
        checkpoints.delete(attachment);
        known.remove(attachment.id());
    }

    /** Whether no other attachment uses its socket folder, or is about to. */
    boolean isAloneInFolder(Attachment attachment) {
        return all().stream()
                .noneMatch(other -> !other.id().equals(attachment.id()) && other.sharesFolderWith(attachment));
    }
}
