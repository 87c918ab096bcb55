package io.ovsdpdk.agent.host;

import static io.ovsdpdk.agent.host.AccessControlList.ACCESS;
import static io.ovsdpdk.agent.host.AccessControlList.DEFAULT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A switch that is not root, and pods that are not either, as the kernel sees them. */
@Timeout(120)
class SocketAccessTest {

    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final Duration PATIENCE = Duration.ofSeconds(10);
    private static final OtherUser OVS = new OtherUser(4242);
    private static final OtherUser STRANGER = new OtherUser(4343);
    private static final OtherUser POD = new OtherUser(107);
    private static final String SOCKET = "net1.sock";
    private static final String CONNECTED = "connected";
    private static final String DENIED = "Permission denied";

    /** Counts what the agent asks the kernel for. */
    private static final class CountingCalls extends LinuxCalls {
        private final AtomicInteger looks = new AtomicInteger();
        private final AtomicInteger changes = new AtomicInteger();
        private final AtomicInteger listings = new AtomicInteger();
        private final AtomicInteger losses = new AtomicInteger();

        /** What the next reading of events fails with. */
        private final AtomicReference<Throwable> fault = new AtomicReference<>();

        /** How many attempts to watch fail from now on. */
        private final AtomicInteger unwatchable = new AtomicInteger();

        /** How many looks of a watch's thread fail from now on. */
        private final AtomicInteger blind = new AtomicInteger();

        /** Whether the rights of the file that is asked for next can't be read, then and ever after. */
        private volatile boolean breaking;

        /** Its label. */
        private final AtomicReference<String> broken = new AtomicReference<>();

        /** Holds up the watch's thread while it is not open. */
        private volatile CountDownLatch gate = new CountDownLatch(0);

        @Override
        Descriptor openEntry(Descriptor at, FileName name) throws LinuxException {
            looks.incrementAndGet();
            if (Thread.currentThread().getName().equals("folder-watch")) {
                passGate();
                fail(blind);
            }
            return super.openEntry(at, name);
        }

        @Override
        int addWatch(Descriptor inotify, String path, long events) throws LinuxException {
            fail(unwatchable);
            return super.addWatch(inotify, path, events);
        }

        private static void fail(AtomicInteger times) {
            if (times.getAndUpdate(left -> Math.max(0, left - 1)) > 0) {
                throw new OutOfMemoryError("for a test");
            }
        }

        private void passGate() {
            try {
                gate.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }

        @Override
        Set<Integer> awaitEvents(Descriptor inotify, MemorySegment buffer) throws LinuxException {
            Set<Integer> watches = super.awaitEvents(inotify, buffer);
            switch (fault.getAndSet(null)) {
                case LinuxException e -> throw e;
                case Error e -> throw e;
                case null, default -> {}
            }
            if (watches.contains(EVENTS_LOST)) {
                losses.incrementAndGet();
            }
            return watches;
        }

        @Override
        Optional<byte[]> attribute(Descriptor file, String attribute) throws LinuxException {
            if (breaking) {
                broken.compareAndSet(null, file.label());
            }
            if (file.label().equals(broken.get())) {
                throw new IllegalArgumentException("not an access control list");
            }
            return super.attribute(file, attribute);
        }

        @Override
        void setAttribute(Descriptor file, String attribute, byte[] value) throws LinuxException {
            changes.incrementAndGet();
            super.setAttribute(file, attribute, value);
        }

        @Override
        void rewind(Descriptor folder) throws LinuxException {
            listings.incrementAndGet();
            super.rewind(folder);
        }
    }

    private final CountingCalls calls = new CountingCalls();
    private Sandbox sandbox;
    private SocketAccess access;
    private SocketFolders folders;

    @BeforeEach
    void start() throws IOException {
        sandbox = new Sandbox();
        use(SwitchUser.of(OVS.uid()));
    }

    @AfterEach
    void clean() throws IOException {
        access.close();
        sandbox.close();
    }

    private void use(SwitchUser user) throws LinuxException {
        if (access != null) {
            access.close();
        }
        access = new SocketAccess(calls, user);
        folders = new SocketFolders(calls, sandbox.path.resolve("p"), Nosymfollow.REQUIRED, access, LIMIT);
    }

    private SocketFolder prepare() throws IOException {
        return folders.prepare(location()).folder();
    }

