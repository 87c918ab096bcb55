package io.ovsdpdk.agent;

import io.ovsdpdk.agent.host.LinuxCalls;
import io.ovsdpdk.agent.host.MountSupport;
import io.ovsdpdk.agent.host.Nosymfollow;
import io.ovsdpdk.agent.host.SocketAccess;
import io.ovsdpdk.agent.host.SocketFolders;
import io.ovsdpdk.agent.host.SwitchUser;
import io.ovsdpdk.agent.kubernetes.Cluster;
import io.ovsdpdk.agent.kubernetes.ClusterNode;
import io.ovsdpdk.api.DeletionQueue;
import io.ovsdpdk.ovsdb.Deadline;
import io.ovsdpdk.ovsdb.LocalSwitch;
import io.ovsdpdk.ovsdb.OvsdbClient;
import io.ovsdpdk.ovsdb.OvsdbException;
import io.ovsdpdk.ovsdb.OvsdbOptions;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The agent as a whole: builds the parts, hands them to each other, serves until it is told to stop.
 *
 * @param database the switch's database socket
 * @param runDir folder of the agent's socket and of the mounts
 * @param stateDir folder of the checkpoints
 * @param roots what {@code sharedDir} may name
 * @param kubeletDir kubelet's folder
 * @param cluster empty without Kubernetes
 * @param switchUser whom the switch runs as
 * @param withoutNosymfollow whether to serve on a kernel on which the switch follows a pod's links
 * @param orphanInterval from one look for attachments whose pod is gone to the next; zero for none
 * @param requestTimeout within which a client must have sent its request
 * @param stopGrace how long requests under way may go on after the signal to stop
 */
