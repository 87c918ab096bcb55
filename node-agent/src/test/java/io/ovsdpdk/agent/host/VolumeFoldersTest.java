package io.ovsdpdk.agent.host;

import static io.ovsdpdk.agent.host.Sandbox.exists;
import static io.ovsdpdk.agent.host.Sandbox.modeAndOwner;
import static io.ovsdpdk.agent.host.Sandbox.run;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.IOException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Socket folders in volumes of pods, which kubelet made and pods can write to. */
@Timeout(120)
class VolumeFoldersTest {
    private static final Path VOLUME = Path.of("pods/uid/volumes/kubernetes.io~empty-dir/v");
    private static final Ownership POD = Ownership.of(107, 1007);

    private Sandbox sandbox;
    private Path kubelet;
    private Path volume;
    private SocketFolders folders;

    @BeforeEach
    void start() throws IOException {
        sandbox = new Sandbox();
        kubelet = sandbox.folder("kubelet");
        volume = sandbox.folder("kubelet/" + VOLUME);
        run("chmod", "0777", volume.toString());
        folders = new SocketFolders(
                new LinuxCalls(),
                sandbox.path.resolve("p"),
                Nosymfollow.REQUIRED,
                Sandbox.accessOfRoot(),
                Duration.ofSeconds(60));
    }

    @AfterEach
    void clean() {
        sandbox.close();
    }

    private FolderLocation hooks() {
        return FolderLocation.hooks(kubelet, VOLUME, POD);
    }

    private FolderLocation in(String subPath) {
        return FolderLocation.volume(kubelet, VOLUME, Path.of(subPath), POD);
    }

