package io.ovsdpdk.ovsdb.testbed;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What is left of a switch whose JVM ended without closing it. */
class EndOfJvmTest {
    private Process jvm;
    private Path folder;
    private ProcessHandle vswitchd;
    private ProcessHandle server;

    @BeforeEach
    void startSwitchInAnotherJvm() throws IOException {
        jvm = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        System.getProperty("java.class.path"),
                        SwitchOfAnotherJvm.class.getName())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        BufferedReader said = jvm.inputReader();
        folder = Path.of(said.readLine());
        vswitchd = ProcessHandle.of(Long.parseLong(said.readLine())).orElseThrow();
        server = ProcessHandle.of(Long.parseLong(said.readLine())).orElseThrow();
    }

    @AfterEach
    void removeFolder() throws Exception {
        jvm.destroyForcibly().waitFor();
        if (folder.toFile().exists()) {
            FolderTree.delete(folder);
        }
    }

    @Test
    void serversDieWithKilledJvm() throws Exception {
        jvm.destroyForcibly();

        vswitchd.onExit().get(10, TimeUnit.SECONDS);
        server.onExit().get(10, TimeUnit.SECONDS);
        assertThat(folder).isDirectory(); // nobody was left to remove it
    }

    @Test
    void terminatedJvmRemovesServersAndFolder() throws Exception {
        jvm.destroy();

        vswitchd.onExit().get(10, TimeUnit.SECONDS);
        server.onExit().get(10, TimeUnit.SECONDS);
        assertThat(jvm.waitFor(10, TimeUnit.SECONDS)).isTrue();
        assertThat(folder).doesNotExist();
    }

    /** Starts a switch from a thread that ends, says where it is, and waits for its own end. */
    static final class SwitchOfAnotherJvm {
        public static void main(String[] args) throws Exception {
            FutureTask<OvsDpdk> start = new FutureTask<>(OvsDpdk::start);
            Thread starter = new Thread(start);
            starter.start();
            starter.join();
            OvsDpdk ovs = start.get();
            System.out.println(ovs.folder());
            System.out.println(ovs.switchPid());
            System.out.println(ovs.database().pid());
            new CountDownLatch(1).await();
        }
    }
}
