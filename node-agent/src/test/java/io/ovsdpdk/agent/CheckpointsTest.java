package io.ovsdpdk.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIOException;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.agent.host.FolderLocation;
import io.ovsdpdk.agent.host.Ownership;
import io.ovsdpdk.agent.host.SocketFolder;
import io.ovsdpdk.api.Attached;
import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.MacAddress;
import io.ovsdpdk.api.PodIdentity;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.OptionalInt;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class CheckpointsTest {
    private static final AttachmentId ID = new AttachmentId("0123456789abcdef", "net1");

    @TempDir
    private Path folder;

    private Checkpoints checkpoints;

    @BeforeEach
    void open() {
        checkpoints = new Checkpoints(folder, "boot");
    }

    static Attachment attachment(AttachmentId id) {
        return attachment(id, new FolderLocation(Path.of("/srv"), Path.of(""), "0123456789ab"));
    }

    static Attachment attachment(AttachmentId id, FolderLocation location) {
        return new Attachment(
                id,
                new PodIdentity("default", "pod", ""),
                "blue",
                "br0",
                new SocketFolder(location, location.path(), Path.of("/run/p/0123456789abcdef")),
                Path.of("/run/p/0123456789abcdef/net1.sock"),
                new Attached(
                        id.ifname(),
                        "/run/netns/x",
                        new MacAddress("02:00:00:00:00:01"),
                        OptionalInt.of(1400),
                        "/srv/0123456789ab/net1.sock",
                        Json.object().put("ips", "some")),
                true,
                "digest",
                Attachment.State.MADE);
    }

    private Path file(AttachmentId id) {
        return folder.resolve(PortName.of(id) + ".json");
    }

    private List<String> files() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }

    /** The agent may die whenever a file is empty, and the port would be forgotten. */
    @Test
    void removalOfWhatWasNotFinishedLeavesTheFileAsItIs() throws Exception {
        checkpoints.write(attachment(ID).as(Attachment.State.MAKING));
        Path unfinished = folder.resolve(PortName.of(ID) + ".unfinished");
        FileTime before = FileTime.from(Instant.now().minusSeconds(60));
        Files.setLastModifiedTime(unfinished, before);

        checkpoints.write(attachment(ID).as(Attachment.State.REMOVING));

        assertThat(files()).containsExactly(unfinished.getFileName().toString());
        assertThat(Files.getLastModifiedTime(unfinished)).isEqualTo(before);
    }

    /** The kernel's clock for files ticks every few milliseconds. */
    @Test
    void orderIsThatOfTheWritingHoweverFast() throws Exception {
        List<Attachment> written = IntStream.range(0, 50)
                .mapToObj(i -> attachment(new AttachmentId("container-" + i, "net1")))
                .toList();
        for (Attachment attachment : written) {
            checkpoints.write(attachment);
        }

        assertThat(new Checkpoints(folder, "boot").readAll()).containsExactlyElementsOf(written);
    }

    @Test
    void orderIsThatOfTheWritingAlsoWhenTheClockWasPutBack() throws Exception {
        Attachment later = attachment(new AttachmentId("other", "eth0"));
        checkpoints.write(attachment(ID));
        Files.setLastModifiedTime(file(ID), FileTime.from(Instant.now().plus(Duration.ofHours(1))));
        Checkpoints next = new Checkpoints(folder, "boot");
        next.readAll();

        next.write(later);

        assertThat(new Checkpoints(folder, "boot").readAll()).containsExactly(attachment(ID), later);
    }

    @Test
    void whatIsWrittenIsReadAgain() throws Exception {
        Attachment other = attachment(new AttachmentId("other", "eth0")).as(Attachment.State.REMOVING);
        checkpoints.write(attachment(ID));
        checkpoints.write(other);

        assertThat(checkpoints.readAll()).containsExactlyInAnyOrder(attachment(ID), other);
    }

    @Test
    void oneOfAnAgentThatKnewNoLegacyAnnotationsIsRead() throws Exception {
        checkpoints.write(attachment(ID));
        String text = Files.readString(file(ID));
        Files.writeString(file(ID), text.replace("\"legacyAnnotations\":true,", ""));

        assertThat(text).contains("legacyAnnotations");
        assertThat(checkpoints.readAll()).singleElement().satisfies(old -> assertThat(old.legacyAnnotations())
                .isFalse());
    }

    @Test
    void lastStateCounts() throws Exception {
        checkpoints.write(attachment(ID).as(Attachment.State.MAKING));
        checkpoints.write(attachment(ID));

        assertThat(checkpoints.readAll()).containsExactly(attachment(ID));
        assertThat(files()).hasSize(1);

        checkpoints.write(attachment(ID).as(Attachment.State.REMOVING));

        assertThat(checkpoints.readAll()).containsExactly(attachment(ID).as(Attachment.State.REMOVING));
        assertThat(files()).hasSize(1);
    }

    /** Its container is gone, and the runtime may not ask for its end. */
    @Test
    void oneOfBeforeTheNodesRestartIsToBeRemoved() throws Exception {
        checkpoints.write(attachment(ID));

        assertThat(new Checkpoints(folder, "next boot").readAll())
                .containsExactly(attachment(ID).as(Attachment.State.REMOVING));
    }

    /** It was killed while it wrote, so it had made nothing yet. */
    @Test
    void halfWrittenOneIsDeleted() throws Exception {
        checkpoints.write(attachment(ID).as(Attachment.State.MAKING));
        Path unfinished = folder.resolve(PortName.of(ID) + ".unfinished");
        Files.writeString(unfinished, Files.readString(unfinished).substring(0, 100));

        assertThat(checkpoints.readAll()).isEmpty();

        assertThat(files()).isEmpty();
    }

    @Test
    void anOldersStateInsideCountsUntilItsAttachmentIsRemoved() throws Exception {
        checkpoints.write(attachment(ID));
        String text = Files.readString(file(ID));
        Files.writeString(file(ID), text.replace("\"version\":3,", "\"version\":2,\"state\":\"MAKING\","));

        assertThat(checkpoints.readAll()).containsExactly(attachment(ID).as(Attachment.State.MAKING));

        Files.writeString(file(ID), text.replace("\"version\":3,", "\"version\":2,\"state\":\"MADE\","));
        checkpoints.write(attachment(ID).as(Attachment.State.REMOVING));

        assertThat(checkpoints.readAll()).containsExactly(attachment(ID).as(Attachment.State.REMOVING));
    }

    @Test
    void onlyTheAgentReadsThem() throws Exception {
        checkpoints.write(attachment(ID));

        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file(ID))))
                .isEqualTo("rw-------");
    }

    @Test
    void deletedOneIsGoneAndDeletingAgainDoesNoHarm() throws Exception {
        checkpoints.write(attachment(ID));

        checkpoints.delete(attachment(ID));
        checkpoints.delete(attachment(ID));

        assertThat(files()).isEmpty();
    }

    /** A folder in its way stands for a disk that is full: see AttachmentsTest for the real thing. */
    @Test
    void whatCanNotBeNotedStaysAsItWas() throws Exception {
        checkpoints.write(attachment(ID).as(Attachment.State.MAKING));
        Files.createDirectories(folder.resolve(PortName.of(ID) + ".json/in/the/way"));

        assertThatIOException().isThrownBy(() -> checkpoints.write(attachment(ID)));

        assertThat(checkpoints.readAll()).containsExactly(attachment(ID).as(Attachment.State.REMOVING));
    }

    /** Whoever writes again must not take the half that is there for all of it. */
    @Test
    void whatDidNotFitOnTheDiskIsWrittenOnceThereIsRoom() throws Exception {
        TestAgent.run("mount", "-t", "tmpfs", "-o", "size=4k", "none", folder.toString());
        try {
            Path filler = Files.write(folder.resolve("filler"), new byte[4096]);
            Attachment leaving = attachment(ID).as(Attachment.State.REMOVING);
            assertThatIOException().isThrownBy(() -> checkpoints.write(leaving));
            assertThat(files()).containsExactly("filler");
            Files.delete(filler);

            checkpoints.write(leaving);

            assertThat(checkpoints.readAll()).containsExactly(leaving);
        } finally {
            TestAgent.run("umount", folder.toString());
        }
    }

    @Test
    void oneThatWouldBeTooLongToBeReadIsRefused() throws Exception {
        Attachment small = attachment(ID);
        Attached attached = small.attached();
        Attachment large = new Attachment(
                ID,
                small.pod(),
                small.network(),
                small.bridge(),
                small.folder(),
                small.switchSocket(),
                new Attached(
                        attached.ifname(),
                        attached.sandbox(),
                        attached.mac(),
                        attached.mtu(),
                        attached.socketPath(),
                        Json.object().put("ips", "x".repeat(Json.MAX_BYTES - 200))),
                small.legacyAnnotations(),
                small.digest(),
                small.state());

        assertThatIOException()
                .isThrownBy(() -> checkpoints.write(large))
                .withMessageContaining("the limit is 1048576");

        assertThat(files()).isEmpty();
    }

    static List<FolderLocation> volumes() {
        Path root = Path.of("/var/lib/kubelet");
        Path volume = Path.of("pods/uid/volumes/kubernetes.io~empty-dir/v");
        return List.of(
                FolderLocation.hooks(root, volume, Ownership.of(107, 107)),
                FolderLocation.volume(root, volume, Path.of(""), Ownership.ANYBODY),
                FolderLocation.volume(root, volume, Path.of("a"), Ownership.of(1000, 2000)),
                FolderLocation.volume(root, volume, Path.of("a/b c"), Ownership.ANYBODY));
    }

    @ParameterizedTest
    @MethodSource("volumes")
    void folderInAVolumeIsReadAgain(FolderLocation location) throws Exception {
        checkpoints.write(attachment(ID, location));

        assertThat(checkpoints.readAll()).containsExactly(attachment(ID, location));
    }

    @Test
    void checkpointOfAnAgentThatKnewOfNoVolumesIsRead() throws Exception {
        checkpoints.write(attachment(ID));
        var written = Json.readObject("checkpoint", Files.readAllBytes(file(ID)));
        ((ObjectNode) written.get("folder")).remove(List.of("layout", "volume", "uid", "gid", "mode"));
        Files.write(file(ID), Json.write(written.put("version", 1).put("state", "MADE")));

        assertThat(checkpoints.readAll()).containsExactly(attachment(ID));
    }

    @Test
    void strangersFilesAreLeftAlone() throws Exception {
        Files.writeString(folder.resolve("notes.txt"), "mine");

        assertThat(checkpoints.readAll()).isEmpty();

        assertThat(files()).containsExactly("notes.txt");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "{\"half",
                "[]",
                "{}",
                "{\"version\":1}",
                "{\"version\":4,REST",
                "{\"version\":0,REST",
                "{\"version\":\"1\",REST",
                "{\"version\":1,\"attached\":{},REST",
                "{\"state\":\"DREAMT\",REST",
                "{\"ifname\":\"a/b\",REST",
                "{\"ifname\":7,REST"
            })
    void brokenOneIsPutAsideAndTheOthersAreRead(String content) throws Exception {
        AttachmentId broken = new AttachmentId("broken", "net1");
        checkpoints.write(attachment(ID));
        checkpoints.write(attachment(broken));
        Files.writeString(file(broken), content.endsWith("REST") ? replaceFirstKeys(content, file(broken)) : content);

        assertThat(checkpoints.readAll()).containsExactly(attachment(ID));

        assertThat(files()).containsExactlyInAnyOrder(PortName.of(ID) + ".json", PortName.of(broken) + ".json.broken");
    }

    /** The checkpoint with other values for the keys in {@code content}, which ends where the rest goes on. */
    private static String replaceFirstKeys(String content, Path checkpoint) throws Exception {
        var whole = Json.readObject("checkpoint", Files.readAllBytes(checkpoint));
        var changes = Json.readObject(
                "changes", content.replace(",REST", "}").getBytes(java.nio.charset.StandardCharsets.UTF_8));
        whole.setAll(changes);
        return whole.toString();
    }

    @Test
    void oneUnderAWrongNameIsPutAside() throws Exception {
        checkpoints.write(attachment(ID));
        Files.move(file(ID), folder.resolve("vhu00000000000.json"));

        assertThat(checkpoints.readAll()).isEmpty();

        assertThat(files()).containsExactly("vhu00000000000.json.broken");
    }

    @Test
    void folderUnderACheckpointsNameIsPutAside() throws Exception {
        checkpoints.write(attachment(ID));
        Files.createDirectories(folder.resolve("vhu00000000000.json/deep"));

        assertThat(checkpoints.readAll()).containsExactly(attachment(ID));

        assertThat(files()).contains("vhu00000000000.json.broken");
    }

    @Test
    void missingFolderIsAnError() {
        assertThatExceptionOfType(IOException.class)
                .isThrownBy(() -> new Checkpoints(folder.resolve("none"), "boot").readAll());
    }
}
