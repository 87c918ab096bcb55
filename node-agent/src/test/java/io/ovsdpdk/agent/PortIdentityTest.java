package io.ovsdpdk.agent;

import static org.assertj.core.api.Assertions.assertThat;

import io.ovsdpdk.agent.host.FolderLocation;
import io.ovsdpdk.agent.host.Ownership;
import io.ovsdpdk.agent.kubernetes.Cluster;
import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.PodIdentity;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PortIdentityTest {
    private static final AttachmentId ID = new AttachmentId("0123456789abcdef", "net1");

    private final Attachment attachment = CheckpointsTest.attachment(ID);
    private final Map<String, String> ids = new HashMap<>(PortIdentity.externalIds(attachment));

    private Optional<Attachment> read() {
        return PortIdentity.attachment(
                ids,
                "br0",
                new SocketPlaces(new SharedRoots(List.of(Path.of("/srv"))), Path.of("/var/lib/kubelet"), Cluster.NONE),
                TestAgent.socketFolders(Path.of("/run/p")));
    }

    @Test
    void portTellsWhoseItIs() {
        assertThat(ids)
                .isEqualTo(Map.of(
                        "owner", "ovs-dpdk-cni",
                        "container-id", "0123456789abcdef",
                        "ifname", "net1",
                        "network", "blue",
                        "sandbox", "/run/netns/x",
                        "socket-path", "/srv/0123456789ab/net1.sock",
                        "attached-mac", "02:00:00:00:00:01",
                        "pod-namespace", "default",
                        "pod-name", "pod"));
    }

    @Test
    void identityIsReadAgain() {
        Attachment found = read().orElseThrow();

        assertThat(found.id()).isEqualTo(ID);
        assertThat(found.pod()).isEqualTo(attachment.pod());
        assertThat(found.network()).isEqualTo("blue");
        assertThat(found.folder().location()).isEqualTo(attachment.folder().location());
        assertThat(found.attached().socketPath()).isEqualTo("/srv/0123456789ab/net1.sock");
        assertThat(found.state()).isEqualTo(Attachment.State.REMOVING);
    }

    @ParameterizedTest
    @ValueSource(strings = {"owner", "container-id", "ifname", "socket-path", "attached-mac"})
    void withoutThisItIsNobodys(String key) {
        ids.remove(key);

        assertThat(read()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({
        "owner, ovs-cni",
        "container-id, ../../etc",
        "ifname, a/b",
        "ifname, ..",
        "socket-path, net1.sock",
        "socket-path, /net1.sock",
        "socket-path, /etc/x/net1.sock",
        "socket-path, /srv/../etc/x/net1.sock",
        "socket-path, /srv/../../0123456789ab/net1.sock",
        "pod-name, a b"
    })
    void tamperedIdentityIsNobodys(String key, String value) {
        ids.put(key, value);

        assertThat(read()).isEmpty();
    }

    /** The folder's name comes from the container ID: a socket path can't lead into another's. */
    @Test
    void folderIsTheContainersOwnWhateverThePathSays() {
        ids.put("socket-path", "/srv/another-container/net1.sock");

        assertThat(read().orElseThrow().folder().location().toString()).isEqualTo("/srv/0123456789ab");
    }

    private void isIn(String folder) {
        ids.put("pod-uid", "u-1");
        ids.put("socket-path", "/sockets/net1.sock");
        ids.put("socket-folder", folder);
    }

    @ParameterizedTest
    @CsvSource({
        "HOOKS, /var/lib/kubelet/pods/u-1/volumes/kubernetes.io~empty-dir/hook-sidecar-sockets/ovs-dpdk/sockets",
        "VOLUME, /var/lib/kubelet/pods/u-1/volumes/kubernetes.io~empty-dir/v",
        "SUB_FOLDER, /var/lib/kubelet/pods/u-1/volumes/kubernetes.io~empty-dir/v/a/b",
        "SUB_FOLDER, /var/lib/kubelet/pods/u-1/volumes/kubernetes.io~empty-dir/v/ovs-dpdk/sockets",
        "VOLUME, /srv/deep/folder"
    })
    void folderInAVolumeIsReadAgain(FolderLocation.Layout layout, String folder) {
        isIn(folder);

        Attachment found = read().orElseThrow();

        assertThat(found.folder().location().layout()).isEqualTo(layout);
        assertThat(found.folder().location().toString()).isEqualTo(folder);
        assertThat(found.pod()).isEqualTo(new PodIdentity("default", "pod", "u-1"));
        assertThat(found.attached().socketPath()).isEqualTo("/sockets/net1.sock");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/etc",
                "/",
                "",
                "relative",
                "/var/lib/kubelet",
                "/var/lib/kubelet/pods/u-1/volumes/kubernetes.io~empty-dir",
                "/var/lib/kubelet/pods/u-1/volumes/kubernetes.io~secret/v",
                "/var/lib/kubelet/pods/u-2/volumes/kubernetes.io~empty-dir/v",
                "/var/lib/kubelet/pods/u-1/volumes/kubernetes.io~empty-dir/../../../u-2",
                "/srv",
                "/srv/../etc"
            })
    void folderThatWeCouldNotHaveChosenIsNobodys(String folder) {
        isIn(folder);

        assertThat(read()).isEmpty();
    }

    @Test
    void attachmentInAVolumeTellsOfItsFolder() {
        FolderLocation location = FolderLocation.volume(
                Path.of("/var/lib/kubelet"), Path.of("pods/u/volumes/x"), Path.of("a"), Ownership.ANYBODY);

        assertThat(PortIdentity.externalIds(CheckpointsTest.attachment(ID, location)))
                .containsEntry("socket-folder", "/var/lib/kubelet/pods/u/volumes/x/a");
    }
}
