package io.ovsdpdk.api;

import java.util.List;
import java.util.Optional;

/** What the agent answers. */
public sealed interface Reply {
    /** @param existing what an equal ADD made before; then IPAM must not be asked again */
    record Announced(Optional<Attached> existing) implements Reply {}

    record Added(Attached attached) implements Reply {}

    record Done() implements Reply {}

    record Listed(List<AttachmentView> attachments) implements Reply {
        public Listed {
            attachments = List.copyOf(attachments);
        }
    }

    record Orphans(OrphanReport report) implements Reply {}

    record Inspected(NodeView node) implements Reply {}

    /** @param error goes to the runtime as it is */
    record Failed(CniException error) implements Reply {}
}
