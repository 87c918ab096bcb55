package io.ovsdpdk.ovsdb;

import java.io.Serial;
import java.util.Arrays;

/** The server refused a transaction (RFC 7047, sections 3.1, 4.1.3 and 5.2); nothing of it happened. */
public final class OvsdbTransactionException extends OvsdbException {

    @Serial
    private static final long serialVersionUID = 1L;

    /** What the server's {@code error} string says. */
    public enum Kind {
        /** A unique index, the number of elements in a column, or a value's range would be violated. */
        CONSTRAINT_VIOLATION("constraint violation"),
        /** A reference to a row that doesn't exist. */
        REFERENTIAL_INTEGRITY_VIOLATION("referential integrity violation"),
        /** A {@code wait} whose condition was not met in its time. */
        TIMED_OUT("timed out"),
        /** An {@code assert} of a lock that this client doesn't own. */
        NOT_OWNER("not owner"),
        /** Memory or disk space on the server's side. */
        RESOURCES_EXHAUSTED("resources exhausted"),
        /** The server could not write its database. */
        IO_ERROR("I/O error"),
        /** Two inserts of one transaction with the same {@code uuid-name}. */
        DUPLICATE_UUID_NAME("duplicate uuid-name"),
        /** A row with the UUID asked for exists. */
        DUPLICATE_UUID("duplicate uuid"),
        /** An arithmetic mutation with a divisor of zero. */
        DOMAIN_ERROR("domain error"),
        /** A mutation's result doesn't fit. */
        RANGE_ERROR("range error"),
        /** A table that the schema doesn't have. */
        UNKNOWN_TABLE("unknown table"),
        /** A column that the table doesn't have. */
        UNKNOWN_COLUMN("unknown column"),
        /** An operation that doesn't follow the RFC's syntax. */
        SYNTAX_ERROR("syntax error"),
        /** The server's role rules forbid it. */
        PERMISSION_ERROR("permission error"),
        /** An {@code abort} operation of the transaction itself. */
        ABORTED("aborted"),
        /** Anything else; see {@link OvsdbTransactionException#error()}. */
        UNKNOWN("");

        private final String error;

        Kind(String error) {
            this.error = error;
        }

        static Kind of(String error) {
            return Arrays.stream(values())
                    .filter(kind -> kind != UNKNOWN && kind.error.equals(error))
                    .findFirst()
                    .orElse(UNKNOWN);
        }
    }

    private final Kind kind;
    private final String error;
    private final String details;
    private final int operation;

    OvsdbTransactionException(String error, String details, int operation, int operations) {
        super("OVSDB transaction refused "
                + (operation < operations ? "at operation " + operation + " of " + operations : "at commit") + ": "
                + error
                + (details.isEmpty() ? "" : ": " + details));
        this.kind = Kind.of(error);
        this.error = error;
        this.details = details;
        this.operation = operation;
    }

    /** What {@link #error()} stands for. */
    public Kind kind() {
        return kind;
    }

    /** The {@code error} string, as the server wrote it. */
    public String error() {
        return error;
    }

    /** The {@code details} string, as the server wrote it; empty when there was none. */
    public String details() {
        return details;
    }

    /** Which operation failed, counted from 0; the number of operations when the commit did. */
    public int operation() {
        return operation;
    }
}
