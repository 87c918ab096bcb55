package io.ovsdpdk.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.ovsdpdk.ovsdb.testbed.ChildProcess;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A sidecar runs beside every VM. KubeVirt gives that of a VM with dedicated CPUs 200m CPU and 64 MB, no more. */
@Tag("native")
class HookSidecarFootprintTest {
    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final int CPU_MILLIS = 200;
    private static final long MEMORY_BYTES = 64_000_000;
    private static final long RESIDENT_KIB = 32 << 10;
    private static final int CALLS = 10;
    private static final int DOMAIN_BYTES = 100_000;

    private static long residentKib(ChildProcess process) throws Exception {
        return Files.readAllLines(Path.of("/proc/" + process.pid() + "/status")).stream()
                .filter(line -> line.startsWith("VmRSS:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
                .findFirst()
                .orElseThrow();
    }

    @Test
    void tenCallsFitIntoWhatKubeVirtGives() throws Exception {
        try (CpuLimit cpu = CpuLimit.of(CPU_MILLIS);
                MemoryLimit memory = MemoryLimit.of(MEMORY_BYTES);
                LauncherPod pod = LauncherPod.create()) {
            ChildProcess sidecar = pod.startSidecarBy("hook-sidecar-0", List.of(memory.starter()));
            cpu.add(sidecar.pid());
            VirtLauncher launcher = VirtLauncher.collect(pod.volume(), VirtLauncher.Release.V1_6, 1, PATIENCE);
            byte[] domain = SampleDomain.xml(DOMAIN_BYTES);

            for (int call = 0; call < CALLS; call++) {
                assertThat(launcher.onDefineDomain(domain, SampleDomain.vmi())).hasSizeGreaterThan(DOMAIN_BYTES);
            }

            assertThat(residentKib(sidecar)).isLessThanOrEqualTo(RESIDENT_KIB);
            launcher.shutdown();
            assertThat(sidecar.awaitExit(PATIENCE)).isTrue();
            assertThat(sidecar.onExit().get().exitValue()).as(sidecar.output()).isZero();
            assertThat(memory.kills()).isZero();
        }
    }

    /** What fills the memory of a sidecar ends the call at most. */
    @Test
    void largestDocumentsDontEndIt() throws Exception {
        try (MemoryLimit memory = MemoryLimit.of(MEMORY_BYTES);
                LauncherPod pod = LauncherPod.create()) {
            ChildProcess sidecar = pod.startSidecarBy("hook-sidecar-0", List.of(memory.starter()));
            VirtLauncher launcher = VirtLauncher.collect(pod.volume(), VirtLauncher.Release.V1_6, 1, PATIENCE);
            String domain = new String(SampleDomain.xml(DOMAIN_BYTES), StandardCharsets.UTF_8);
            byte[] deep = domain.replace(
                            "<devices>", "<metadata><m><n>" + "<a/>".repeat(220_000) + "</n></m></metadata><devices>")
                    .getBytes(StandardCharsets.UTF_8);
            byte[] wide = domain.replace("</devices>", "<a/>".repeat(220_000) + "</devices>")
                    .getBytes(StandardCharsets.UTF_8);

            for (int call = 0; call < CALLS; call++) {
                assertThat(launcher.onDefineDomain(deep, SampleDomain.vmi())).hasSizeGreaterThan(deep.length);
                assertThatThrownBy(() -> launcher.onDefineDomain(wide, SampleDomain.vmi()))
                        .hasMessageContaining("elements");
            }

            assertThat(launcher.onDefineDomain(SampleDomain.xml(DOMAIN_BYTES), SampleDomain.vmi()))
                    .hasSizeGreaterThan(DOMAIN_BYTES);
            assertThat(memory.kills()).isZero();
            assertThat(sidecar.isAlive()).isTrue();
        }
    }
}
