package io.ovsdpdk.ovsdb;

import java.io.Serial;

/**
 * The server answered with a JSON-RPC error (it did nothing then, RFC 7047 section 4), or with something that is no
 * answer. In the second case the connection is given up, and the outcome is as unknown as with
 * {@link OvsdbOutcomeUnknownException}.
 */
public final class OvsdbProtocolException extends OvsdbException {

    @Serial
    private static final long serialVersionUID = 1L;

    OvsdbProtocolException(String message) {
        super(message);
    }

    OvsdbProtocolException(String message, Throwable cause) {
        super(message, cause);
    }
}
