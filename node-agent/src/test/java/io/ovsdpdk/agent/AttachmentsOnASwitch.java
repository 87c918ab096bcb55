package io.ovsdpdk.agent;

import static io.ovsdpdk.agent.TestAgent.newId;
import static io.ovsdpdk.agent.TestAgent.run;
import static io.ovsdpdk.agent.TestAgent.soon;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.ovsdb.testbed.OvsDpdk;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * A fresh agent on a real OVS-DPDK with the bridges br0, br1 and, of the wrong kind, brsys, and with real mounts. The
 * switch is the same for all tests of this JVM; each leaves it running and without ports.
 */
@ExtendWith(SharedSwitch.class)
abstract class AttachmentsOnASwitch {

    static OvsDpdk ovs;

    final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
    TestAgent agent;
    AttachmentId id;

    @BeforeAll
    static void takeSwitch(OvsDpdk shared) {
        ovs = shared;
        Awaitility.setDefaultPollDelay(Duration.ZERO);
        Awaitility.setDefaultPollInterval(Duration.ofMillis(5));
    }

    @BeforeEach
    void startAgent() throws Exception {
        agent = newAgent();
        agent.ports.awaitReady(soon());
        id = newId();
    }

    TestAgent newAgent() throws Exception {
        return new TestAgent(ovs.socket());
    }

    @AfterEach
    void stopAgent() throws Exception {
        threads.shutdownNow();
        ovs.database().resume();
        ovs.resumeSwitch();
        agent.localSwitch.deletePorts(
                agent.localSwitch.ports().stream()
                        .map(port -> port.name())
                        .filter(name -> !name.startsWith("br"))
                        .toList(),
                soon());
        agent.close();
    }

    /** Runs ovs-vsctl; when it returns, the agent has seen what that did. */
    String vsctl(String... arguments) throws Exception {
        String output = ovs.vsctl(arguments);
        if (ovs.database().isRunning()) {
            agent.client.transact(List.of(), soon());
        }
        return output;
    }

    static void assertFails(ErrorCode code, String words, ThrowingCallable call) {
        assertThatExceptionOfType(CniException.class)
                .isThrownBy(call)
                .withMessageContaining(words)
                .satisfies(e -> assertThat(e.code()).as(e.getMessage()).isEqualTo(code.code()));
    }

    /** The folder of the checkpoints has this much room, in whole pages: a checkpoint takes one. */
    void limitCheckpoints(String size) throws IOException {
        run(
                "mount",
                "-t",
                "tmpfs",
                "-o",
                "size=" + size,
                "none",
                agent.checkpoints().toString());
    }
}