    private FolderLocation location() {
        return new FolderLocation(sandbox.path.resolve("v"), Path.of(""), "c1");
    }

    /** Prepared and followed, as an ADD does it. */
    private SocketFolder attach() throws IOException {
        SocketFolder folder = prepare();
        folders.follow(folder, SOCKET);
        return folder;
    }

    private void mount(String fileSystem) throws IOException {
        Sandbox.run("mount", "-t", fileSystem, "none", sandbox.folder("v").toString());
    }

    private static Path socketIn(SocketFolder folder) {
        return folder.hostPath().resolve(SOCKET);
    }

    private static Path seenBySwitch(SocketFolder folder) {
        return folder.mountPoint().resolve(SOCKET);
    }

    private static void awaitConnection(Path socket) {
        await().atMost(PATIENCE)
                .untilAsserted(() -> assertThat(OVS.connect(socket)).isEqualTo(CONNECTED));
    }

    private AccessControlList list(Path file, String attribute) throws IOException {
        try (Folder parent = Folder.open(calls, file.getParent())) {
            Descriptor entry = calls.openEntry(
                    parent.descriptor(), FileName.of(file.getFileName().toString()));
            try {
                return AccessControlList.decode(
                        calls.attribute(entry, attribute).orElseThrow());
            } finally {
                calls.close(entry);
            }
        }
    }

    private static int modeOf(Path file) throws IOException {
        return (int) Files.getAttribute(file, "unix:mode", LinkOption.NOFOLLOW_LINKS) & 07777;
    }

    @ParameterizedTest
    @CsvSource({
        "ext4, 000",
        "ext4, 002",
        "ext4, 022",
        "ext4, 077",
        "tmpfs, 000",
        "tmpfs, 002",
        "tmpfs, 022",
        "tmpfs, 077"
    })
    void switchConnectsWhateverTheUmaskAndNobodyElseDoes(String fileSystem, String umask) throws IOException {
        if (fileSystem.equals("tmpfs")) {
            mount("tmpfs");
        }
        SocketFolder folder = attach();

        try (var _ = POD.listen(socketIn(folder), Integer.parseInt(umask, 8))) {
            awaitConnection(seenBySwitch(folder));

            assertThat(STRANGER.connect(seenBySwitch(folder))).isEqualTo(DENIED);
            assertThat(POD.connect(socketIn(folder))).isEqualTo(CONNECTED);
        }
    }

    /** So a virtual machine that starts while the agent is replaced does not wait for it. */
    @ParameterizedTest
    @ValueSource(strings = {"000", "002"})
    void withAUmaskThatLeavesTheGroupItsWriteBitNoAgentIsNeeded(String umask) throws IOException {
        SocketFolder folder = prepare();

        try (var _ = POD.listen(socketIn(folder), Integer.parseInt(umask, 8))) {
            assertThat(OVS.connect(seenBySwitch(folder))).isEqualTo(CONNECTED);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"022", "077"})
    void withAnotherUmaskTheWatchIsNeeded(String umask) throws IOException {
        SocketFolder folder = prepare();

        try (var _ = POD.listen(socketIn(folder), Integer.parseInt(umask, 8))) {
            assertThat(OVS.connect(seenBySwitch(folder))).isEqualTo(DENIED);

            folders.follow(folder, SOCKET);

            assertThat(OVS.connect(seenBySwitch(folder)))
                    .as("a socket that was there first")
                    .isEqualTo(CONNECTED);
        }
    }

    /** A pod's volume is anybody's to write to: only the folders above keep others out. */
    @ParameterizedTest
    @ValueSource(ints = {0, 4242})
    void nobodyElseGetsToTheMounts(int user) throws IOException {
        use(SwitchUser.of(user));
        // As another agent made it
        Sandbox.run("chmod", "0711", sandbox.folder("p").toString());
        SocketFolder folder = folders.prepare(inVolume("volume")).folder();
        Files.writeString(folder.hostPath().resolve(SOCKET), "");

        assertThat(STRANGER.run("rm \"$1\" || true", seenBySwitch(folder))).contains(DENIED);
        assertThat(STRANGER.run("ls \"$1\" || true", folder.mountPoint())).contains(DENIED);
        assertThat(socketIn(folder)).exists();
        assertThat(folders.verify(folder)).isEmpty();
    }

