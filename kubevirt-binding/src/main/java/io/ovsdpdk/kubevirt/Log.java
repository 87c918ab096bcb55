package io.ovsdpdk.kubevirt;

import java.io.PrintWriter;

/** Lines on standard error, one for each event, in logfmt: {@code level=info call=OnDefineDomain msg="…"}. */
final class Log {
    private final PrintWriter stderr;

    Log(PrintWriter stderr) {
        this.stderr = stderr;
    }

    /** @param call what the event belongs to: a call of the hook, {@code start} or {@code stop} */
    void info(String call, String message) {
        write("info", call, message);
    }

    void warn(String call, String message) {
        write("warn", call, message);
    }

    /** With all that a developer needs to find it. */
    void bug(String call, RuntimeException bug) {
        write("error", call, bug.toString());
        bug.printStackTrace(stderr);
    }

    private void write(String level, String call, String message) {
        stderr.println("level=" + level + " call=" + call + " msg=" + quoted(message));
    }

    /** One line, whatever a message quotes. */
    private static String quoted(String message) {
        StringBuilder quoted = new StringBuilder("\"");
        message.codePoints().forEach(c -> {
            switch (c) {
                case '"' -> quoted.append("\\\"");
                case '\\' -> quoted.append("\\\\");
                default -> quoted.appendCodePoint(Character.isISOControl(c) ? ' ' : c);
            }
        });
        return quoted.append('"').toString();
    }
}
