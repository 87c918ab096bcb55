package io.ovsdpdk.e2e;

import java.io.IOException;

/** The switch has closed the connection to a guest: it stopped, or the port was deleted. */
public final class SwitchGoneException extends IOException {
    private static final long serialVersionUID = 1L;

    SwitchGoneException(String message) {
        super(message);
    }

    SwitchGoneException(String message, Throwable cause) {
        super(message, cause);
    }
}
