package io.ovsdpdk.ovsdb;

import java.io.Serial;

/**
 * Why something asked of the switch did not happen, or is not known to have happened.
 *
 * <p>The kinds differ in what a caller may do next: repeat at once, look first, or give up.
 */
public abstract sealed class OvsdbException extends Exception
        permits OvsdbUnavailableException,
                OvsdbOutcomeUnknownException,
                OvsdbTransactionException,
                OvsdbProtocolException,
                SwitchException {

    @Serial
    private static final long serialVersionUID = 1L;

    OvsdbException(String message) {
        super(message);
    }

    OvsdbException(String message, Throwable cause) {
        super(message, cause);
    }
}
