package io.ovsdpdk.cni;

import io.ovsdpdk.api.LogLevel;
import java.io.PrintStream;

/** Lines on standard error, one for each event, in logfmt: {@code level=warn command=ADD … msg="…"}. */
final class Log {
    private final PrintStream stderr;
    private final LogLevel threshold;
    private final String fields;

    /** @param fields what every line bears, as {@code key=value} pairs with a space before each */
    Log(PrintStream stderr, LogLevel threshold, String fields) {
        this.stderr = stderr;
        this.threshold = threshold;
        this.fields = fields;
    }

    void warn(String message) {
        write(LogLevel.WARN, message);
    }

    void info(String message) {
        write(LogLevel.INFO, message);
    }

    void debug(String message) {
        write(LogLevel.DEBUG, message);
    }

    /** A bug's circumstances, which only a developer can read: at debug. */
    void trace(Throwable bug) {
        if (threshold.compareTo(LogLevel.DEBUG) >= 0) {
            bug.printStackTrace(stderr);
        }
    }

    /** Where delegated plugins write to. */
    PrintStream stream() {
        return stderr;
    }

    private void write(LogLevel level, String message) {
        if (threshold.compareTo(level) >= 0) {
            stderr.println("level=" + level.lowerCase() + fields + " msg=" + quoted(message));
        }
    }

    /** One line, whatever a message quotes. */
    private static String quoted(String message) {
        StringBuilder quoted = new StringBuilder("\"");
        for (int i = 0; i < message.length(); i++) {
            char c = message.charAt(i);
            switch (c) {
                case '"' -> quoted.append("\\\"");
                case '\\' -> quoted.append("\\\\");
                default -> quoted.append(Character.isISOControl(c) ? ' ' : c);
            }
        }
        return quoted.append('"').toString();
    }
}
