package io.ovsdpdk.ovsdb.testbed;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A real Open vSwitch with DPDK: an {@link OvsdbServer} and an {@code ovs-vswitchd} that needs no hugepages, has a
 * network namespace of its own and sleeps when idle. Several can run side by side.
 *
 * <p>Needs root (for the network namespace) and the Debian packages {@code openvswitch-switch-dpdk} and
 * {@code librte-mempool-ring23}.
 *
 * <p>To be used by one thread, except {@link #vsctl}, which any thread may call.
 */
public final class OvsDpdk implements AutoCloseable {
    /** MiB of DPDK memory when nothing else is said: enough for two connected ports. */
    public static final int DEFAULT_MEMORY = 192;

    private final OvsdbServer database;
    private final Program program;
    private final List<String> within;
    private Optional<ChildProcess> vswitchd = Optional.empty();
    private int starts;
    private boolean openedTun;

    private OvsDpdk(OvsdbServer database, Program program, List<String> within) {
        this.database = database;
        this.program = program;
        this.within = List.copyOf(within);
    }

    /**
     * A running switch with DPDK and {@link #DEFAULT_MEMORY}, without a bridge.
     *
     * @throws IOException as in {@link #start(int)}
     */
    public static OvsDpdk start() throws IOException {
        return start(DEFAULT_MEMORY);
    }

    /**
     * A running switch with DPDK, without a bridge.
     *
     * @param memory MiB of DPDK memory; each connected vhost port takes about 82; two with an
     *     MTU of 9000 fit into 448
     * @throws IOException if a program is missing (the message names its package) or the switch does not come up within
     *     30 s (the message holds its log); nothing is left behind then
     */
    public static OvsDpdk start(int memory) throws IOException {
        return start(memory, List.of());
    }

    /**
     * A running switch with DPDK, without a bridge, whose vswitchd sees other files than we do.
     *
     * @param within a command that becomes the command that follows it, for example {@code nsenter}
     * @throws IOException as in {@link #start(int)}
     */
    public static OvsDpdk start(int memory, List<String> within) throws IOException {
        return start(memory, ServerUser.ROOT, within);
    }

    /**
     * A running switch with DPDK and {@link #DEFAULT_MEMORY}, without a bridge, as another user than root, who is in no
     * group but the one of the same number.
     *
     * @param uid the user's number; no such user need be known
     * @throws IOException as in {@link #start(int)}
     */
    public static OvsDpdk startAs(int uid) throws IOException {
        return start(DEFAULT_MEMORY, new ServerUser(uid), List.of());
    }

    private static OvsDpdk start(int memory, ServerUser user, List<String> within) throws IOException {
        OvsDpdk ovs = new OvsDpdk(OvsdbServer.create(user), Program.VSWITCHD_DPDK, within);
        try {
            Program.MEMPOOL_RING.path();
            ovs.database.start();
            ovs.configureDpdk(memory);
            ovs.startSwitch();
            return ovs;
        } catch (IOException e) {
            throw OvsdbServer.closeAfter(e, ovs.database);
        }
    }

    /**
     * A running switch of the plain build, which knows no DPDK port types, without a bridge.
     *
     * @throws IOException as in {@link #start(int)}
     */
    public static OvsDpdk startWithoutDpdk() throws IOException {
        OvsDpdk ovs = new OvsDpdk(OvsdbServer.create(), Program.VSWITCHD, List.of());
        try {
            ovs.database.start();
            ovs.startSwitch();
            return ovs;
        } catch (IOException e) {
            throw OvsdbServer.closeAfter(e, ovs.database);
        }
    }

    /**
     * The database is lost while vswitchd runs, and a new one takes its place that knows of DPDK and of nothing else. For a
     * switch with {@link #DEFAULT_MEMORY}.
     */
    public void loseDatabase() throws IOException {
        database.lose();
        configureDpdk(DEFAULT_MEMORY);
        vsctl("wait-until", "Open_vSwitch", ".", "dpdk_initialized=true");
    }

    private void configureDpdk(int memory) throws IOException {
        Cores cores = Cores.allowed();
        vsctl(
                "--no-wait",
                "set",
                "Open_vSwitch",
                ".",
                "other_config:dpdk-init=true",
                "other_config:dpdk-lcore-mask=" + cores.firstMask(),
                "other_config:pmd-cpu-mask=" + cores.lastMask(),
                // Idle polling threads sleep: the name of 3.1, and of 3.2 and later
                "other_config:pmd-maxsleep=500",
                "other_config:pmd-sleep-max=500",
                // A pool shared by all ports would ask for 788 MB
                "other_config:per-port-memory=true",
                // Without --legacy-mem vswitchd aborts where there are no hugepages
                "other_config:dpdk-extra=\"--no-huge --legacy-mem -m " + memory
                        + " --no-pci --no-telemetry --iova-mode=va\"");
    }

    /**
     * Starts vswitchd and waits until it has applied the database, and DPDK where this switch has it.
     *
     * @throws IllegalStateException if it runs
     * @throws IOException if it is not ready within 30 s; the message holds its log
     */
    public void startSwitch() throws IOException {
        if (isSwitchRunning()) {
            throw new IllegalStateException("ovs-vswitchd runs already");
        }
        openedTun |= database.user().openTun();
        List<String> command = new ArrayList<>(within);
        command.addAll(List.of(Program.UNSHARE.path(), "--net", "--"));
        command.addAll(database.user()
                .command(List.of(
                        program.path(),
                        "unix:" + socket(),
                        "--unixctl=" + folder().resolve("vswitchd.ctl"),
                        "--no-chdir")));
        ChildProcess started = database.runFolder().start("ovs-vswitchd", command);
        vswitchd = Optional.of(started);
        starts++;
        try {
            // ovs-vsctl waits for vswitchd only after a real change; columns of an earlier run prove nothing
            database.vsctl(started.onExit(), "set", "Open_vSwitch", ".", "external_ids:starts=" + starts);
            if (program == Program.VSWITCHD_DPDK) {
                database.vsctl(started.onExit(), "wait-until", "Open_vSwitch", ".", "dpdk_initialized=true");
            }
        } catch (IOException e) {
            started.kill();
            throw new IOException("ovs-vswitchd does not come up:\n" + switchLog(), e);
        }
    }

    /** Ends vswitchd with SIGTERM and waits for its end. */
    public void stopSwitch() throws IOException {
        started().terminate();
    }

    /** Ends vswitchd with SIGKILL and waits for its end. */
    public void killSwitch() throws IOException {
        started().kill();
    }

    /** SIGSTOP for vswitchd: it keeps its connections and applies nothing. */
    public void suspendSwitch() throws IOException {
        started().suspend();
    }

    /** SIGCONT for vswitchd. */
    public void resumeSwitch() throws IOException {
        started().resume();
    }

    public boolean isSwitchRunning() {
        return vswitchd.isPresent() && vswitchd.get().isAlive();
    }

    /** The process ID of vswitchd, or that of its last run. */
    public long switchPid() {
        return started().pid();
    }

    /**
     * Adds a bridge of the user-space datapath ({@code netdev}) and waits until the switch has it.
     *
     * @throws IOException if ovs-vsctl fails
     */
    public void addBridge(String name) throws IOException {
        addBridge(name, "netdev");
    }

    /**
     * Adds a bridge and waits until the switch has it.
     *
     * @param datapathType {@code netdev}, or {@code system} for the kernel's
     * @throws IOException if ovs-vsctl fails
     */
    public void addBridge(String name, String datapathType) throws IOException {
        vsctl("add-br", name, "--", "set", "Bridge", name, "datapath_type=" + datapathType);
    }

    /** The switch's database server, to kill or suspend it. */
    public OvsdbServer database() {
        return database;
    }

    /** The unix socket of the database. */
    public Path socket() {
        return database.socket();
    }

    /** The private folder of this switch, in {@code /tmp}; a test may put its own sockets there. */
    public Path folder() {
        return database.folder();
    }

    /**
     * Runs {@code ovs-vsctl} on this switch and returns what it prints, without the last newline.
     *
     * @throws IOException if it fails; the message holds its stderr. It waits at most 30 s for vswitchd
     */
    public String vsctl(String... args) throws IOException {
        return database.vsctl(args);
    }

    /** What vswitchd has logged so far, in all its runs. */
    public String switchLog() throws IOException {
        return started().output();
    }

    /** Ends both processes and removes the folder. */
    @Override
    public void close() throws IOException {
        if (openedTun) {
            ServerUser.closeTun();
        }
        database.close();
    }

    private ChildProcess started() {
        return vswitchd.orElseThrow(() -> new IllegalStateException("ovs-vswitchd was never started"));
    }
}
