package io.ovsdpdk.agent;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.agent.host.FolderLocation;
import io.ovsdpdk.agent.host.Ownership;
import io.ovsdpdk.agent.host.SocketFolder;
import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.PodIdentity;
import io.ovsdpdk.api.Wire;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One file for each attachment, named after its port: what the agent must not forget when it dies. How far the attachment
 * has come stands in the file's name, so that the next state is one rename: {@code .unfinished} while it is made or
 * removed, {@code .json} in between.
 *
 * <p>A file that was not written to its end belongs to an attachment of which nothing was made yet, or whose port tells
 * enough to take it down. Nothing is synced to the disk: after a power cut all containers are gone; what their DELs need
 * then stands in the ports' {@code external_ids} too (see {@link PortIdentity}).
 */
final class Checkpoints {
    private static final Logger LOG = LoggerFactory.getLogger(Checkpoints.class);

    /** An older agent would put it aside. Version 1 knew no volumes of pods; it and version 2 told the state inside. */
    private static final int VERSION = 3;

    private static final String MADE = ".json";
    private static final String UNFINISHED = ".unfinished";
    private static final Set<OpenOption> ANEW =
            Set.of(StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE);
    private static final FileAttribute<Set<PosixFilePermission>> PRIVATE =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));

    private static final Path BOOT_ID = Path.of("/proc/sys/kernel/random/boot_id");

    /** Nanoseconds: as fine as Java sets the time of a file. */
    private static final long TICK = 1000;

    private final Path folder;
    private final String boot;

    /** The time of the file that was first written last, which tells the order to the next agent. */
    private FileTime newest = FileTime.fromMillis(0);

    /**
     * @param folder exists, and nobody but the agent writes there
     * @param boot which start of the node this is: no container outlives it
     */
    Checkpoints(Path folder, String boot) {
        this.folder = folder;
        this.boot = boot;
    }

    /** Of this start of the node. */
    static Checkpoints in(Path folder) throws IOException {
        return new Checkpoints(folder, Files.readString(BOOT_ID).strip());
    }

    /**
     * Notes how far an attachment has come, and all of it if nothing of it was noted before.
     *
     * @throws IOException also when it would be too long to be read again; what was noted before stays
     */
    void write(Attachment attachment) throws IOException {
        boolean made = attachment.state() == Attachment.State.MADE;
        Path unfinished = file(attachment, UNFINISHED);
        Path finished = file(attachment, MADE);
        if (attachment.state() == Attachment.State.MAKING) {
            writeAnew(attachment, unfinished);
        } else if (!rename(made ? unfinished : finished, made ? finished : unfinished)) {
            // What stands there says so already; emptied to be written anew, it could be lost while there is a port
            if (made || !Files.exists(unfinished)) {
                writeAnew(attachment, unfinished);
            }
            if (made) {
                rename(unfinished, finished);
            }
        }
    }

    /** @return false if there is no such file */
    private static boolean rename(Path from, Path to) throws IOException {
        try {
            Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
            return true;
        } catch (NoSuchFileException e) {
            return false;
        }
    }

    private void writeAnew(Attachment attachment, Path file) throws IOException {
        byte[] json = Json.write(toJson(attachment));
        if (json.length > Json.MAX_BYTES) {
            throw new IOException("it would have " + json.length + " bytes, the limit is " + Json.MAX_BYTES);
        }
        try (SeekableByteChannel channel = Files.newByteChannel(file, ANEW, PRIVATE)) {
            for (ByteBuffer bytes = ByteBuffer.wrap(json); bytes.hasRemaining(); ) {
                channel.write(bytes);
            }
        } catch (IOException e) {
            deleteAfter(e, file);
            throw e;
        }
        keepOrder(file);
    }

    /** The half of it would be taken for all of it when it is written again. */
    private static void deleteAfter(IOException failure, Path file) {
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            failure.addSuppressed(e);
        }
    }

    /** The clock may have been put back, and its ticks are longer than an ADD. */
    private synchronized void keepOrder(Path file) throws IOException {
        FileTime written = Files.getLastModifiedTime(file, LinkOption.NOFOLLOW_LINKS);
        if (written.compareTo(newest) <= 0) {
            written = FileTime.from(newest.toInstant().plusNanos(TICK));
            Files.setLastModifiedTime(file, written);
        }
        newest = written;
    }

    void delete(Attachment attachment) throws IOException {
        Files.deleteIfExists(file(attachment, UNFINISHED));
        Files.deleteIfExists(file(attachment, MADE));
    }

    /**
     * All that were written and not deleted, in the order in which they were first written. One that can't be read is put
     * aside under the ending {@code .broken} and logged; it must not keep the agent from serving the others.
     *
     * @throws IOException when the folder can't be read
     */
    List<Attachment> readAll() throws IOException {
        List<Attachment> attachments = new ArrayList<>();
        for (Path file : inOrder()) {
            try {
                attachments.add(read(file));
            } catch (CniException | IllegalArgumentException | IOException e) {
                putAside(file, e);
            }
        }
        return attachments;
    }

    private synchronized List<Path> inOrder() throws IOException {
        Map<Path, FileTime> files = new HashMap<>();
        try (DirectoryStream<Path> all = Files.newDirectoryStream(folder, "*{" + MADE + "," + UNFINISHED + "}")) {
            for (Path file : all) {
                files.put(file, Files.getLastModifiedTime(file, LinkOption.NOFOLLOW_LINKS));
            }
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        }
        List<Path> sorted =
                files.keySet().stream().sorted(Comparator.comparing(files::get)).toList();
        if (!sorted.isEmpty()) {
            newest = files.get(sorted.getLast());
        }
        return sorted;
    }

    private static void putAside(Path file, Exception e) {
        if (e instanceof CniException && file.toString().endsWith(UNFINISHED)) {
            deleteHalfWritten(file);
        } else {
            putAside(file, e.getMessage());
        }
    }

    private static void deleteHalfWritten(Path file) {
        try {
            Files.delete(file);
            LOG.info("deleted what an agent left half written: file={}", file);
        } catch (IOException e) {
            LOG.warn("can't delete what an agent left half written: file={} reason={}", file, e.toString());
        }
    }

    /** Sees to it that an attachment is not read again; an administrator finds it under the ending {@code .broken}. */
    void putAside(Attachment attachment, String reason) {
        Path unfinished = file(attachment, UNFINISHED);
        putAside(Files.exists(unfinished) ? unfinished : file(attachment, MADE), reason);
    }

    private static void putAside(Path file, String reason) {
        Path aside = file.resolveSibling(file.getFileName() + ".broken");
        try {
            Files.move(file, aside, StandardCopyOption.REPLACE_EXISTING);
            LOG.error("put aside a checkpoint: file={} reason={}", aside, reason);
        } catch (IOException e) {
            LOG.error("can't put aside a checkpoint: file={} reason={}, and {}", file, reason, e.toString());
        }
    }

    private Path file(Attachment attachment, String ending) {
        return folder.resolve(attachment.portName() + ending);
    }

    private ObjectNode toJson(Attachment attachment) {
        ObjectNode node = Json.object()
                .put("version", VERSION)
                .put("boot", boot)
                .put("containerId", attachment.id().containerId())
                .put("ifname", attachment.id().ifname());
        node.putObject("pod")
                .put("namespace", attachment.pod().namespace())
                .put("name", attachment.pod().name())
                .put("uid", attachment.pod().uid());
        node.put("network", attachment.network()).put("bridge", attachment.bridge());
        FolderLocation location = attachment.folder().location();
        node.putObject("folder")
                .put("layout", location.layout().name())
                .put("trustedRoot", location.trustedRoot().toString())
                .put("volume", location.volume().toString())
                .put("below", location.below().toString())
                .put("containerFolder", location.name())
                .put("uid", location.owner().uid())
                .put("gid", location.owner().gid())
                .put("mode", location.owner().mode())
                .put("hostPath", attachment.folder().hostPath().toString())
                .put("mountPoint", attachment.folder().mountPoint().toString());
        node.put("switchSocket", attachment.switchSocket().toString()).put("digest", attachment.digest());
        node.put("legacyAnnotations", attachment.legacyAnnotations());
        node.set("attached", Wire.toJson(attachment.attached()));
        return node;
    }

    private Attachment read(Path file) throws IOException, CniException {
        ObjectNode node = Json.readObject("checkpoint", Files.readAllBytes(file));
        JsonNode version = node.path("version");
        if (!version.isInt() || version.intValue() < 1 || version.intValue() > VERSION) {
            throw new IllegalArgumentException("version " + version + " is not from 1 to " + VERSION);
        }
        if (!(node.path("attached") instanceof ObjectNode attached)) {
            throw new IllegalArgumentException("it has no \"attached\"");
        }
        JsonNode pod = node.path("pod");
        JsonNode folder = node.path("folder");
        Attachment attachment = new Attachment(
                new AttachmentId(text(node, "containerId"), text(node, "ifname")),
                new PodIdentity(text(pod, "namespace"), text(pod, "name"), text(pod, "uid")),
                text(node, "network"),
                text(node, "bridge"),
                new SocketFolder(
                        location(folder), Path.of(text(folder, "hostPath")), Path.of(text(folder, "mountPoint"))),
                Path.of(text(node, "switchSocket")),
                Wire.attached(attached),
                // An agent that did not know of them left it out
                node.path("legacyAnnotations").booleanValue(),
                text(node, "digest"),
                state(node, file));
        if (!file.getFileName().toString().startsWith(attachment.portName() + ".")) {
            throw new IllegalArgumentException("it belongs to port " + attachment.portName());
        }
        return attachment;
    }

    /** What was made before the node was started has nobody left who uses it, and nobody asks for its end. */
    private Attachment.State state(ObjectNode node, Path file) {
        if (file.toString().endsWith(UNFINISHED)
                || !node.path("boot").asText(boot).equals(boot)) {
            return Attachment.State.REMOVING;
        }
        return node.has("state") ? Attachment.State.valueOf(text(node, "state")) : Attachment.State.MADE;
    }

    /** Version 1 may stand without what only volumes need. */
    private static FolderLocation location(JsonNode folder) {
        Path trustedRoot = Path.of(text(folder, "trustedRoot"));
        Path below = Path.of(text(folder, "below"));
        String name = text(folder, "containerFolder");
        if (!folder.has("layout")) {
            return new FolderLocation(trustedRoot, below, name);
        }
        return new FolderLocation(
                FolderLocation.Layout.valueOf(text(folder, "layout")),
                trustedRoot,
                Path.of(text(folder, "volume")),
                below,
                name,
                new Ownership(
                        folder.path("uid").asInt(-1),
                        folder.path("gid").asInt(-1),
                        folder.path("mode").asInt(-1)));
    }

    private static String text(JsonNode node, String key) {
        if (!node.path(key).isTextual()) {
            throw new IllegalArgumentException("it has no \"" + key + "\"");
        }
        return node.get(key).textValue();
    }
}
