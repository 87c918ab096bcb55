package io.ovsdpdk.image;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The shared libraries outside a folder that native code in it needs, directly or by way of others, as the loader of this
 * machine finds them. What is loaded by name while a program runs is not among them.
 *
 * @param files their paths as the loader has them, such as {@code /lib/x86_64-linux-gnu/libz.so.1}
 */
record SharedLibraries(SortedSet<Path> files) {
    private static final byte[] ELF = {0x7f, 'E', 'L', 'F'};

    /** A line of ldd: what is needed, and where it is, or {@code not found}. */
    private static final Pattern NEEDED = Pattern.compile("\\s+(\\S+) => (not found|/.*?)(?: \\(0x[0-9a-f]+\\))?");

    /**
     * @throws IOException when one is missing on this machine; the message says which, and what needs it
     */
    static SharedLibraries neededBy(Path folder) throws IOException {
        List<Path> code = nativeCode(folder);
        // One of the JVM's libraries finds others of it that were loaded before, which ldd can't know
        Set<String> own =
                code.stream().map(file -> file.getFileName().toString()).collect(Collectors.toSet());
        SortedSet<Path> files = new TreeSet<>();
        for (Path file : code) {
            for (String line :
                    Command.run(List.of("ldd", file.toString())).lines().toList()) {
                Matcher needed = NEEDED.matcher(line);
                if (needed.matches() && !own.contains(needed.group(1))) {
                    files.add(found(needed, file));
                }
            }
        }
        return new SharedLibraries(files);
    }

    private static List<Path> nativeCode(Path folder) throws IOException {
        List<Path> code = new ArrayList<>();
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.filter(Files::isRegularFile).sorted().toList()) {
                if (isNativeCode(file)) {
                    code.add(file);
                }
            }
        }
        return code;
    }

    private static boolean isNativeCode(Path file) throws IOException {
        try (InputStream bytes = Files.newInputStream(file)) {
            return Arrays.equals(bytes.readNBytes(ELF.length), ELF);
        }
    }

    private static Path found(Matcher needed, Path by) throws IOException {
        if (needed.group(2).equals("not found")) {
            throw new IOException(by + " needs the shared library " + needed.group(1)
                    + ", which this machine doesn't have: install the package that has it");
        }
        return Path.of(needed.group(2));
    }

    /** The file names, for people. */
    String names() {
        return files.stream().map(file -> file.getFileName().toString()).collect(Collectors.joining(", "));
    }
}
