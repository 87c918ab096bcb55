package io.ovsdpdk.e2e;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * What the agent takes of the machine at a moment.
 *
 * @param ioThreads that read requests and write replies
 * @param otherThreads all others of the process, the JVM's own included
 * @param descriptors open ones
 * @param mounts of its making
 * @param liveBytes of its heap after a full collection
 */
record Footprint(int ioThreads, int otherThreads, int descriptors, int mounts, long liveBytes) {

    static Footprint of(Node node) throws IOException {
        long live = liveBytes(node.agent().pid());
        Path process = Path.of("/proc", Long.toString(node.agent().pid()));
        int io = 0;
        int others = 0;
        try (DirectoryStream<Path> tasks = Files.newDirectoryStream(process.resolve("task"))) {
            for (Path task : tasks) {
                if (name(task).startsWith("request-")) {
                    io++;
                } else {
                    others++;
                }
            }
        }
        return new Footprint(
                io, others, count(process.resolve("fd")), node.mounts().size(), live);
    }

    private static String name(Path task) throws IOException {
        try {
            return Files.readString(task.resolve("comm"));
        } catch (NoSuchFileException e) {
            return ""; // ended in this moment
        }
    }

    private static int count(Path folder) throws IOException {
        int count = 0;
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder)) {
            for (Path ignored : entries) {
                count++;
            }
        }
        return count;
    }

    /** The total of a class histogram, before which the JVM collects all garbage. jcmd takes a descriptor till its end. */
    private static long liveBytes(long pid) throws IOException {
        String jcmd = Path.of(System.getProperty("java.home"), "bin", "jcmd").toString();
        Process process = new ProcessBuilder(jcmd, Long.toString(pid), "GC.class_histogram")
                .redirectErrorStream(true)
                .start();
        try (BufferedReader output = process.inputReader()) {
            List<String> histogram = output.readAllLines();
            process.onExit().orTimeout(10, TimeUnit.SECONDS).join();
            return histogram.stream()
                    .filter(line -> line.startsWith("Total"))
                    .map(line -> line.strip().split("\\s+"))
                    .mapToLong(total -> Long.parseLong(total[2]))
                    .findFirst()
                    .orElseThrow(() -> new IOException("jcmd gave no histogram"));
        }
    }

    @Override
    public String toString() {
        return "%d+%d threads, %d descriptors, %d mounts, %d kB of heap"
                .formatted(ioThreads, otherThreads, descriptors, mounts, liveBytes / 1024);
    }
}
