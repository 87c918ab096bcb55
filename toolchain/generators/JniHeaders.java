import java.io.IOException;
import java.lang.classfile.Attributes;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.FieldModel;
import java.lang.classfile.MethodModel;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDesc;
import java.lang.constant.MethodTypeDesc;
import java.lang.reflect.AccessFlag;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Writes the headers that the JDK's C sources include and that its own build makes with {@code javac -h}: a class's
 * constants, and its native methods. Here they are read from the class files of the JDK that runs this, so they are what
 * its Java code has.
 *
 * <p>Usage: {@code java JniHeaders.java <folder of the C sources> <folder for the headers>}
 */
final class JniHeaders {
    private static final List<String> MODULES =
            List.of("java.base", "java.prefs", "jdk.net", "java.management", "jdk.management");

    private static final Pattern INCLUDE = Pattern.compile("#\\s*include\\s*\"([A-Za-z0-9_]+\\.h)\"");

    private final Map<String, ClassModel> byName = new HashMap<>();
    private final Map<String, ClassModel> byHeader = new HashMap<>();

    private JniHeaders() {}

    public static void main(String[] arguments) throws IOException {
        JniHeaders headers = new JniHeaders();
        headers.readClasses();
        headers.write(included(Path.of(arguments[0])), Path.of(arguments[1]));
    }

    private void readClasses() throws IOException {
        FileSystem runtime = FileSystems.getFileSystem(URI.create("jrt:/"));
        for (String module : MODULES) {
            for (Path file : files(runtime.getPath("/modules", module), ".+\\.class")) {
                if (!file.endsWith("module-info.class")) {
                    ClassModel model = ClassFile.of().parse(Files.readAllBytes(file));
                    String name = model.thisClass().asInternalName();
                    byName.put(name, model);
                    byHeader.put(name.replace('/', '_').replace('$', '_') + ".h", model);
                }
            }
        }
    }

    /** The names of all headers that the sources include, whether there is a class for them or not. */
    private static Set<String> included(Path sources) throws IOException {
        Set<String> headers = new TreeSet<>();
        for (Path file : files(sources, ".+\\.[ch]")) {
            Matcher include = INCLUDE.matcher(Files.readString(file, StandardCharsets.ISO_8859_1));
            while (include.find()) {
                headers.add(include.group(1));
            }
        }
        return headers;
    }

    private static List<Path> files(Path folder, String pattern) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            return files.filter(file -> file.toString().matches(pattern)).toList();
        }
    }

    private void write(Set<String> headers, Path folder) throws IOException {
        for (String header : headers) {
            ClassModel model = byHeader.get(header);
            if (model != null) {
                String prefix = header.substring(0, header.length() - ".h".length());
                Files.writeString(
                        folder.resolve(header),
                        "#pragma once\n#include <jni.h>\n" + constants(model, prefix) + prototypes(model));
            }
        }
    }

    /** The class's constants and those that it inherits, each as {@code #define <class>_<name> <value>}. */
    private String constants(ClassModel model, String prefix) {
        StringBuilder text = new StringBuilder();
        Set<String> seen = new HashSet<>();
        for (ClassModel owner = model; owner != null; owner = superclass(owner)) {
            for (FieldModel field : owner.fields()) {
                String name = field.fieldName().stringValue();
                Optional<String> literal = literal(field);
                if (literal.isPresent() && seen.add(name)) {
                    text.append("#define ").append(prefix).append('_').append(name);
                    text.append(' ').append(literal.get()).append('\n');
                }
            }
        }
        return text.toString();
    }

    private ClassModel superclass(ClassModel model) {
        return model.superclass()
                .map(superclass -> byName.get(superclass.asInternalName()))
                .orElse(null);
    }

    private static Optional<String> literal(FieldModel field) {
        if (!field.flags().has(AccessFlag.STATIC) || !field.flags().has(AccessFlag.FINAL)) {
            return Optional.empty();
        }
        return field.findAttribute(Attributes.constantValue())
                .map(value -> literal(value.constant().constantValue()));
    }

    /** In C; null for texts and for numbers that C has no literal of. */
    private static String literal(ConstantDesc value) {
        return switch (value) {
            // The least ones are no literals in C: - is an operator there
            case Integer i -> i == Integer.MIN_VALUE ? "((jint)0x80000000)" : i + "L";
            case Long l -> l == Long.MIN_VALUE ? "((jlong)0x8000000000000000ULL)" : l + "LL";
            case Float f -> Float.isFinite(f) ? f + "f" : null;
            case Double d -> Double.isFinite(d) ? d.toString() : null;
            default -> null;
        };
    }

    /** Of the native methods without overloads; the others' names have the parameters in them, and nobody needs them. */
    private static String prototypes(ClassModel model) {
        List<MethodModel> natives = model.methods().stream()
                .filter(method -> method.flags().has(AccessFlag.NATIVE))
                .toList();
        Map<String, Long> overloads = natives.stream()
                .collect(Collectors.groupingBy(method -> method.methodName().stringValue(), Collectors.counting()));
        return natives.stream()
                .filter(method -> overloads.get(method.methodName().stringValue()) == 1)
                .map(method -> prototype(model, method))
                .collect(Collectors.joining());
    }

    private static String prototype(ClassModel model, MethodModel method) {
        MethodTypeDesc type = method.methodTypeSymbol();
        String parameters = type.parameterList().stream()
                .map(parameter -> ", " + type(parameter))
                .collect(Collectors.joining());
        return "JNIEXPORT " + type(type.returnType()) + " JNICALL Java_"
                + mangled(model.thisClass().asInternalName()) + "_"
                + mangled(method.methodName().stringValue())
                + "(JNIEnv *, " + (method.flags().has(AccessFlag.STATIC) ? "jclass" : "jobject") + parameters + ");\n";
    }

    /** JNI's specification, section "Resolving Native Method Names". */
    private static String mangled(String name) {
        return name.chars()
                .mapToObj(c -> switch (c) {
                    case '/' -> "_";
                    case '_' -> "_1";
                    case ';' -> "_2";
                    case '[' -> "_3";
                    default ->
                        c < 128 && Character.isLetterOrDigit(c) ? Character.toString(c) : String.format("_0%04x", c);
                })
                .collect(Collectors.joining());
    }

    private static String type(ClassDesc type) {
        if (type.isPrimitive()) {
            return type.descriptorString().equals("V") ? "void" : "j" + type.displayName();
        }
        if (type.isArray()) {
            ClassDesc component = type.componentType();
            return component.isPrimitive() ? "j" + component.displayName() + "Array" : "jobjectArray";
        }
        return switch (type.descriptorString()) {
            case "Ljava/lang/String;" -> "jstring";
            case "Ljava/lang/Class;" -> "jclass";
            case "Ljava/lang/Throwable;" -> "jthrowable";
            default -> "jobject";
        };
    }
}
