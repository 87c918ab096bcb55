package io.ovsdpdk.agent.host;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A POSIX access control list, acl(5), as Linux keeps it in the extended attributes {@link #ACCESS} and {@link #DEFAULT}.
 * The mask limits what named users, named groups and the owning group may do; it is what {@code chmod} and, for a new
 * socket, the umask change as the bits of the group.
 *
 * @param entries in the kernel's order: owner, named users, owning group, named groups, mask, others
 */
record AccessControlList(List<Entry> entries) {

    /** The rights to a file or folder itself. */
    static final String ACCESS = "system.posix_acl_access";

    /** What is made in a folder inherits this. */
    static final String DEFAULT = "system.posix_acl_default";

    static final int READ = 4;
    static final int WRITE = 2;
    static final int EXECUTE = 1;

    private static final int ALL = READ | WRITE | EXECUTE;
    private static final int VERSION = 2;
    private static final int ENTRY_BYTES = 8;
    private static final int NO_ID = -1;

    /** Whom an entry is for, with the kernel's number. */
    enum Tag {
        OWNER(0x01),
        USER(0x02),
        OWNING_GROUP(0x04),
        GROUP(0x08),
        MASK(0x10),
        OTHERS(0x20);

        private final int number;

        Tag(int number) {
            this.number = number;
        }

        private static Tag of(int number) {
            for (Tag tag : values()) {
                if (tag.number == number) {
                    return tag;
                }
            }
            throw new IllegalArgumentException("not the tag of an access control list: " + number);
        }

        private boolean isMasked() {
            return this == USER || this == OWNING_GROUP || this == GROUP;
        }
    }

    /**
     * One line of the list.
     *
     * @param permissions {@link #READ}, {@link #WRITE}, {@link #EXECUTE}
     * @param id the user or group of {@link Tag#USER} and {@link Tag#GROUP}, unsigned; -1 for the others
     */
    record Entry(Tag tag, int permissions, int id) {

        private boolean names(int uid) {
            return tag == Tag.USER && id == uid;
        }

        private boolean isOfGroupOrOthers(int mask, int wanted) {
            return switch (tag) {
                case OWNING_GROUP, GROUP -> (permissions & mask & wanted) == wanted;
                case OTHERS -> (permissions & wanted) == wanted;
                case OWNER, USER, MASK -> false;
            };
        }
    }

    AccessControlList {
        entries = List.copyOf(entries);
    }

    /** The list that says the same as these mode bits. */
    static AccessControlList ofMode(int mode) {
        return new AccessControlList(List.of(
                new Entry(Tag.OWNER, mode >> 6 & ALL, NO_ID),
                new Entry(Tag.OWNING_GROUP, mode >> 3 & ALL, NO_ID),
                new Entry(Tag.OTHERS, mode & ALL, NO_ID)));
    }

    /**
     * Reads an attribute's value.
     *
     * @throws IllegalArgumentException if it is none
     */
    static AccessControlList decode(byte[] attribute) {
        ByteBuffer bytes = ByteBuffer.wrap(attribute).order(ByteOrder.LITTLE_ENDIAN);
        if (attribute.length % ENTRY_BYTES != Integer.BYTES || bytes.getInt() != VERSION) {
            throw new IllegalArgumentException("not an access control list: " + attribute.length + " bytes");
        }
        List<Entry> entries = new ArrayList<>();
        while (bytes.hasRemaining()) {
            entries.add(new Entry(Tag.of(bytes.getShort()), bytes.getShort() & ALL, bytes.getInt()));
        }
        return new AccessControlList(entries);
    }

    /** The attribute's value. */
    byte[] encode() {
        ByteBuffer bytes = ByteBuffer.allocate(Integer.BYTES + entries.size() * ENTRY_BYTES)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(VERSION);
        for (Entry entry : entries) {
            bytes.putShort((short) entry.tag().number)
                    .putShort((short) entry.permissions())
                    .putInt(entry.id());
        }
        return bytes.array();
    }

    /** Whether the list names this user, and gives it all of these permissions. */
    boolean grants(int uid, int permissions) {
        return entries.stream()
                .anyMatch(entry -> entry.names(uid) && (entry.permissions() & mask() & permissions) == permissions);
    }

    /**
     * Whether a user who does not own the file may have all of these permissions. Which groups he is in nobody knows: one
     * that has them is taken for his, unless the list names him.
     */
    boolean mayGrant(int uid, int permissions) {
        return entries.stream().anyMatch(entry -> entry.names(uid))
                ? grants(uid, permissions)
                : entries.stream().anyMatch(entry -> entry.isOfGroupOrOthers(mask(), permissions));
    }

    /**
     * The same list, with these permissions for this user. The mask becomes as wide as that needs, and nobody else gains by
     * it: what it took from the others is taken from their entries.
     */
    AccessControlList granting(int uid, int permissions) {
        int mask = mask();
        int already = entries.stream()
                .filter(entry -> entry.names(uid))
                .mapToInt(entry -> entry.permissions() & mask)
                .findFirst()
                .orElse(0);
        List<Entry> granting = new ArrayList<>();
        for (Entry entry : entries) {
            if (entry.tag() == Tag.OWNING_GROUP) {
                granting.add(new Entry(Tag.USER, already | permissions, uid));
            }
            if (entry.tag() == Tag.OTHERS) {
                granting.add(new Entry(Tag.MASK, mask | permissions, NO_ID));
            }
            if (entry.tag() != Tag.MASK && !entry.names(uid)) {
                granting.add(entry.tag().isMasked() ? masked(entry, mask) : entry);
            }
        }
        return new AccessControlList(granting);
    }

    /** The same list, where it does not name this user; the mask becomes as narrow as the others' entries allow. */
    AccessControlList without(int uid) {
        if (entries.stream().noneMatch(entry -> entry.names(uid))) {
            return this;
        }
        int mask = mask();
        List<Entry> others = entries.stream()
                .filter(entry -> entry.tag() != Tag.MASK && !entry.names(uid))
                .map(entry -> entry.tag().isMasked() ? masked(entry, mask) : entry)
                .toList();
        if (others.stream().noneMatch(entry -> entry.tag() == Tag.USER || entry.tag() == Tag.GROUP)) {
            return new AccessControlList(others);
        }
        int narrowest = others.stream()
                .filter(entry -> entry.tag().isMasked())
                .mapToInt(Entry::permissions)
                .reduce(0, (one, other) -> one | other);
        List<Entry> without = new ArrayList<>(others);
        without.add(others.size() - 1, new Entry(Tag.MASK, narrowest, NO_ID));
        return new AccessControlList(without);
    }

    private static Entry masked(Entry entry, int mask) {
        return new Entry(entry.tag(), entry.permissions() & mask, entry.id());
    }

    /** In a list that names nobody, and has no mask, the owning group is all that a mask would limit. */
    private int mask() {
        return permissions(Tag.MASK).or(() -> permissions(Tag.OWNING_GROUP)).orElse(0);
    }

    private Optional<Integer> permissions(Tag tag) {
        return entries.stream()
                .filter(entry -> entry.tag() == tag)
                .map(Entry::permissions)
                .findFirst();
    }
}
