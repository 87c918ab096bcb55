package io.ovsdpdk.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.constantpool.MemberRefEntry;
import java.lang.classfile.constantpool.PoolEntry;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Deadlines and pauses go by a clock that nobody sets. */
class WallClockTest {
    private static final List<String> MODULES =
            List.of("agent-api", "ovsdb", "node-agent", "cni-plugin", "kubevirt-binding");

    /** What tells the time of the day, or waits for one. */
    private static final Set<String> CALLS = Set.of(
            "java/lang/System.currentTimeMillis",
            "java/time/Instant.now",
            "java/time/LocalDateTime.now",
            "java/time/ZonedDateTime.now",
            "java/time/OffsetDateTime.now",
            "java/time/Clock.systemUTC",
            "java/time/Clock.systemDefaultZone",
            "java/time/Clock.system",
            "java/time/InstantSource.system",
            "java/util/Date.<init>",
            "java/util/concurrent/locks/LockSupport.parkUntil",
            "java/util/concurrent/locks/Condition.awaitUntil");

    /** Events of pods say when something failed. */
    @Test
    void onlyEventsSayWhatTimeItIs() throws IOException {
        Set<String> users = new TreeSet<>();
        int classes = 0;
        for (Path file : classFiles()) {
            users.addAll(callsOf(ClassFile.of().parse(file)));
            classes++;
        }

        assertThat(classes).isGreaterThan(100);
        assertThat(users).containsExactly("io/ovsdpdk/agent/kubernetes/Cluster: java/time/InstantSource.system");
    }

    private static List<Path> classFiles() throws IOException {
        List<Path> files = new ArrayList<>();
        for (String module : MODULES) {
            try (Stream<Path> found = Files.walk(Jars.repository().resolve(module + "/target/classes"))) {
                found.filter(file -> file.toString().endsWith(".class")).forEach(files::add);
            }
        }
        return files;
    }

    private static Set<String> callsOf(ClassModel model) {
        Set<String> calls = new TreeSet<>();
        for (PoolEntry entry : model.constantPool()) {
            if (entry instanceof MemberRefEntry member) {
                String call =
                        member.owner().asInternalName() + "." + member.name().stringValue();
                if (CALLS.contains(call)) {
                    calls.add(model.thisClass().asInternalName() + ": " + call);
                }
            }
        }
        return calls;
    }
}
