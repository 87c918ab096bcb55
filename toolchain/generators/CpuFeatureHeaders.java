import java.io.IOException;
import java.io.InputStream;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.zip.ZipFile;

/**
 * Writes the headers {@code <architecture>cpufeatures.h}: a struct with one byte for each CPU feature, in the order in
 * which the builder's own declaration of that struct names them. The builder compiles a query against them, for each
 * architecture that it knows.
 *
 * <p>Usage: {@code java CpuFeatureHeaders.java <svm.jar> <folder for the headers>}
 */
final class CpuFeatureHeaders {
    private static final Map<String, String> PREFIXES =
            Map.of("amd64", "AMD64", "aarch64", "AArch64", "riscv64", "RISCV64");

    private CpuFeatureHeaders() {}

    public static void main(String[] arguments) throws IOException {
        try (ZipFile svm = new ZipFile(arguments[0])) {
            for (String architecture : PREFIXES.keySet()) {
                Files.writeString(
                        Path.of(arguments[1], architecture + "cpufeatures.h"),
                        header(declaration(svm, architecture, PREFIXES.get(architecture))));
            }
        }
    }

    private static ClassModel declaration(ZipFile svm, String architecture, String prefix) throws IOException {
        String name = "com/oracle/svm/core/" + architecture + "/" + prefix + "LibCHelper$CPUFeatures.class";
        try (InputStream in = svm.getInputStream(svm.getEntry(name))) {
            return ClassFile.of().parse(in.readAllBytes());
        }
    }

    /** A feature's accessor is named after its field in the struct, as {@code fAVX2}. */
    private static String header(ClassModel declaration) {
        return declaration.methods().stream()
                .map(method -> method.methodName().stringValue())
                .filter(name -> name.startsWith("f"))
                .map(name -> "  char " + name + ";\n")
                .collect(Collectors.joining("", "#pragma once\ntypedef struct {\n", "} CPUFeatures;\n"));
    }
}