    @Test
    void folderOfTheMountsFollowsTheSwitchsUser() throws IOException {
        Path database = sandbox.file("db.sock", "");
        use(SwitchUser.ownerOf(database));
        folders.probe();
        Path mounts = sandbox.path.resolve("p");
        assertThat(Sandbox.modeAndOwner(mounts)).isEqualTo("0700 0:0");

        for (OtherUser user : new OtherUser[] {OVS, STRANGER}) {
            Sandbox.run("chown", Integer.toString(user.uid()), database.toString());
            access.lookAgain();

            assertThat(list(mounts, ACCESS))
                    .isEqualTo(AccessControlList.ofMode(0700).granting(user.uid(), AccessControlList.EXECUTE));
        }
        Sandbox.run("chown", "0", database.toString());
        access.lookAgain();
        try (Folder opened = Folder.open(calls, mounts)) {
            assertThat(calls.attribute(opened.descriptor(), ACCESS)).isEmpty();
        }
        assertThat(Sandbox.modeAndOwner(mounts)).isEqualTo("0700 0:0");
    }

    @Test
    void switchStaysInTheFolderOfTheMountsWhileTheDatabaseIsAway() throws IOException {
        Path database = sandbox.file("db.sock", "");
        Sandbox.run("chown", Integer.toString(OVS.uid()), database.toString());
        use(SwitchUser.ownerOf(database));
        folders.probe();
        Path mounts = sandbox.path.resolve("p");
        AccessControlList open = list(mounts, ACCESS);
        Files.delete(database);

        use(SwitchUser.ownerOf(database));
        folders.probe();

        assertThat(list(mounts, ACCESS)).isEqualTo(open);
        sandbox.file("db.sock", "");
        access.lookAgain();
        try (Folder opened = Folder.open(calls, mounts)) {
            assertThat(calls.attribute(opened.descriptor(), ACCESS)).isEmpty();
        }
    }

    @Test
    void folderOfTheMountsOnAFileSystemWithoutListsIsRefusedUnlessTheSwitchIsRoot() throws IOException {
        mount("ramfs");
        Path mounts = sandbox.path.resolve("v/p");
        folders = new SocketFolders(calls, mounts, Nosymfollow.REQUIRED, access, LIMIT);

        assertThat(folders.probe().explanation()).contains("--run-dir", "access control lists");

        use(SwitchUser.of(0));
        folders = new SocketFolders(calls, mounts, Nosymfollow.REQUIRED, access, LIMIT);
        Sandbox.run("chmod", "0711", mounts.toString());
        assertThat(folders.probe().level()).isEqualTo(MountSupport.Level.FULL);
        assertThat(Sandbox.modeAndOwner(mounts)).isEqualTo("0700 0:0");
    }

    @Test
    void switchGetsNoMoreThanItNeeds() throws IOException {
        SocketFolder folder = attach();
        Files.writeString(folder.hostPath().resolve("secret"), "secret");

        assertThat(OVS.run("cat \"$1\" || true", folder.mountPoint().resolve("secret")))
                .contains(DENIED);
        assertThat(OVS.run("ls \"$1\" || true", folder.mountPoint())).contains(DENIED);
        assertThat(OVS.run("touch \"$1/mine\" || true", folder.mountPoint())).contains(DENIED);
        assertThat(OVS.run("rm -f \"$1/secret\" || true", folder.mountPoint())).contains(DENIED);
    }

    @Test
    void whatIsMadeInOurFolderIsItsMakersAlone() throws IOException {
        SocketFolder folder = attach();
        Path file = folder.hostPath().resolve("file");

        POD.run("umask 077; echo secret > \"$1\"", file);

        assertThat(STRANGER.run("cat \"$1\" || true", file)).contains(DENIED);
        assertThat(POD.run("cat \"$1\"", file)).isEqualTo("secret\n");
    }

    @Test
    void modeAndOwnerOfTheFolderStay() throws IOException {
        SocketFolder folder = attach();

        assertThat(Sandbox.modeAndOwner(folder.hostPath())).isEqualTo("0777 0:0");
        assertThat(folders.verify(folder)).isEmpty();
    }

    @Test
    void socketThatIsReplacedIsOpenedAgain() throws IOException {
        SocketFolder folder = attach();
        try (var _ = POD.listen(socketIn(folder), 077)) {
            awaitConnection(seenBySwitch(folder));
        }
        Files.delete(socketIn(folder));

        try (var _ = POD.listen(socketIn(folder), 077)) {
            awaitConnection(seenBySwitch(folder));
        }
    }

