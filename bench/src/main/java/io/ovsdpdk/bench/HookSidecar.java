package io.ovsdpdk.bench;

import io.ovsdpdk.e2e.LauncherPod;
import io.ovsdpdk.e2e.SampleDomain;
import io.ovsdpdk.e2e.VirtLauncher;
import io.ovsdpdk.ovsdb.testbed.ChildProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;

/** KubeVirt's binding beside a VM: how soon it listens, and what it takes after ten calls. */
final class HookSidecar {
    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final int ROUNDS = 10;
    private static final int CALLS = 10;
    private static final int DOMAIN_BYTES = 100_000;

    private final Series starts = new Series("from its start to its socket");
    private final Series calls = new Series("OnDefineDomain, 100 KB");
    private double idleMib;
    private double usedMib;

    List<Target> measure() throws IOException {
        for (int round = 0; round < ROUNDS; round++) {
            try (LauncherPod pod = LauncherPod.create()) {
                run(pod);
            }
        }
        System.out.printf("%nHook sidecar, a process of its own mount namespace and user (%d starts)%n", ROUNDS);
        System.out.printf("  %-36s %7.2f ms median%n", starts.name(), starts.median());
        System.out.printf("  %-36s %7.2f ms median, %.2f ms p95%n", calls.name(), calls.median(), calls.p95());
        System.out.printf("  %-36s %7.1f MiB, after %d calls %.1f MiB%n", "RSS", idleMib, CALLS, usedMib);
        return List.of(Target.atMost("RSS of the sidecar after ten calls, MiB", 32, usedMib));
    }

    private void run(LauncherPod pod) throws IOException {
        Path socket = pod.volume().resolve("hook-sidecar-0/hook-sidecar-0.sock");
        long start = System.nanoTime();
        ChildProcess sidecar = pod.startSidecar("hook-sidecar-0", Map.of());
        while (!Files.exists(socket) && sidecar.isAlive() && System.nanoTime() - start < PATIENCE.toNanos()) {
            LockSupport.parkNanos(200_000);
        }
        starts.add(Duration.ofNanos(System.nanoTime() - start));
        VirtLauncher launcher = VirtLauncher.collect(pod.volume(), VirtLauncher.Release.V1_6, 1, PATIENCE);
        idleMib = Math.max(idleMib, residentMib(sidecar));
        for (int call = 0; call < CALLS; call++) {
            long begin = System.nanoTime();
            launcher.onDefineDomain(SampleDomain.xml(DOMAIN_BYTES), SampleDomain.vmi());
            calls.add(Duration.ofNanos(System.nanoTime() - begin));
        }
        usedMib = Math.max(usedMib, residentMib(sidecar));
        launcher.shutdown();
    }

    private static double residentMib(ChildProcess process) throws IOException {
        return Files.readAllLines(Path.of("/proc/" + process.pid() + "/status")).stream()
                        .filter(line -> line.startsWith("VmRSS:"))
                        .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
                        .max()
                        .orElseThrow(() -> new IOException("the sidecar has ended"))
                / 1024.0;
    }
}
