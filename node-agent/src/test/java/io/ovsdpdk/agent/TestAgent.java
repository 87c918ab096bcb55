package io.ovsdpdk.agent;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.agent.host.LinuxCalls;
import io.ovsdpdk.agent.host.Nosymfollow;
import io.ovsdpdk.agent.host.SocketAccess;
import io.ovsdpdk.agent.host.SocketFolders;
import io.ovsdpdk.agent.host.SwitchUser;
import io.ovsdpdk.agent.kubernetes.Cluster;
import io.ovsdpdk.api.Attached;
import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.AttachmentRequest;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.PodIdentity;
import io.ovsdpdk.ovsdb.Deadline;
import io.ovsdpdk.ovsdb.LocalSwitch;
import io.ovsdpdk.ovsdb.OvsdbClient;
import io.ovsdpdk.ovsdb.OvsdbOptions;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;

/**
 * The attachments of an agent in this process, on a real switch and the real kernel, with folders of their own. Closing
 * unmounts and removes everything.
 */
final class TestAgent implements AutoCloseable {
    private static final AtomicInteger CONTAINERS = new AtomicInteger();

    /** A short path, because of the 107 bytes of a socket's. */
    final Path folder;

    final OvsdbClient client;
    final LocalSwitch localSwitch;
    final AtomicLong clock = new AtomicLong();

    /** Which start of the node this is. */
    String boot = "first";

    Ports ports;
    Cluster cluster;
    SocketFolders folders;
    Attachments attachments;

    /** @param database socket of the switch's database */
    TestAgent(Path database) throws IOException {
        this(database, Cluster.NONE);
    }

    /** @param cluster whose pods it knows; its owner closes it */
    TestAgent(Path database, Cluster cluster) throws IOException {
        this.cluster = cluster;
        folder = Files.createTempDirectory(Path.of("/tmp"), "a");
        Files.createDirectories(checkpoints());
        client = new OvsdbClient(database, LocalSwitch.TABLES, OvsdbOptions.DEFAULT);
        localSwitch = new LocalSwitch(client);
        ports = new Ports(client);
        folders = socketFolders(mounts());
        attachments = agent(folders);
    }

    static SocketFolders socketFolders(Path mounts) {
        LinuxCalls calls = new LinuxCalls();
        SocketAccess access = new SocketAccess(calls, SwitchUser.of(0));
        return new SocketFolders(calls, mounts, Nosymfollow.REQUIRED, access, Duration.ofSeconds(5));
    }

    private Attachments agent(SocketFolders mounts) {
        return new Attachments(
                ports,
                mounts,
                new SocketPlaces(new SharedRoots(List.of(root())), kubelet(), cluster),
                new Checkpoints(checkpoints(), boot),
                clock::get);
    }

    /** As if the agent had been killed and another one started. */
    void restart() throws IOException {
        restart(folders);
    }

    void restart(SocketFolders mounts) throws IOException {
        attachments.close();
        folders = mounts;
        attachments = agent(mounts);
        attachments.resume();
    }

    /** The agent uses this from now on, one with faults for instance. */
    void use(Ports replacement) {
        attachments.close();
        ports = replacement;
        attachments = agent(folders);
    }

    /** What answers requests. */
    Agent asked() throws IOException {
        return new Agent(attachments, orphans(Duration.ofMinutes(5)), ports, cluster, folders.probe(), false);
    }

    /** Of a look by the clock of this agent. */
    Orphans orphans(Duration grace) {
        return attachments.orphans(mounts(), new GonePods(cluster, kubelet(), Duration.ZERO), grace, clock::get);
    }

    Path root() {
        return folder.resolve("s");
    }

    Path kubelet() {
        return folder.resolve("k");
    }

    Path mounts() {
        return folder.resolve("p");
    }

    Path checkpoints() {
        return folder.resolve("c");
    }

    /** Of a container that no other test has. */
    static AttachmentId newId() {
        return new AttachmentId("%012dabcdef".formatted(CONTAINERS.incrementAndGet()), "net1");
    }