    @Test
    void socketThatIsMovedIntoPlaceIsOpened() throws IOException {
        SocketFolder folder = attach();
        try (var _ = POD.listen(folder.hostPath().resolve("new"), 077)) {
            Files.move(folder.hostPath().resolve("new"), socketIn(folder));

            awaitConnection(seenBySwitch(folder));
        }
    }

    @Test
    void socketAndFolderWhoseModeThePodChangesAreOpenedAgain() throws IOException {
        SocketFolder folder = attach();
        Sandbox.run("chown", "107:107", folder.hostPath().toString());
        try (var _ = POD.listen(socketIn(folder), 002)) {
            awaitConnection(seenBySwitch(folder));

            POD.run("chmod 0700 \"$1\" \"$2\"", socketIn(folder), folder.hostPath());

            awaitConnection(seenBySwitch(folder));
        }
    }

    @Test
    void eachInterfaceOfAContainerIsFollowedUntilItGoes() throws IOException {
        SocketFolder folder = attach();
        folders.follow(folder, "net2.sock");
        folders.leave(folder, SOCKET);

        try (var _ = POD.listen(socketIn(folder), 077);
                var _ = POD.listen(folder.hostPath().resolve("net2.sock"), 077)) {
            awaitConnection(folder.mountPoint().resolve("net2.sock"));
            assertThat(OVS.connect(seenBySwitch(folder))).isEqualTo(DENIED);
        }
    }

    @Test
    void onlyExpectedSocketsAreOpened() throws IOException {
        SocketFolder folder = attach();
        try (var _ = POD.listen(folder.hostPath().resolve("other.sock"), 077);
                var _ = POD.listen(socketIn(folder), 077)) {
            awaitConnection(seenBySwitch(folder));

            assertThat(OVS.connect(folder.mountPoint().resolve("other.sock"))).isEqualTo(DENIED);
        }
    }

    @Test
    void linkOrFileInTheSocketsPlaceOpensNothing() throws IOException {
        SocketFolder folder = attach();
        Path victim = sandbox.folder("victim");
        Files.setPosixFilePermissions(victim, PosixFilePermissions.fromString("rwxrwxrwx"));
        try (var _ = POD.listen(victim.resolve("s.sock"), 077);
                var _ = POD.listen(folder.hostPath().resolve("net2.sock"), 077)) {
            int mode = modeOf(victim.resolve("s.sock"));
            POD.run("ln -s \"$1\" \"$2\"", victim.resolve("s.sock"), socketIn(folder));

            folders.follow(folder, SOCKET);
            POD.run("rm \"$1\"; echo > \"$1\"; chmod 0600 \"$1\"", socketIn(folder));
            folders.follow(folder, SOCKET);
            folders.follow(folder, "net2.sock");

            assertThat(modeOf(victim.resolve("s.sock"))).isEqualTo(mode);
            assertThat(OVS.connect(victim.resolve("s.sock"))).isEqualTo(DENIED);
            assertThat(list(socketIn(folder), ACCESS).grants(OVS.uid(), AccessControlList.WRITE))
                    .as("the list of the file")
                    .isFalse();
        }
    }

    private SocketFolder attachAnother() throws IOException {
        return attachAnother("c2");
    }

    private SocketFolder attachAnother(String container) throws IOException {
        SocketFolder folder = folders.prepare(new FolderLocation(sandbox.path.resolve("v"), Path.of(""), container))
                .folder();
        folders.follow(folder, SOCKET);
        return folder;
    }

    private static void makeFiles(SocketFolder folder, int count) throws IOException {
        String script = "cd \"$1\"; exec perl -e 'for $i (1..$ARGV[0]) { open F, \">f$i\" or die; close F }' $2";
        assertThat(POD.run(script, folder.hostPath(), count)).isEmpty();
    }

    /** How many events the kernel keeps. Java reads byte by byte, which files of /proc/sys don't bear. */
    private static int queueLength() throws IOException {
        return Integer.parseInt(
                POD.run("cat /proc/sys/fs/inotify/max_queued_events").strip());
    }

