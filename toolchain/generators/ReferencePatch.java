import java.io.IOException;
import java.io.InputStream;
import java.lang.classfile.Annotation;
import java.lang.classfile.ClassBuilder;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.ClassTransform;
import java.lang.classfile.attribute.RuntimeVisibleAnnotationsAttribute;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.MethodTypeDesc;
import java.lang.ref.Reference;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.zip.ZipFile;

/**
 * Makes the builder 25.0.2 go with JDK 25.0.5 and later: there {@code Reference.get()} calls a native method {@code
 * get0()}, which the builder's substitution of {@code Reference} lacks. Without it every image fails at its first soft
 * reference. Here the substitution gets one that does what {@code get()} did before.
 *
 * <p>Writes the changed class for {@code --patch-module}; nothing where the JDK that runs this has no {@code get0}, or the
 * builder knows it.
 *
 * <p>Usage: {@code java ReferencePatch.java <svm.jar> <folder>}
 */
final class ReferencePatch {
    private static final String SUBSTITUTION = "com/oracle/svm/core/heap/Target_java_lang_ref_Reference.class";
    private static final String METHOD = "get0";

    private ReferencePatch() {}

    public static void main(String[] arguments) throws IOException {
        ClassModel substitution = read(Path.of(arguments[0]));
        boolean called = Arrays.stream(Reference.class.getDeclaredMethods())
                .anyMatch(method -> method.getName().equals(METHOD));
        boolean known = substitution.methods().stream()
                .anyMatch(method -> method.methodName().equalsString(METHOD));
        if (called && !known) {
            Path file = Path.of(arguments[1], SUBSTITUTION);
            Files.createDirectories(file.getParent());
            Files.write(
                    file,
                    ClassFile.of()
                            .transformClass(
                                    substitution,
                                    ClassTransform.endHandler(changed -> addMethod(changed, substitution))));
        }
    }

    private static ClassModel read(Path jar) throws IOException {
        try (ZipFile svm = new ZipFile(jar.toFile());
                InputStream in = svm.getInputStream(svm.getEntry(SUBSTITUTION))) {
            return ClassFile.of().parse(in.readAllBytes());
        }
    }

    /** {@code @Substitute Object get0() { return referent; }} */
    private static void addMethod(ClassBuilder changed, ClassModel substitution) {
        ClassDesc owner = substitution.thisClass().asSymbol();
        changed.withMethod(METHOD, MethodTypeDesc.of(ConstantDescs.CD_Object), 0, method -> method.with(
                        RuntimeVisibleAnnotationsAttribute.of(
                                Annotation.of(ClassDesc.of("com.oracle.svm.core.annotate.Substitute"))))
                .withCode(code -> code.aload(0)
                        .getfield(owner, "referent", ConstantDescs.CD_Object)
                        .areturn()));
    }
}
