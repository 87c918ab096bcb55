package io.ovsdpdk.e2e;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.ClassTransform;
import java.lang.classfile.instruction.InvokeInstruction;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.MethodTypeDesc;
import java.lang.instrument.ClassFileTransformer;
import java.lang.instrument.Instrumentation;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.ProtectionDomain;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;

/**
 * Halts an agent at the n-th moment at which that could matter: right before or right after a call that changes a file, a
 * mount or the switch's database, waits for the switch, or answers a client. Lives in the agent's JVM, as what
 * {@code -javaagent} names, and puts itself around those calls while the classes are loaded: the agent is the one that was
 * built, and knows nothing of it.
 */
public final class CrashPoints {
    /** What the agent's process ends with when it was halted. */
    static final int HALTED = 86;

    private static final String AT = "crash.at";
    private static final String NOTE = "crash.note";

    private static final ClassDesc SELF = CrashPoints.class.describeConstable().orElseThrow();
    private static final MethodTypeDesc PASS = MethodTypeDesc.of(ConstantDescs.CD_void, ConstantDescs.CD_String);

    /** By owner, the calls that are counted. */
    private static final Map<String, Set<String>> CALLS = Map.of(
            "io/ovsdpdk/agent/host/LinuxCalls",
            Set.of(
                    "mkdirat",
                    "unlinkat",
                    "rmdirat",
                    "renameat",
                    "fchown",
                    "fchmod",
                    "setAttribute",
                    "openTree",
                    "mountSetattr",
                    "moveMount",
                    "umount"),
            "java/nio/file/Files",
            Set.of(
                    "move",
                    "delete",
                    "deleteIfExists",
                    "createDirectory",
                    "createDirectories",
                    "setPosixFilePermissions",
                    "newByteChannel",
                    "write"),
            "java/nio/channels/SeekableByteChannel",
            Set.of("write"),
            "java/nio/channels/SocketChannel",
            Set.of("write"),
            "java/nio/channels/FileChannel",
            Set.of("write", "force"),
            "io/ovsdpdk/ovsdb/OvsdbClient",
            Set.of("transact"),
            "io/ovsdpdk/ovsdb/LocalSwitch",
            Set.of("awaitApplied", "awaitConfiguration"),
            "io/ovsdpdk/agent/AgentServer",
            Set.of("write"));

    private static final AtomicInteger PASSED = new AtomicInteger();
    private static final int END = Integer.getInteger(AT, 0);

    private CrashPoints() {}

    /** The JVM calls it before the agent's main. */
    public static void premain(String arguments, Instrumentation instrumentation) {
        instrumentation.addTransformer(new ClassFileTransformer() {
            @Override
            public byte[] transform(
                    ClassLoader loader, String name, Class<?> redefined, ProtectionDomain domain, byte[] bytes) {
                return name != null && name.startsWith("io/ovsdpdk/") && !name.startsWith("io/ovsdpdk/e2e/")
                        ? surround(bytes)
                        : null;
            }
        });
    }

    private static byte[] surround(byte[] bytes) {
        ClassFile classFile = ClassFile.of();
        ClassModel model = classFile.parse(bytes);
        String where = model.thisClass().asInternalName();
        String simple = where.substring(where.lastIndexOf('/') + 1);
        return classFile.transformClass(model, ClassTransform.transformingMethodBodies((code, element) -> {
            if (element instanceof InvokeInstruction call && isCounted(call)) {
                String what = simple + " " + call.name().stringValue();
                code.ldc("before " + what).invokestatic(SELF, "pass", PASS);
                code.with(element);
                code.ldc("after " + what).invokestatic(SELF, "pass", PASS);
            } else {
                code.with(element);
            }
        }));
    }

    private static boolean isCounted(InvokeInstruction call) {
        return CALLS.getOrDefault(call.owner().asInternalName(), Set.of())
                .contains(call.name().stringValue());
    }

    /** Called by the agent's classes. */
    public static void pass(String where) {
        if (PASSED.incrementAndGet() == END) {
            note(where);
            Runtime.getRuntime().halt(HALTED);
        }
    }

    private static void note(String where) {
        try {
            Files.writeString(Path.of(System.getProperty(NOTE)), where);
        } catch (IOException e) {
            throw new IllegalStateException("the test's folder is gone", e);
        }
    }

    /** The options of a JVM that is to halt at the n-th moment; never with 0. */
    static List<String> options(Path jar, int n, Path note) {
        return List.of("-javaagent:" + jar, "-D" + AT + "=" + n, "-D" + NOTE + "=" + note);
    }

    /** Makes the jar that {@code -javaagent} names. */
    static Path jar(Path folder) throws IOException {
        Manifest manifest = new Manifest();
        manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
        manifest.getMainAttributes().putValue("Premain-Class", CrashPoints.class.getName());
        Path jar = folder.resolve("crash-points.jar");
        try (OutputStream file = Files.newOutputStream(jar);
                JarOutputStream entries = new JarOutputStream(file, manifest)) {
            for (String name : List.of("CrashPoints", "CrashPoints$1")) {
                String entry = "io/ovsdpdk/e2e/" + name + ".class";
                entries.putNextEntry(new JarEntry(entry));
                try (InputStream bytes = CrashPoints.class.getClassLoader().getResourceAsStream(entry)) {
                    entries.write(bytes.readAllBytes());
                }
                entries.closeEntry();
            }
        }
        return jar;
    }

    /** Where an agent halted; empty when it has not. */
    static String noted(Path note) throws IOException {
        return Files.exists(note) ? Files.readString(note, StandardCharsets.UTF_8) : "";
    }
}