    @Test
    void socketWhoseEventWasLostIsOpened() throws IOException {
        mount("tmpfs");
        SocketFolder noisy = attach();
        SocketFolder quiet = attachAnother();
        calls.gate = new CountDownLatch(1);
        calls.looks.set(0);
        makeFiles(noisy, 1);
        await().atMost(PATIENCE).until(() -> calls.looks.get() > 0);

        makeFiles(noisy, 1 + queueLength());
        try (var _ = POD.listen(socketIn(quiet), 077)) {
            assertThat(OVS.connect(seenBySwitch(quiet))).isEqualTo(DENIED);
            calls.gate.countDown();

            awaitConnection(seenBySwitch(quiet));
        }
        assertThat(calls.losses).hasPositiveValue();
    }

    static List<Throwable> faults() {
        return List.of(new LinuxException("read", "inotify", 5), new OutOfMemoryError("for a test"));
    }

    @ParameterizedTest
    @MethodSource("faults")
    void watchThatFailsBeginsAnew(Throwable fault) throws IOException {
        SocketFolder folder = attach();
        long before = watches();
        calls.fault.set(fault);

        // Its event is what the failed reading had
        try (var _ = POD.listen(socketIn(folder), 077)) {
            awaitConnection(seenBySwitch(folder));
            Files.delete(socketIn(folder));
        }
        try (var _ = POD.listen(socketIn(folder), 077)) {
            awaitConnection(seenBySwitch(folder));
        }

        await().atMost(PATIENCE).untilAsserted(() -> assertThat(watches()).isEqualTo(before));
        assertThat(calls.fault).hasNullValue();
    }

    /** Memory that is short stays so for a while: the watch itself, and the look after it began, fail again. */
    @ParameterizedTest
    @CsvSource({"2, 0", "0, 2", "1, 2"})
    void watchThatCanNotBeginAnewAtOnceDoesLater(int unwatchable, int blind) throws IOException {
        SocketFolder folder = attach();
        long before = watches();
        long descriptors = Sandbox.openDescriptors();
        calls.unwatchable.set(unwatchable);
        calls.blind.set(blind);
        calls.fault.set(new OutOfMemoryError("for a test"));

        try (var _ = POD.listen(socketIn(folder), 077)) {
            awaitConnection(seenBySwitch(folder));
            Files.delete(socketIn(folder));
        }
        try (var _ = POD.listen(socketIn(folder), 077)) {
            awaitConnection(seenBySwitch(folder));
        }

        await().atMost(PATIENCE).untilAsserted(() -> {
            assertThat(watches()).isEqualTo(before);
            assertThat(Sandbox.openDescriptors()).isEqualTo(descriptors);
        });
        assertThat(calls.unwatchable).hasValue(0);
        assertThat(calls.blind).hasValue(0);
    }

    @Test
    void folderThatCanNotBeLookedAtDelaysNoOther() throws IOException {
        List<SocketFolder> attached = List.of(attach(), attachAnother("c2"), attachAnother("c3"));
        SocketFolder first = attachAnother("c4");
        calls.gate = new CountDownLatch(1);
        calls.looks.set(0);
        try (var _ = POD.listen(socketIn(first), 077)) {
            // Those that come while one is looked at are looked at together
            await().atMost(PATIENCE).until(() -> calls.looks.get() > 0);
            try (var _ = POD.listen(socketIn(attached.get(0)), 077);
                    var _ = POD.listen(socketIn(attached.get(1)), 077);
                    var _ = POD.listen(socketIn(attached.get(2)), 077)) {
                calls.breaking = true;
                calls.gate.countDown();

                await().atMost(PATIENCE).until(() -> connected(attached) >= 2);
            }
        }
        assertThat(calls.broken).doesNotHaveNullValue();
    }

    private static int connected(List<SocketFolder> folders) throws IOException {
        int connected = 0;
        for (SocketFolder folder : folders) {
            connected += OVS.connect(seenBySwitch(folder)).equals(CONNECTED) ? 1 : 0;
        }
        return connected;
    }

