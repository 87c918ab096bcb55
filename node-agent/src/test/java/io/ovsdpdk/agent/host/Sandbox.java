package io.ovsdpdk.agent.host;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.stream.Stream;

/**
 * A folder of its own below /tmp, with a short path because of the 107 bytes of a socket's. Closing takes away whatever
 * is mounted and whatever stands in it, also after a failed test.
 */
final class Sandbox implements AutoCloseable {

    final Path path;

    Sandbox() throws IOException {
        path = Files.createTempDirectory(Path.of("/tmp"), "h");
        Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rwx--x--x"));
    }

    /** Makes a folder and its parents. */
    Path folder(String relative) throws IOException {
        return Files.createDirectories(path.resolve(relative));
    }

    /** Makes a file. */
    Path file(String relative, String content) throws IOException {
        Files.createDirectories(path.resolve(relative).getParent());
        return Files.writeString(path.resolve(relative), content);
    }

    /** A folder outside, with a file, that nothing may change. */
    Canary canary() throws IOException {
        file("canary/inner/precious", "untouched");
        run("chmod", "0750", path.resolve("canary").toString());
        run("chown", "12:34", path.resolve("canary").toString());
        return new Canary(path.resolve("canary"));
    }

    record Canary(Path path) {
        void isUntouched() throws IOException {
            assertThat(path.resolve("inner/precious")).hasContent("untouched");
            assertThat(modeAndOwner(path)).isEqualTo("0750 12:34");
            try (Stream<Path> entries = Files.walk(path)) {
                assertThat(entries).hasSize(3);
            }
        }
    }

    static String modeAndOwner(Path file) throws IOException {
        return "%04o %s:%s"
                .formatted(
                        (int) Files.getAttribute(file, "unix:mode", LinkOption.NOFOLLOW_LINKS) & 07777,
                        Files.getAttribute(file, "unix:uid", LinkOption.NOFOLLOW_LINKS),
                        Files.getAttribute(file, "unix:gid", LinkOption.NOFOLLOW_LINKS));
    }

    static boolean exists(Path path) {
        return Files.exists(path, LinkOption.NOFOLLOW_LINKS);
    }

    void bind(Path what, Path onto) {
        run("mount", "--bind", what.toString(), onto.toString());
    }

    /** The mount points below this folder, each as often as something is mounted there. */
    List<String> mounts() {
        try (Stream<String> lines = Files.lines(Path.of("/proc/self/mountinfo"), StandardCharsets.ISO_8859_1)) {
            return lines.map(line -> unescaped(line.split(" ")[4]))
                    .filter(point -> point.startsWith(path + "/"))
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Space, tab, newline and backslash stand in mountinfo as a backslash with three octal digits. */
    private static String unescaped(String field) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(field.length());
        for (int i = 0; i < field.length(); i++) {
            if (field.charAt(i) == '\\' && i + 3 < field.length()) {
                bytes.write(Integer.parseInt(field.substring(i + 1, i + 4), 8));
                i += 3;
            } else {
                bytes.write(field.charAt(i));
            }
        }
        return bytes.toString(StandardCharsets.ISO_8859_1);
    }

    /** How many folders this process has open; its files and sockets are the JVM's own. */
    static long openDescriptors() throws IOException {
        try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
            return descriptors.filter(Files::isDirectory).count();
        }
    }

    /** For a switch that needs none. */
    static SocketAccess accessOfRoot() {
        return new SocketAccess(new LinuxCalls(), SwitchUser.of(0));
    }

    static List<Path> everythingBelow(Path folder) throws IOException {
        try (var entries = Files.walk(folder)) {
            return entries.sorted().toList();
        }
    }

    static List<String> optionsOf(Path mountPoint) throws IOException {
        return optionsOf(mountPoint, Path.of("/proc/self/mountinfo"));
    }

    static List<String> optionsOf(Path mountPoint, Path mountInfo) throws IOException {
        try (var lines = Files.lines(mountInfo)) {
            return lines.map(line -> line.split(" "))
                    .filter(fields -> fields[4].equals(mountPoint.toString()))
                    .map(fields -> List.of(fields[5].split(",")))
                    .findFirst()
                    .orElseThrow();
        }
    }

    static ServerSocketChannel listen(Path path) throws IOException {
        return ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(UnixDomainSocketAddress.of(path));
    }

    static SocketChannel connect(Path path) throws IOException {
        return SocketChannel.open(UnixDomainSocketAddress.of(path));
    }

    static void run(String... command) {
        try {
            Process process =
                    new ProcessBuilder(command).redirectErrorStream(true).start();
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertThat(process.waitFor())
                    .as(String.join(" ", command) + ": " + output)
                    .isZero();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted", e);
        }
    }

    @Override
    public void close() {
        for (String point : mounts().reversed()) {
            run("umount", "--lazy", point);
        }
        run("rm", "-rf", path.toString());
    }
}