    static AttachmentId sibling(AttachmentId id) {
        return new AttachmentId(id.containerId(), "net2");
    }

    /** A network configuration on br0 below the root. */
    ObjectNode network() {
        return Json.object()
                .put("cniVersion", "1.1.0")
                .put("name", "blue")
                .put("type", "ovs-dpdk")
                .put("bridge", "br0")
                .put("sharedDir", root().toString());
    }

    /** For a pod that has no other container. */
    static AttachmentRequest request(AttachmentId id, ObjectNode network) {
        return request(id, "uid-" + id.containerId(), network);
    }

    static AttachmentRequest request(AttachmentId id, String uid, ObjectNode network) {
        return new AttachmentRequest(
                id, "/run/netns/test", new PodIdentity("default", "pod", uid), Optional.empty(), network);
    }

    Attached add(AttachmentId id) throws CniException, InterruptedException {
        return add(id, network());
    }

    Attached add(AttachmentId id, ObjectNode network) throws CniException, InterruptedException {
        return attachments.add(request(id, network), Json.object(), soon());
    }

    Optional<Attached> announce(AttachmentId id) throws CniException, InterruptedException {
        return attachments.announce(request(id, network()), Duration.ofSeconds(10));
    }

    Attached check(AttachmentId id) throws CniException, InterruptedException {
        return attachments.check(request(id, network()), soon());
    }

    static Deadline soon() {
        return Deadline.after(Duration.ofSeconds(8));
    }

    /** The folder of a container below the root, or below a {@code sharedDir}. */
    Path folderOf(AttachmentId id) {
        return folderIn(root(), id);
    }

    static Path folderIn(Path sharedDir, AttachmentId id) {
        return sharedDir.resolve(id.containerId().substring(0, 12));
    }

    Path checkpointOf(AttachmentId id) {
        return checkpoints().resolve(PortName.of(id) + ".json");
    }

    Path unfinishedCheckpointOf(AttachmentId id) {
        return checkpoints().resolve(PortName.of(id) + ".unfinished");
    }

    /** As an agent does that is killed while it makes or removes it. */
    void leaveUnfinished(AttachmentId id) throws IOException {
        Files.move(checkpointOf(id), unfinishedCheckpointOf(id));
    }

    boolean hasPort(AttachmentId id) {
        return localSwitch.port(PortName.of(id)).isPresent();
    }

    void assertNothingOf(AttachmentId id) {
        assertThat(localSwitch.port(PortName.of(id))).isEmpty();
        assertThat(checkpointOf(id)).doesNotExist();
        assertThat(unfinishedCheckpointOf(id)).doesNotExist();
        assertThat(folderOf(id)).doesNotExist();
        assertThat(mountsInUse()).isEmpty();
        assertThat(attachments.footprint()).isZero();
    }

    /** What is mounted in this agent's folders. */
    List<String> mountsInUse() {
        return mountsBelow(mounts());
    }

    private static List<String> mountsBelow(Path path) {
        try (Stream<String> lines = Files.lines(Path.of("/proc/self/mountinfo"), StandardCharsets.ISO_8859_1)) {
            return lines.map(line -> line.split(" ")[4])
                    .filter(point -> point.startsWith(path + "/"))
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** As a restart of the node does. */
    void unmountAll() throws IOException {
        for (String mount : mountsInUse()) {
            run("umount", mount);
            Files.delete(Path.of(mount));
        }
    }

    static boolean exists(Path path) {
        return Files.exists(path, LinkOption.NOFOLLOW_LINKS);
    }

    static void run(String... command) throws IOException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.onExit().join().exitValue()).as(output).isZero();
    }

    @Override
    public void close() throws IOException {
        attachments.close();
        client.close();
        for (String point : mountsBelow(folder).reversed()) {
            run("umount", "--lazy", point);
        }
        run("rm", "-rf", folder.toString());
    }
}