    @Test
    void podThatMakesThousandsOfFilesCostsLittleAndDelaysNobody() throws IOException {
        mount("tmpfs");
        SocketFolder noisy = attach();
        SocketFolder quiet = attachAnother();
        calls.looks.set(0);
        long start = System.nanoTime();

        makeFiles(noisy, 30_000);
        Duration took = Duration.ofNanos(System.nanoTime() - start);

        try (var _ = POD.listen(socketIn(noisy), 077);
                var _ = POD.listen(socketIn(quiet), 077)) {
            awaitConnection(seenBySwitch(noisy));
            awaitConnection(seenBySwitch(quiet));
        }
        assertThat(calls.listings).as("listings of the folder").hasValue(0);
        assertThat(calls.looks)
                .as("looks at two sockets, one each 20 ms at most, in %s and what came after", took)
                .hasValueLessThan((int) (took.plus(PATIENCE).toMillis() / 20 * 2));
    }

    @Test
    void whatIsInOrderIsNotChangedAgain() throws IOException {
        SocketFolder folder = attach();
        try (var _ = POD.listen(socketIn(folder), 077)) {
            awaitConnection(seenBySwitch(folder));
            calls.changes.set(0);
            calls.looks.set(0);

            POD.run("touch \"$1/a\"", folder.hostPath());

            await().atMost(PATIENCE).until(() -> calls.looks.get() > 0);
            assertThat(calls.changes).hasValue(0);
        }
    }

    @Test
    void removedFolderIsNotWatchedAnyLonger() throws IOException {
        long before = watches();
        SocketFolder folder = attach();
        assertThat(watches()).isEqualTo(before + 2);

        folders.remove(folder);

        assertThat(watches()).as("the bell is left").isEqualTo(before + 1);
    }

    @Test
    void folderThatDisappearsAndComesAgainIsFollowedAgain() throws IOException {
        SocketFolder first = attach();
        Files.delete(first.hostPath());
        SocketFolder second = attach();

        try (var _ = POD.listen(socketIn(second), 077)) {
            awaitConnection(seenBySwitch(second));
        }
        folders.remove(second);
    }

    @Test
    void endOfTheAgentEndsTheWatch() throws IOException {
        long before = watches();
        attach();

        access.close();

        await().atMost(PATIENCE).untilAsserted(() -> assertThat(watches()).isEqualTo(before));
    }

    /** The watches of this process, as /proc shows them. */
    private static long watches() throws IOException {
        long watches = 0;
        try (var descriptors = Files.newDirectoryStream(Path.of("/proc/self/fdinfo"))) {
            for (Path descriptor : descriptors) {
                if (Files.exists(descriptor)) {
                    watches += Files.readAllLines(descriptor).stream()
                            .filter(line -> line.startsWith("inotify "))
                            .count();
                }
            }
        }
        return watches;
    }

    @Test
    void nothingIsDoneForASwitchThatIsRoot() throws IOException {
        use(SwitchUser.of(0));
        long before = watches();

        SocketFolder folder = attach();

        assertThat(watches()).isEqualTo(before);
        assertThat(calls.changes).hasValue(0);
        assertThat(folders.verify(folder)).isEmpty();
    }

    @Test
    void switchIsWhomTheDatabasesSocketBelongsTo() throws IOException {
        Path database = sandbox.path.resolve("db.sock");
        SwitchUser user = SwitchUser.ownerOf(database);
        assertThat(user.isRoot()).as("before anybody knows").isTrue();
        use(user);
        SocketFolder folder = attach();
        try (var _ = POD.listen(socketIn(folder), 077)) {
            assertThat(OVS.connect(seenBySwitch(folder))).isEqualTo(DENIED);

            sandbox.file("db.sock", "");
            Sandbox.run("chown", "4242", database.toString());
            access.lookAgain();

            assertThat(OVS.connect(seenBySwitch(folder))).isEqualTo(CONNECTED);
            Files.delete(socketIn(folder));
        }
        try (var _ = POD.listen(socketIn(folder), 077)) {
            awaitConnection(seenBySwitch(folder));
            Files.delete(database);
            access.lookAgain();
            assertThat(user.uid()).as("while there is no socket").isEqualTo(OVS.uid());
        }
    }

    /** The agent was there before the database. */
    @Test
    void folderIsMadeForTheSwitchsUserThoughNobodyHasLookedYet() throws IOException {
        Path database = sandbox.path.resolve("db.sock");
        use(SwitchUser.ownerOf(database));
        sandbox.file("db.sock", "");
        Sandbox.run("chown", "4242", database.toString());

        SocketFolder folder = attach();

        assertThat(list(folder.hostPath(), DEFAULT).grants(OVS.uid(), AccessControlList.WRITE))
                .isTrue();
        try (var _ = POD.listen(socketIn(folder), 077)) {
            awaitConnection(seenBySwitch(folder));
        }
    }

