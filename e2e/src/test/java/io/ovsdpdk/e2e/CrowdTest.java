package io.ovsdpdk.e2e;

import static io.ovsdpdk.e2e.Replies.added;
import static io.ovsdpdk.e2e.Replies.done;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.api.Attached;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.MacAddress;
import io.ovsdpdk.api.Reply;
import java.io.IOException;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Many at once: a node that starts all its pods in the same moment. */
@Tag("long")
class CrowdTest {
    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final String IFNAME = "net1";
    private static final int MANY = 64;

    private static Node node;

    @BeforeAll
    static void startNode() throws IOException {
        node = Node.start();
    }

    @AfterAll
    static void stopNode() throws IOException {
        node.close();
    }

    @AfterEach
    void nothingIsLeft() throws IOException {
        assertThat(node.remains()).isEmpty();
    }

    @Test
    void sixtyFourAttachmentsComeAndGoAtOnce() throws Exception {
        List<String> containers = containers("c", MANY);

        List<Reply> replies = Crowd.of(MANY, i -> () -> node.ask(node.add(containers.get(i), IFNAME)));

        assertThat(new HashSet<>(replies.stream().map(Replies::addedMac).toList()))
                .hasSize(MANY);
        assertThat(node.attachedContainers()).isEqualTo(containers);
        assertThat(node.mounts()).hasSize(MANY);

        Crowd.of(MANY, i -> () -> node.ask(node.delete(containers.get(i), IFNAME)))
                .forEach(Replies::done);
    }

    @Test
    @Tag("native")
    void sixtyFourPluginsAddAndDeleteAtOnce() throws Exception {
        List<String> containers = containers("c", MANY);
        ObjectNode network = node.network("1.1.0", "dpdk-net");

        List<PluginCall.Outcome> adds = Crowd.of(
                MANY,
                i -> () -> node.call("ADD", containers.get(i), IFNAME, network).run());

        assertThat(adds).allMatch(PluginCall.Outcome::succeeded);
        assertThat(adds.stream().map(add -> add.json().at("/interfaces/0/mac").asText()))
                .doesNotHaveDuplicates();
        assertThat(node.attachedContainers()).isEqualTo(containers);

        List<PluginCall.Outcome> deletes = Crowd.of(
                MANY,
                i -> () -> node.call("DEL", containers.get(i), IFNAME, network).run());

        assertThat(deletes).allMatch(PluginCall.Outcome::succeeded);
    }

    @Test
    void interfacesOfOneContainerShareItsFolderAndItsMount() throws Exception {
        List<Reply> replies = Crowd.of(16, i -> () -> node.ask(node.add("c1", "net" + i)));

        replies.forEach(Replies::added);
        assertThat(node.ports()).hasSize(16);
        assertThat(node.mounts()).hasSize(1);
        MacAddress first = Replies.addedMac(replies.getFirst());
        MacAddress last = Replies.addedMac(replies.getLast());
        try (VhostUserGuest a = VhostUserGuest.listen(node.workloadSocket("c1", "net0"), first);
                VhostUserGuest b = VhostUserGuest.listen(node.workloadSocket("c1", "net15"), last)) {
            a.awaitConnection(PATIENCE);
            b.awaitConnection(PATIENCE);
            Crowd.of(14, i -> () -> node.ask(node.delete("c1", "net" + (i + 1))))
                    .forEach(Replies::done);
            assertThat(PingPong.play(a, b, 20).completed()).isEqualTo(20);
        }
        Crowd.of(2, i -> () -> node.ask(node.delete("c1", "net" + 15 * i))).forEach(Replies::done);
    }

    @Test
    void folderGoesWithTheLastInterfaceAlsoWhenAllLeaveAtOnce() throws Exception {
        for (int round = 0; round < 10; round++) {
            Crowd.of(4, i -> () -> node.ask(node.add("c1", "net" + i))).forEach(Replies::added);

            Crowd.of(4, i -> () -> node.ask(node.delete("c1", "net" + i))).forEach(Replies::done);

            assertThat(node.remains()).isEmpty();
        }
    }

    /** While some interfaces of a container go others come: the folder goes with the last one, never under another. */
    @Test
    void folderOutlivesInterfacesThatGoWhileOthersCome() throws Exception {
        for (int round = 0; round < 10; round++) {
            String leaving = "old" + round;
            String coming = "new" + round;
            added(node.ask(node.add("c1", leaving)));

            List<Reply> replies =
                    Crowd.of(2, i -> () -> node.ask(i == 0 ? node.delete("c1", leaving) : node.add("c1", coming)));

            done(replies.getFirst());
            added(replies.getLast());
            assertThat(node.workloadSocket("c1", coming).getParent()).isDirectory();
            assertThat(node.mounts()).hasSize(1);
            done(node.ask(node.delete("c1", coming)));
            assertThat(node.remains()).isEmpty();
        }
    }

    @Test
    void sameAttachmentAddedManyTimesAtOnceIsOnePort() throws Exception {
        List<Reply> replies = Crowd.of(8, i -> () -> node.ask(node.add("c1", IFNAME)));

        Attached attached = added(replies.getFirst());
        assertThat(replies).allSatisfy(reply -> assertThat(added(reply)).isEqualTo(attached));
        assertThat(node.ports()).hasSize(1);
        done(node.ask(node.delete("c1", IFNAME)));
    }

    /** Kubelet gives up on an ADD and sends the DEL while the ADD goes on. */
    @Test
    void addAndDeleteOfTheSameAttachmentRacing() throws Exception {
        int made = 0;
        for (int round = 0; round < 50; round++) {
            List<Reply> replies =
                    Crowd.of(2, i -> () -> node.ask(i == 0 ? node.add("c1", IFNAME) : node.delete("c1", IFNAME)));

            if (replies.getFirst() instanceof Reply.Added) {
                made++;
            } else {
                Replies.failed(replies.getFirst(), ErrorCode.TRY_AGAIN);
            }
            done(replies.getLast());
        }

        done(node.ask(node.delete("c1", IFNAME)));
        System.out.printf("ADD raced by DEL: %d of 50 were answered with a port%n", made);
    }

    private static List<String> containers(String prefix, int count) {
        return IntStream.range(0, count)
                .mapToObj(i -> "%s-%02d".formatted(prefix, i))
                .toList();
    }
}
