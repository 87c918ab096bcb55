package io.ovsdpdk.kubevirt;

/**
 * A VM that the binding must not let start: what it asks for is wrong, or would give it an interface that passes nothing.
 * The message is for people: what, which value, what to do.
 */
final class RefusedException extends Exception {
    private static final long serialVersionUID = 1;

    RefusedException(String message) {
        super(message);
    }

    RefusedException(String message, Throwable cause) {
        super(message, cause);
    }
}
