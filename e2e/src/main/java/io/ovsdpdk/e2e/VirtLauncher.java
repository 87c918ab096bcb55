package io.ovsdpdk.e2e;

import io.grpc.CallOptions;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * What KubeVirt's virt-launcher does with hook sidecars: it finds their sockets, asks each what it is, and calls them when a
 * domain is defined and when the VM has ended. Where it would panic, an {@link IOException} is thrown.
 */
public final class VirtLauncher {
    /** How it finds sockets. */
    public enum Release {
        /** Up to KubeVirt 1.5: whatever is in the folder is dialled, folders too. */
        V1_5,
        /** From KubeVirt 1.6 on: whatever is in a folder of the folder, but for folders; each file name once. */
        V1_6
    }

    private static final Duration DIALLING = Duration.ofSeconds(2);
    private static final Duration INFO = Duration.ofSeconds(1);
    private static final Duration CALL = Duration.ofMinutes(1);
    private static final Duration BETWEEN_ROUNDS = Duration.ofMillis(300);

    /** Those it knows, best first. */
    private static final List<String> VERSIONS = List.of("v1alpha3", "v1alpha2", "v1alpha1");

    private final List<Hook> hooks;

    /** A sidecar that answered. */
    record Hook(Path socket, String name, String version, List<String> points) {
        private ProtobufMessage call(String method, ProtobufMessage request) throws IOException {
            try (GrpcConnection connection = new GrpcConnection(socket)) {
                if (!connection.connect(DIALLING)) {
                    throw new IOException("can't dial " + socket);
                }
                return connection.call("kubevirt.hooks." + version + ".Callbacks/" + method, request, within(CALL));
            } catch (StatusRuntimeException e) {
                throw new IOException(method + " of " + socket + ": " + e.getStatus(), e);
            }
        }
    }

    private VirtLauncher(List<Hook> hooks) {
        this.hooks = List.copyOf(hooks);
    }

    /**
     * Looks for so many sidecars until it has them.
     *
     * @param folder the volume {@code hook-sidecar-sockets}
     * @throws IOException when one answers wrongly, or they are not found in time
     */
    public static VirtLauncher collect(Path folder, Release release, int sidecars, Duration atMost) throws IOException {
        Deadline deadline = Deadline.after(atMost);
        List<Hook> found = new ArrayList<>();
        Set<String> processed = new HashSet<>();
        while (processed.size() < sidecars) {
            for (Path socket : candidates(folder, release)) {
                String name = socket.getFileName().toString();
                if (!processed.contains(name)) {
                    try (GrpcConnection connection = new GrpcConnection(socket)) {
                        if (connection.connect(DIALLING)) {
                            found.add(ask(socket, connection));
                            processed.add(name);
                        }
                    }
                }
            }
            if (deadline.passed()) {
                throw new IOException("found " + processed + ", which are not " + sidecars + " sidecars");
            }
            LockSupport.parkNanos(BETWEEN_ROUNDS.toNanos());
        }
        return new VirtLauncher(found);
    }

    private static List<Path> candidates(Path folder, Release release) throws IOException {
        List<Path> entries = entries(folder);
        if (release == Release.V1_5) {
            return entries;
        }
        List<Path> candidates = new ArrayList<>();
        for (Path entry : entries) {
            if (Files.isDirectory(entry, LinkOption.NOFOLLOW_LINKS)) {
                entries(entry).stream()
                        .filter(inner -> !Files.isDirectory(inner, LinkOption.NOFOLLOW_LINKS))
                        .forEach(candidates::add);
            }
        }
        return candidates;
    }

    private static List<Path> entries(Path folder) throws IOException {
        TreeSet<Path> entries = new TreeSet<>();
        try (DirectoryStream<Path> stream = Files.newDirectoryStream(folder)) {
            stream.forEach(entries::add);
        }
        return List.copyOf(entries);
    }

    private static Hook ask(Path socket, GrpcConnection connection) throws IOException {
        ProtobufMessage info;
        try {
            info = connection.call("kubevirt.hooks.info.Info/Info", ProtobufMessage.EMPTY, within(INFO));
        } catch (StatusRuntimeException e) {
            throw new IOException("Info of " + socket + ": " + e.getStatus(), e);
        }
        List<String> offered = info.texts(4);
        String version = VERSIONS.stream()
                .filter(offered::contains)
                .findFirst()
                .orElseThrow(() -> new IOException(socket + " offers " + offered + " only"));
        List<String> points =
                info.messages(3).stream().map(point -> point.text(1)).toList();
        return new Hook(socket, info.text(1), version, points);
    }

    private static CallOptions within(Duration time) {
        return CallOptions.DEFAULT.withDeadlineAfter(time.toNanos(), TimeUnit.NANOSECONDS);
    }

    List<Hook> hooks() {
        return hooks;
    }

    /**
     * The domain as all sidecars together want it.
     *
     * @throws IOException when one refuses
     */
    public byte[] onDefineDomain(byte[] domain, byte[] vmi) throws IOException {
        byte[] defined = domain;
        for (Hook hook : hooks) {
            if (hook.points.contains("OnDefineDomain")) {
                ProtobufMessage request = ProtobufMessage.EMPTY.with(1, defined).with(2, vmi);
                defined = hook.call("OnDefineDomain", request).bytes(1);
            }
        }
        return defined;
    }

    /** Tells those that want to know that the VM has ended. */
    public void shutdown() throws IOException {
        for (Hook hook : hooks) {
            if (hook.points.contains("Shutdown")) {
                hook.call("Shutdown", ProtobufMessage.EMPTY);
            }
        }
    }

    /**
     * All of it, as a process that can be started as another user: collects, defines a domain twice, shuts down.
     *
     * @param arguments folder, release, number of sidecars, file of the VMI, file of the domain, file for the result
     */
    public static void main(String[] arguments) throws IOException {
        VirtLauncher launcher = collect(
                Path.of(arguments[0]),
                Release.valueOf(arguments[1]),
                Integer.parseInt(arguments[2]),
                Duration.ofSeconds(30));
        launcher.hooks.forEach(System.out::println);
        byte[] vmi = Files.readAllBytes(Path.of(arguments[3]));
        byte[] once = launcher.onDefineDomain(Files.readAllBytes(Path.of(arguments[4])), vmi);
        byte[] twice = launcher.onDefineDomain(once, vmi);
        Files.write(Path.of(arguments[5]), once);
        Files.write(Path.of(arguments[5] + ".twice"), twice);
        launcher.shutdown();
    }
}
