package io.ovsdpdk.agent.kubernetes;

/** An annotation that somebody wrote is not what its key promises, so nothing can be added to it. */
final class MalformedAnnotationException extends Exception {
    private static final long serialVersionUID = 1L;

    MalformedAnnotationException(String annotation, String problem, Throwable cause) {
        super("annotation " + annotation + " " + problem, cause);
    }
}
