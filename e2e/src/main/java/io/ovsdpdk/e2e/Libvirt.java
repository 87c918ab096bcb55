package io.ovsdpdk.e2e;

import io.ovsdpdk.ovsdb.testbed.ChildProcess;
import java.io.Closeable;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;

/**
 * A libvirt of its own, as in the compute container of a VM's pod: with mounts and process IDs of its own, so that it sees
 * the pod's volumes where KubeVirt mounts them, and all its QEMUs end with it. QEMU runs as KubeVirt's user. Needs the Debian
 * packages {@code libvirt-daemon}, {@code libvirt-daemon-driver-qemu}, {@code libvirt-clients} and {@code qemu-system-x86}.
 */
final class Libvirt implements Closeable {
    private static final Duration START = Duration.ofSeconds(60);

    /**
     * The driver insists on the user that it was compiled for. The shell stays, as the first process of all here: it reaps
     * QEMUs, which libvirt waits for when it has tried what they can do.
     */
    private static final String START_DAEMON = """
            for folder in /etc/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt /run; do
              mkdir -p $folder
              mount -t tmpfs -o mode=755 none $folder
            done
            cp "$1/qemu.conf" /etc/libvirt/
            for file in passwd group; do
              cp /etc/$file "$1/$file"
            done
            grep -q ^libvirt-qemu: "$1/passwd" || echo 'libvirt-qemu:x:64055:64055::/:/usr/sbin/nologin' >>"$1/passwd"
            grep -q ^libvirt-qemu: "$1/group" || echo 'libvirt-qemu:x:64055:' >>"$1/group"
            for file in passwd group; do
              mount --bind "$1/$file" /etc/$file
            done
            mkdir -p /run/kubevirt-hooks /run/libvirt
            mount --rbind "$2" /run/kubevirt-hooks
            libvirtd --pid-file "$1/libvirtd.pid" --config "$1/libvirtd.conf" &
            wait
            """;

    private final Path folder;
    private final ChildProcess daemon;

    private Libvirt(Path folder, ChildProcess daemon) {
        this.folder = folder;
        this.daemon = daemon;
    }

    /**
     * Starts it and waits until it answers.
     *
     * @param folder is made, for its own files
     * @param hooks the volume {@code hook-sidecar-sockets}
     */
    static Libvirt start(Path folder, Path hooks) throws IOException {
        Files.createDirectory(folder);
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-xr-x"));
        Files.writeString(folder.resolve("qemu.conf"), """
                user = "+%1$d"
                group = "+%1$d"
                dynamic_ownership = 0
                security_driver = "none"
                cgroup_controllers = [ ]
                namespaces = [ ]
                stdio_handler = "file"
                """.formatted(LauncherPod.USER));
        Files.writeString(folder.resolve("libvirtd.conf"), """
                unix_sock_dir = "%1$s"
                auth_unix_rw = "none"
                log_outputs = "3:stderr"
                """.formatted(folder));
        ChildProcess daemon = ChildProcess.start(
                List.of(
                        "unshare",
                        "--mount",
                        "--propagation=slave",
                        "--pid",
                        "--fork",
                        "--kill-child",
                        "--mount-proc",
                        "sh",
                        "-ec",
                        START_DAEMON,
                        "sh",
                        folder.toString(),
                        hooks.toString()),
                Map.of(),
                folder.resolve("libvirtd.log"));
        Libvirt libvirt = new Libvirt(folder, daemon);
        libvirt.awaitAnswer();
        return libvirt;
    }

    private void awaitAnswer() throws IOException {
        Deadline deadline = Deadline.after(START);
        while (true) {
            try {
                virsh("uri");
                return;
            } catch (IOException e) {
                if (!daemon.isAlive() || deadline.passed()) {
                    throw new IOException("libvirtd does not come up:\n" + daemon.output(), e);
                }
                LockSupport.parkNanos(20_000_000);
            }
        }
    }

    /** Makes a domain known; it doesn't start. */
    void define(byte[] domain) throws IOException {
        Path file = Files.write(folder.resolve("domain.xml"), domain);
        virsh("define", "--validate", file.toString());
    }

    /** Starts a domain; QEMU doesn't answer before the switch has connected to it. */
    void startDomain(String name) throws IOException {
        virsh("start", name);
    }

    /** Pulls the plug. */
    void destroyDomain(String name) throws IOException {
        virsh("destroy", name);
        virsh("undefine", name);
    }

    /** Runs virsh; returns what it prints. */
    String virsh(String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                "virsh", "--quiet", "--connect", "qemu+unix:///system?socket=" + folder.resolve("libvirt-sock")));
        command.addAll(List.of(arguments));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        try {
            if (process.waitFor() != 0) {
                throw new IOException(String.join(" ", arguments) + ": " + said.strip());
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted in virsh");
        }
        return said;
    }

    @Override
    public void close() throws IOException {
        daemon.kill();
    }
}