record Daemon(
        Path database,
        Path runDir,
        Path stateDir,
        SharedRoots roots,
        Path kubeletDir,
        Optional<ClusterNode> cluster,
        SwitchUser switchUser,
        boolean withoutNosymfollow,
        Duration orphanInterval,
        Duration requestTimeout,
        Duration stopGrace) {
    private static final Logger LOG = LoggerFactory.getLogger(Daemon.class);

    /** The way of a request takes a tenth of a second the first time; a switch that is away is not waited for longer. */
    private static final Duration WARM_UP_TIMEOUT = Duration.ofSeconds(2);

    /** Tens of thousands of entries; more, and the removal goes on in the background. The plugin counts on it. */
    private static final Duration FOLDER_REMOVAL_LIMIT = Duration.ofSeconds(3);

    /** An orphan must have been one for as long as it is from one look to the next, or for this where there are none. */
    private static final Duration ORPHAN_GRACE = Duration.ofMinutes(5);

    /** After the node was started anew there may be hundreds of pods to ask for. */
    private static final Duration ORPHAN_PAUSE = Duration.ofMillis(200);

    /** From one look at the database's folder, while the database is away, to the next. */
    private static final Duration FOLDER_LOOKS = Duration.ofSeconds(1);

    /** In the folder of {@code runDir}; {@code agent/} is root's alone. */
    static final String AGENT_SOCKET = "agent/agent.sock";

    private static final String MOUNTS = "p";
    private static final String ATTACHMENTS = "attachments";
    private static final String LOCK = "lock";

    private static final int STOPPED = 0;
    private static final int CUT_OFF = 1;

    /** EX_UNAVAILABLE of sysexits(3). */
    private static final int UNAVAILABLE = 69;

    /** @return the exit status: 0 after a clean stop, 1 when requests were cut off, 69 when it can't go on */
    int run(StopSignal signal) throws InterruptedException {
        try {
            ownFolder(runDir, "rwx--x--x", Set.of("agent", MOUNTS, DeletionQueue.FOLDER));
            Path agentDir = folder(runDir.resolve("agent"), "rwx------");
            ownFolder(stateDir, "rwx------", Set.of(ATTACHMENTS, LOCK));
            Path checkpoints = folder(stateDir.resolve(ATTACHMENTS), "rwx------");
            // One for each folder: two agents may share either
            try (FileChannel runLockFile = lockFile(agentDir);
                    FileLock runLock = runLockFile.tryLock();
                    FileChannel stateLockFile = lockFile(stateDir);
                    FileLock stateLock = stateLockFile.tryLock()) {
                if (runLock == null) {
                    LOG.error("another agent serves this node: run-dir={}", runDir);
                    return UNAVAILABLE;
                }
                if (stateLock == null) {
                    LOG.error("another agent uses these checkpoints: state-dir={}", stateDir);
                    return UNAVAILABLE;
                }
                return serve(runDir.resolve(AGENT_SOCKET), Checkpoints.in(checkpoints), signal);
            }
        } catch (IOException e) {
            LOG.error("can't run: {}", e.toString());
            return UNAVAILABLE;
        }
    }

    private int serve(Path socket, Checkpoints checkpoints, StopSignal signal)
            throws IOException, InterruptedException {
        LinuxCalls calls = new LinuxCalls();
        try (SocketAccess access = new SocketAccess(calls, switchUser)) {
            SocketFolders folders = new SocketFolders(
                    calls,
                    runDir.resolve(MOUNTS),
                    withoutNosymfollow ? Nosymfollow.WHERE_SUPPORTED : Nosymfollow.REQUIRED,
                    access,
                    FOLDER_REMOVAL_LIMIT);
            return serve(socket, checkpoints, access, folders, signal);
        }
    }

    private int serve(
            Path socket, Checkpoints checkpoints, SocketAccess access, SocketFolders folders, StopSignal signal)
            throws IOException, InterruptedException {
        MountSupport mounts = folders.probe();
        if (mounts.level() != MountSupport.Level.FULL) {
            LOG.warn("mounts: {}", mounts.explanation());
        }
        try (OvsdbClient client = new OvsdbClient(database, LocalSwitch.TABLES, OvsdbOptions.DEFAULT);
                Cluster pods = cluster.isPresent() ? Cluster.join(cluster.get()) : Cluster.NONE;
                DatabaseReturns returns = new DatabaseReturns(client, access::lookAgain)) {
            returns.follow();
            Ports ports = new Ports(client);
            warmUp(client);
            SocketPlaces places = new SocketPlaces(roots, kubeletDir, pods);
            try (Attachments attachments = new Attachments(ports, folders, places, checkpoints, System::nanoTime)) {
                attachments.resume();
                pods.announce(attachments::in);
                try (Orphans orphans = orphans(attachments, pods);
                        LeftDeletions left = new LeftDeletions(
                                new DeletionQueue(runDir.resolve(DeletionQueue.FOLDER)), attachments);
                        Upkeep upkeep = new Upkeep(attachments, ports, client, Upkeep.PERIOD);
                        AgentServer server = listen(
                                socket,
                                new Agent(attachments, orphans, ports, pods, mounts, withoutNosymfollow),
                                left)) {
                    left.carryOut();
                    left.follow();
                    upkeep.follow();
                    server.start();
                    if (orphanInterval.isPositive()) {
                        orphans.follow(orphanInterval);
                    }
                    LOG.info("serving: socket={} attachments={}", socket, attachments.count());
                    boolean asked = awaitEnd(signal, client);
                    LOG.info("stopping: requests={}", server.connections());
                    boolean finished = server.stop(stopGrace);
                    return asked ? (finished ? STOPPED : CUT_OFF) : UNAVAILABLE;
                }
            }
        }
    }

    /**
     * Waits for the signal to stop, or until the database can't come back because its folder is gone for good.
     *
     * @return whether it was the signal
     */
    private boolean awaitEnd(StopSignal signal, OvsdbClient client) throws InterruptedException {
        DatabaseFolder folder = DatabaseFolder.of(database);
        while (!signal.await(FOLDER_LOOKS)) {
            if (!client.synchronised() && folder.isRemoved()) {
                LOG.error(
                        "the folder of the switch's database was removed, and another one in its place would not be"
                                + " seen from this container; ending, to be started anew: folder={}",
                        folder.path());
                return false;
            }
        }
        return true;
    }

    private Orphans orphans(Attachments attachments, Cluster pods) {
        return attachments.orphans(
                runDir.resolve(MOUNTS),
                new GonePods(pods, kubeletDir, ORPHAN_PAUSE),
                orphanInterval.isPositive() ? orphanInterval : ORPHAN_GRACE,
                System::nanoTime);
    }

    private static FileChannel lockFile(Path folder) throws IOException {
        return FileChannel.open(folder.resolve(LOCK), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    }

    /** From then on plugins find us, and wait until what others left is done. */
    private AgentServer listen(Path socket, Agent agent, LeftDeletions left) throws IOException {
        try (var _ = left.lock()) {
            return new AgentServer(
                    socket, Set.copyOf(List.of(0, ownUid())), requestTimeout, AgentServer.SEND_TIMEOUT, agent);
        }
    }

    private static void warmUp(OvsdbClient client) {
        try {
            new LocalSwitch(client).warmUp(Deadline.after(WARM_UP_TIMEOUT));
        } catch (OvsdbException e) {
            LOG.warn("the switch's database is not there yet: {}", e.getMessage());
        }
    }

    /**
     * A folder that the administrator named. One that is there, and has in it what is not ours, keeps its mode: it may be
     * shared with others, whom a slip must not lock out. Else somebody made it for us, kubelet with 0755.
     *
     * @param ours what we make in it
     * @throws IOException when somebody else owns it or may write to it
     */
    private static void ownFolder(Path path, String mode, Set<String> ours) throws IOException {
        if (!Files.exists(path)) {
            folder(path, mode);
            return;
        }
        Set<PosixFilePermission> permissions = Files.getPosixFilePermissions(path);
        if ((int) Files.getAttribute(path, "unix:uid") != ownUid()
                || permissions.contains(PosixFilePermission.GROUP_WRITE)
                || permissions.contains(PosixFilePermission.OTHERS_WRITE)) {
            throw new IOException(path + " must be a folder of the agent's own user that nobody else can write to");
        }
        try (Stream<Path> entries = Files.list(path)) {
            if (entries.allMatch(entry -> ours.contains(entry.getFileName().toString()))) {
                Files.setPosixFilePermissions(path, PosixFilePermissions.fromString(mode));
            }
        }
    }

    private static Path folder(Path path, String mode) throws IOException {
        Files.createDirectories(path);
        return Files.setPosixFilePermissions(path, PosixFilePermissions.fromString(mode));
    }

    private static int ownUid() throws IOException {
        return (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
    }
}
