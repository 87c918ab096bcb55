package io.ovsdpdk.api;

import java.util.Locale;
import java.util.Optional;
import java.util.stream.Stream;

/** How much the plugin tells on standard error. */
public enum LogLevel {
    ERROR,
    WARN,
    INFO,
    DEBUG;

    public static final String NAMES = "error, warn, info or debug";

    public static Optional<LogLevel> named(String name) {
        return Stream.of(values())
                .filter(level -> level.lowerCase().equals(name))
                .findAny();
    }

    public String lowerCase() {
        return name().toLowerCase(Locale.ROOT);
    }
}
