package io.ovsdpdk.agent;

import static io.ovsdpdk.agent.TestAgent.newId;
import static io.ovsdpdk.agent.TestAgent.sibling;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.AttachmentView;
import io.ovsdpdk.ovsdb.testbed.OvsDpdk;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.attribute.PosixFilePermission;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.awaitility.core.ConditionFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What the agent puts right by itself, whoever broke it. */
class UpkeepTest extends AttachmentsOnASwitch {
    private Upkeep upkeep;

    @BeforeEach
    void keepUp() {
        upkeep = new Upkeep(agent.attachments, agent.ports, agent.client, Duration.ofSeconds(1));
        upkeep.follow();
    }

    @AfterEach
    void leaveIt() {
        upkeep.close();
    }

    @Test
    void deletedPortIsMadeAnew() throws Exception {
        agent.add(id);
        vsctl("del-port", PortName.of(id));

        inTime().until(() -> isInOrder(id));
    }

    @Test
    void changedPortIsMadeAnew() throws Exception {
        agent.add(id);
        vsctl("set", "Interface", PortName.of(id), "options:vhost-server-path=/tmp/elsewhere");

        inTime().until(() -> isInOrder(id));
    }

    @Test
    void whatOthersNoteAtOurPortsStays() throws Exception {
        agent.add(id);
        vsctl("set", "Port", PortName.of(id), "external_ids:theirs=1");
        agent.add(sibling(id));
        vsctl("del-port", PortName.of(sibling(id)));

        inTime().until(() -> isInOrder(sibling(id)));

        assertThat(vsctl("get", "Port", PortName.of(id), "external_ids:theirs")).isEqualTo("\"1\"");
    }

    @Test
    void mountThatIsGoneIsMadeAnew() throws Exception {
        agent.add(id);
        List<String> mounts = agent.mountsInUse();
        TestAgent.run("umount", mounts.getFirst());

        inTime().until(() -> agent.mountsInUse().equals(mounts));
    }

    @Test
    void folderThatIsGoneIsMadeAnew() throws Exception {
        agent.add(id);
        Files.delete(agent.folderOf(id));

        inTime().until(() -> Files.isDirectory(agent.folderOf(id)) && isInOrder(id));
    }

    @Test
    void rightsOfAFolderArePutRight() throws Exception {
        agent.add(id);
        Set<PosixFilePermission> before = Files.getPosixFilePermissions(agent.folderOf(id));
        Files.setPosixFilePermissions(agent.folderOf(id), Set.of());

        inTime().until(() -> Files.getPosixFilePermissions(agent.folderOf(id)).equals(before));
    }

    /** The administrator's decision is no fault to be mended: it is told of, and followed when it changes. */
    @Test
    void bridgeThatIsGoneIsAConditionUntilItIsBack() throws Exception {
        ovs.addBridge("br9");
        agent.add(id, agent.network().put("bridge", "br9"));
        vsctl("del-br", "br9");

        inTime().until(() -> view(id).problem().contains("no bridge \"br9\""));
        assertThat(agent.hasPort(id)).isFalse();

        ovs.addBridge("br9");
        inTime().until(() -> isInOrder(id));
        assertThat(view(id).problem()).isEmpty();
        agent.attachments.delete(id);
        vsctl("del-br", "br9");
    }

    @Test
    void strangerThatTookThePortsNameIsLeftAlone() throws Exception {
        agent.add(id);
        vsctl(
                "del-port",
                PortName.of(id),
                "--",
                "add-port",
                "br0",
                PortName.of(id),
                "--",
                "set",
                "Interface",
                PortName.of(id),
                "type=internal");

        inTime().until(() -> view(id).problem().contains("a port that another made"));
        assertThat(vsctl("get", "Interface", PortName.of(id), "type")).isEqualTo("internal");
        agent.attachments.delete(id);
        assertThat(agent.attachments.footprint())
                .as("nobody is told any more why")
                .isZero();
    }

    @Test
    void deletedAttachmentStaysDeleted() throws Exception {
        AttachmentId kept = newId();
        agent.add(id);
        agent.add(kept);
        vsctl("del-port", PortName.of(id), "--", "del-port", PortName.of(kept));
        agent.attachments.delete(id);

        inTime().until(() -> isInOrder(kept));

        assertThat(agent.hasPort(id)).isFalse();
        assertThat(agent.folderOf(id)).doesNotExist();
    }

    /** A switch of its own: all others' bridges go with the database. */
    @Test
    @Tag("long")
    void allPortsComeBackWhenTheDatabaseIsLost() throws Exception {
        try (OvsDpdk own = OvsDpdk.start()) {
            own.addBridge("br0");
            try (TestAgent other = new TestAgent(own.socket());
                    Upkeep watching = new Upkeep(other.attachments, other.ports, other.client, Duration.ofSeconds(1))) {
                List<AttachmentId> ids =
                        Stream.generate(TestAgent::newId).limit(20).toList();
                for (AttachmentId each : ids) {
                    other.add(each);
                }
                watching.follow();

                own.loseDatabase();
                own.addBridge("br0");

                inTime().until(() -> ids.stream().allMatch(each -> isInOrder(other, each)));
                for (AttachmentId each : ids) {
                    assertThat(other.check(each)).isNotNull();
                    other.attachments.delete(each);
                }
            }
        }
    }

    private static ConditionFactory inTime() {
        return await().atMost(Duration.ofSeconds(20));
    }

    private boolean isInOrder(AttachmentId id) throws IOException {
        return isInOrder(agent, id);
    }

    private static boolean isInOrder(TestAgent agent, AttachmentId id) {
        try {
            agent.check(id);
            return true;
        } catch (Exception e) {
            return false;
        }
    }

    private AttachmentView view(AttachmentId id) {
        return agent.attachments.views().stream()
                .filter(view -> view.id().equals(id))
                .findFirst()
                .orElseThrow();
    }
}