    @Test
    void switchThatBecomesRootNeedsNoWatchAnyLonger() throws IOException {
        Path database = sandbox.file("db.sock", "");
        Sandbox.run("chown", "4242", database.toString());
        use(SwitchUser.ownerOf(database));
        long before = watches();
        SocketFolder folder = attach();

        Sandbox.run("chown", "0", database.toString());
        access.lookAgain();

        assertThat(watches()).as("the bell is left").isEqualTo(before + 1);
        assertThat(folders.verify(folder)).isEmpty();
    }

    /** As kubelet makes them: nobody but root comes by the volume's own path. */
    private FolderLocation inVolume(String kind) throws IOException {
        Path kubelet = sandbox.folder("kubelet");
        Path volume = sandbox.folder("kubelet/pods/volume");
        Sandbox.run("chmod", "0750", kubelet.toString());
        Sandbox.run("chmod", "2777", volume.toString());
        Path relative = kubelet.relativize(volume);
        Ownership pod = Ownership.of(POD.uid(), POD.uid());
        return switch (kind) {
            case "hooks" -> FolderLocation.hooks(kubelet, relative, pod);
            case "sub-folder" -> FolderLocation.volume(kubelet, relative, Path.of("a/b"), pod);
            default -> FolderLocation.volume(kubelet, relative, Path.of(""), pod);
        };
    }

    /** The pod sees its volume elsewhere: here, by a mount to where it can come by. */
    private Path asThePodSeesIt(SocketFolder folder) throws IOException {
        Path inPod = sandbox.folder("pod");
        sandbox.bind(folder.hostPath(), inPod);
        return inPod;
    }

    @ParameterizedTest
    @CsvSource({"hooks, 002", "hooks, 077", "volume, 022", "volume, 077", "sub-folder, 022", "sub-folder, 077"})
    void switchConnectsToASocketInAPodsVolume(String kind, String umask) throws IOException {
        SocketFolder folder = folders.prepare(inVolume(kind)).folder();
        folders.follow(folder, SOCKET);

        try (var _ = POD.listen(asThePodSeesIt(folder).resolve(SOCKET), Integer.parseInt(umask, 8))) {
            awaitConnection(seenBySwitch(folder));

            assertThat(STRANGER.connect(seenBySwitch(folder))).isEqualTo(DENIED);
            assertThat(folders.verify(folder)).isEmpty();
        }
        assertThat(Sandbox.modeAndOwner(folder.hostPath()))
                .isEqualTo(kind.equals("volume") ? "2777 0:0" : "0770 107:107");
    }

    @ParameterizedTest
    @ValueSource(strings = {"volume", "sub-folder"})
    void filesInAFolderThatIsNotOursAreAsThePodMakesThem(String kind) throws IOException {
        SocketFolder folder = folders.prepare(inVolume(kind)).folder();
        Path file = asThePodSeesIt(folder).resolve("file");

        POD.run("umask 022; echo > \"$1\"", file);

        assertThat(modeOf(file)).isEqualTo(0644);
        try (Folder opened = Folder.open(calls, folder.hostPath())) {
            assertThat(calls.attribute(opened.descriptor(), DEFAULT)).isEmpty();
        }
    }

    @Test
    void rightsInAFolderThatIsNotOursStay() throws IOException {
        FolderLocation location = inVolume("volume");
        Sandbox.run("chmod", "0700", location.path().toString());
        Sandbox.run("chown", "107:107", location.path().toString());

        SocketFolder folder = folders.prepare(location).folder();

        assertThat(list(folder.hostPath(), ACCESS))
                .isEqualTo(AccessControlList.ofMode(0700).granting(OVS.uid(), AccessControlList.EXECUTE));
        assertThat(folders.verify(folder)).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"volume", "sub-folder"})
    void folderThatIsNotOursGetsItsRightsBack(String kind) throws IOException {
        FolderLocation location = inVolume(kind);
        Files.createDirectories(location.path());
        Sandbox.run("chmod", "2750", location.path().toString());
        try (Folder opened = Folder.open(calls, location.path())) {
            AccessControlList another = AccessControlList.ofMode(0750).granting(7, 7);
            calls.setAttribute(opened.descriptor(), ACCESS, another.encode());
        }
        AccessControlList before = list(location.path(), ACCESS);
        PreparedFolder prepared = folders.prepare(location);
        assertThat(list(location.path(), ACCESS)).isNotEqualTo(before);

        folders.rollback(prepared);

        assertThat(list(location.path(), ACCESS)).isEqualTo(before);
    }