    /** The switch connects through the mount to what listens in the folder. */
    private void assertReachable(PreparedFolder prepared, Path folder) throws IOException {
        try (ServerSocketChannel _ = Sandbox.listen(folder.resolve("n.sock"));
                SocketChannel client =
                        Sandbox.connect(prepared.folder().mountPoint().resolve("n.sock"))) {
            assertThat(client.isConnected()).isTrue();
        }
        Files.delete(folder.resolve("n.sock"));
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 022, 077})
    void folderForHooksIsThePodsAndTheOneAboveIsRoots(int umask) throws IOException {
        PreparedFolder prepared;
        try (var _ = new Umask(umask)) {
            prepared = folders.prepare(hooks());
        }

        assertThat(modeAndOwner(volume)).isEqualTo("0777 0:0");
        assertThat(modeAndOwner(volume.resolve("ovs-dpdk"))).isEqualTo("0755 0:0");
        assertThat(modeAndOwner(volume.resolve("ovs-dpdk/sockets"))).isEqualTo("0770 107:1007");
        assertThat(prepared.createdParents()).containsExactly(volume.resolve("ovs-dpdk"));
        assertReachable(prepared, volume.resolve("ovs-dpdk/sockets"));
        assertThat(folders.verify(prepared.folder())).isEmpty();
    }

    @Test
    void removalOfTheFolderForHooksLeavesWhatOthersHaveInTheVolume() throws IOException {
        sandbox.file("kubelet/" + VOLUME + "/hook.sock", "");
        PreparedFolder prepared = folders.prepare(hooks());
        sandbox.file("kubelet/" + VOLUME + "/ovs-dpdk/sockets/deep/file", "");

        folders.remove(prepared.folder());

        assertThat(volume).isDirectoryContaining(path -> path.endsWith("hook.sock"));
        assertThat(exists(volume.resolve("ovs-dpdk"))).isFalse();
        assertThat(sandbox.mounts()).isEmpty();
    }

    @Test
    void folderAboveStaysWhileThereIsSomethingElseInIt() throws IOException {
        PreparedFolder prepared = folders.prepare(hooks());
        sandbox.file("kubelet/" + VOLUME + "/ovs-dpdk/theirs", "");

        folders.remove(prepared.folder());

        assertThat(volume.resolve("ovs-dpdk/theirs")).exists();
        assertThat(exists(volume.resolve("ovs-dpdk/sockets"))).isFalse();
    }

    @ParameterizedTest
    @ValueSource(strings = {"ovs-dpdk", "ovs-dpdk/sockets"})
    void linkInOurPlaceIsReplacedAndNotFollowed(String place) throws IOException {
        Sandbox.Canary canary = sandbox.canary();
        Files.createDirectories(volume.resolve(place).getParent());
        Files.createSymbolicLink(volume.resolve(place), canary.path());

        PreparedFolder prepared = folders.prepare(hooks());

        assertThat(Files.isSymbolicLink(volume.resolve(place))).isFalse();
        assertReachable(prepared, volume.resolve("ovs-dpdk/sockets"));
        folders.remove(prepared.folder());
        canary.isUntouched();
    }

    @ParameterizedTest
    @ValueSource(strings = {"ovs-dpdk", "ovs-dpdk/sockets"})
    void fileOrPipeInOurPlaceIsReplaced(String place) throws IOException {
        Files.createDirectories(volume.resolve(place).getParent());
        run("mkfifo", volume.resolve(place).toString());

        assertReachable(folders.prepare(hooks()), volume.resolve("ovs-dpdk/sockets"));
    }

    @Test
    void folderOfThePodsInOurPlaceBecomesOurs() throws IOException {
        sandbox.folder("kubelet/" + VOLUME + "/ovs-dpdk/sockets");
        run("chown", "-R", "107:107", volume.resolve("ovs-dpdk").toString());
        run("chmod", "-R", "0700", volume.resolve("ovs-dpdk").toString());

        folders.prepare(hooks());

        assertThat(modeAndOwner(volume.resolve("ovs-dpdk"))).isEqualTo("0755 0:0");
        assertThat(modeAndOwner(volume.resolve("ovs-dpdk/sockets"))).isEqualTo("0770 107:1007");
    }

    @Test
    void volumeItselfIsLeftAsKubeletMadeIt() throws IOException {
        sandbox.file("kubelet/" + VOLUME + "/data", "theirs");
        run("chown", "5:6", volume.toString());
        run("chmod", "2775", volume.toString());

        PreparedFolder prepared = folders.prepare(in(""));

        assertThat(modeAndOwner(volume)).isEqualTo("2775 5:6");
        assertThat(prepared.createdFolder()).isFalse();
        assertReachable(prepared, volume);
        folders.remove(prepared.folder());
        assertThat(volume.resolve("data")).hasContent("theirs");
        assertThat(sandbox.mounts()).isEmpty();
    }

    @Test
    void volumeInMemoryIsReachedThoughItIsAMount() throws IOException {
        run("mount", "-t", "tmpfs", "none", volume.toString());

        PreparedFolder prepared = folders.prepare(in(""));
        PreparedFolder sub = folders.prepare(in("a"));

        assertReachable(prepared, volume);
        assertReachable(sub, volume.resolve("a"));
        assertReachable(folders.prepare(hooks()), volume.resolve("ovs-dpdk/sockets"));
    }

    @Test
    void subFolderIsMadeForThePodAndWhatIsThereStays() throws IOException {
        PreparedFolder made = folders.prepare(in("a/b"));
        sandbox.folder("kubelet/" + VOLUME + "/theirs");
        run("chown", "5:6", volume.resolve("theirs").toString());
        folders.prepare(in("theirs"));

        assertThat(modeAndOwner(volume.resolve("a"))).isEqualTo("0755 0:0");
        assertThat(modeAndOwner(volume.resolve("a/b"))).isEqualTo("0770 107:1007");
        assertThat(modeAndOwner(volume.resolve("theirs"))).isEqualTo("0755 5:6");
        assertReachable(made, volume.resolve("a/b"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"a", "a/b"})
    void linkWhereTheSubFolderShouldBeIsRefused(String place) throws IOException {
        Sandbox.Canary canary = sandbox.canary();
        Files.createDirectories(volume.resolve(place).getParent());
        Files.createSymbolicLink(volume.resolve(place), canary.path());

        assertThatExceptionOfType(LinuxException.class)
                .isThrownBy(() -> folders.prepare(in("a/b")))
                .satisfies(e -> assertThat(e.is(Errno.ELOOP, Errno.ENOTDIR)).isTrue());

        assertThat(Files.isSymbolicLink(volume.resolve(place))).isTrue();
        assertThat(sandbox.mounts()).isEmpty();
        canary.isUntouched();
    }

    @Test
    void missingVolumeIsNeverMade() throws IOException {
        run("rm", "-rf", kubelet.resolve("pods/uid").toString());

        for (FolderLocation location : new FolderLocation[] {hooks(), in(""), in("a/b")}) {
            assertThatExceptionOfType(LinuxException.class)
                    .isThrownBy(() -> folders.prepare(location))
                    .satisfies(e -> assertThat(e.is(Errno.ENOENT)).isTrue());
        }

        assertThat(kubelet.resolve("pods")).isEmptyDirectory();
        assertThat(sandbox.mounts()).isEmpty();
    }

    @Test
    void volumeThatIsGoneIsRemovedWithoutAnythingBeingMade() throws IOException {
        PreparedFolder prepared = folders.prepare(hooks());
        run("rm", "-rf", kubelet.resolve("pods/uid").toString());

        folders.removeSocket(prepared.folder(), "n.sock");
        folders.remove(prepared.folder());

        assertThat(kubelet.resolve("pods")).isEmptyDirectory();
        assertThat(sandbox.mounts()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"link", "fifo", "file", "folder"})
    void whateverStandsInTheSocketsPlaceIsRemovedAlone(String kind) throws IOException {
        Sandbox.Canary canary = sandbox.canary();
        PreparedFolder prepared = folders.prepare(in(""));
        Path place = volume.resolve("net1.sock");
        switch (kind) {
            case "link" -> Files.createSymbolicLink(place, canary.path().resolve("inner/precious"));
            case "fifo" -> run("mkfifo", place.toString());
            case "file" -> Files.writeString(place, "in the way");
            default -> {
                Files.createDirectories(place.resolve("deep"));
                Files.createSymbolicLink(place.resolve("deep/link"), canary.path());
            }
        }

        folders.removeSocket(prepared.folder(), "net1.sock");

        assertThat(exists(place)).isFalse();
        canary.isUntouched();
    }
}
