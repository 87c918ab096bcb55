package io.ovsdpdk.api;

/**
 * A failure in the form in which CNI reports it: a numeric code, a message that says what was wrong, with which value,
 * and optional details that say what to do about it.
 */
public final class CniException extends Exception {
    private static final long serialVersionUID = 1L;

    private final int code;
    private final String details;

    public CniException(ErrorCode code, String message) {
        this(code, message, "");
    }

    public CniException(ErrorCode code, String message, String details) {
        this(code.code(), message, details);
    }

    /** @param code any CNI error code; delegated plugins have codes of their own */
    public CniException(int code, String message, String details) {
        super(message);
        this.code = code;
        this.details = details;
    }

    public CniException(ErrorCode code, String message, String details, Throwable cause) {
        super(message, cause);
        this.code = code.code();
        this.details = details;
    }

    public int code() {
        return code;
    }

    /** What to do about it, or more about the circumstances; empty when there is nothing to add. */
    public String details() {
        return details;
    }

    public boolean is(ErrorCode candidate) {
        return code == candidate.code();
    }
}