    @Test
    void volumeHasNoListLeft() throws IOException {
        FolderLocation location = inVolume("volume");

        folders.rollback(folders.prepare(location));

        assertThat(modeOf(location.path())).isEqualTo(02777);
        assertThat(hasList(location.path())).isFalse();
    }

    private boolean hasList(Path path) throws LinuxException {
        try (Folder opened = Folder.open(calls, path)) {
            return calls.attribute(opened.descriptor(), ACCESS).isPresent();
        }
    }

    @Test
    void fileSystemWithoutListsIsRefusedAndNothingIsLeft() throws IOException {
        mount("ramfs");

        assertThatExceptionOfType(LinuxException.class)
                .isThrownBy(this::prepare)
                .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.EOPNOTSUPP));

        assertThat(sandbox.path.resolve("v")).isEmptyDirectory();
        assertThat(folders.mountPoints()).isEmpty();
    }

    @Test
    void wayThatIsClosedToTheSwitchIsRefused() throws IOException {
        Path closed = sandbox.folder("closed");
        Files.setPosixFilePermissions(closed, PosixFilePermissions.fromString("rwx------"));

        folders = new SocketFolders(calls, closed.resolve("p"), Nosymfollow.REQUIRED, access, LIMIT);

        assertThatExceptionOfType(IOException.class)
                .isThrownBy(this::prepare)
                .withMessage("the switch, which runs as user 4242, can't walk through " + closed);

        assertThat(folders.mountPoints()).isEmpty();
        assertThat(sandbox.path.resolve("v")).doesNotExist();
        Files.setPosixFilePermissions(closed, PosixFilePermissions.fromString("rwxr-x---"));
        assertThat(folders.verify(prepare()))
                .as("the switch may be in the group")
                .isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"volume", "sub-folder"})
    void folderThatIsNotOursKeepsItsRightsWhereItIsRefused(String kind) throws IOException {
        Path closed = sandbox.folder("closed");
        Files.setPosixFilePermissions(closed, PosixFilePermissions.fromString("rwx------"));
        folders = new SocketFolders(calls, closed.resolve("p"), Nosymfollow.REQUIRED, access, LIMIT);
        FolderLocation location = inVolume(kind);
        Files.createDirectories(location.path());

        assertThatExceptionOfType(IOException.class).isThrownBy(() -> folders.prepare(location));
        assertThat(hasList(location.path())).isFalse();

        Files.setPosixFilePermissions(closed, PosixFilePermissions.fromString("rwxr-xr-x"));
        folders.prepare(location);
        AccessControlList open = list(location.path(), ACCESS);
        Files.setPosixFilePermissions(closed, PosixFilePermissions.fromString("rwx------"));

        assertThatExceptionOfType(IOException.class).isThrownBy(() -> folders.prepare(location));
        assertThat(list(location.path(), ACCESS))
                .as("another attachment uses it")
                .isEqualTo(open);
    }

    @Test
    void verifyTellsOfAFolderThatTheSwitchCannotWalkInto() throws IOException {
        SocketFolder folder = prepare();

        Sandbox.run("chmod", "0700", folder.hostPath().toString());

        assertThat(folders.verify(folder))
                .hasValueSatisfying(problem -> assertThat(problem).contains("user 4242, can't walk into"));
    }

    @Test
    void followingWithoutAMountFails() {
        SocketFolder folder = new SocketFolder(
                location(),
                sandbox.path.resolve("v/c1"),
                sandbox.path.resolve("p").resolve("0011223344556677"));

        assertThatExceptionOfType(LinuxException.class)
                .isThrownBy(() -> folders.follow(folder, SOCKET))
                .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.ENOENT));
    }

    @Test
    void descriptorsAreClosed() throws IOException {
        SocketFolder folder = attach();
        long before = Sandbox.openDescriptors();

        for (int i = 0; i < 20; i++) {
            folders.follow(folder, SOCKET);
        }

        assertThat(Sandbox.openDescriptors()).isEqualTo(before);
    }
}
