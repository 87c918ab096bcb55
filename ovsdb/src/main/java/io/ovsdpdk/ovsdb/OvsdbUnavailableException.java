package io.ovsdpdk.ovsdb;

import java.io.Serial;

/**
 * ovsdb-server was not there in time: not connected, not in sync, too stalled to take the request, the client closed or
 * the calling thread interrupted (whose flag is then set). Nothing was sent, so repeating is safe.
 */
public final class OvsdbUnavailableException extends OvsdbException {

    @Serial
    private static final long serialVersionUID = 1L;

    OvsdbUnavailableException(String message) {
        super(message);
    }
}
