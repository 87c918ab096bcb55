package io.ovsdpdk.ovsdb;

import java.io.Serial;

/**
 * The request was sent, and the connection ended, the deadline passed or the calling thread was interrupted (whose flag
 * is then set) before the answer came: the transaction has happened, or not, or may still happen if the connection
 * lives.
 *
 * <p>Look at the replica before anything is repeated. When the connection ended, {@link OvsdbClient#synchronised()} is
 * false by the time this is thrown, so {@link OvsdbClient#awaitSynchronised} leads to a replica that is fresh enough.
 */
public final class OvsdbOutcomeUnknownException extends OvsdbException {

    @Serial
    private static final long serialVersionUID = 1L;

    OvsdbOutcomeUnknownException(String message) {
        super(message);
    }
}
