package io.ovsdpdk.cni;

import io.ovsdpdk.api.CniException;

/** The agent was asked and said nothing that can be understood. */
final class NoAnswerException extends Exception {
    private static final long serialVersionUID = 1L;

    private final CniException error;
    private final boolean received;

    /**
     * @param error as the runtime gets to see it
     * @param received whether the agent may have got the whole request, and so may have done it
     */
    NoAnswerException(CniException error, boolean received) {
        super(error.getMessage(), error);
        this.error = error;
        this.received = received;
    }

    CniException error() {
        return error;
    }

    boolean received() {
        return received;
    }
}
