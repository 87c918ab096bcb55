package io.ovsdpdk.e2e;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.introspect.Annotated;
import com.fasterxml.jackson.databind.introspect.JacksonAnnotationIntrospector;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Namespace;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.ServiceAccount;
import io.fabric8.kubernetes.api.model.apps.DaemonSet;
import io.fabric8.kubernetes.api.model.rbac.ClusterRole;
import io.fabric8.kubernetes.api.model.rbac.ClusterRoleBinding;
import io.fabric8.openshift.api.model.SecurityContextConstraints;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** What a cluster applies, read as strictly as an API server reads it when asked to: no key that is none of the schema's. */
record Manifests(List<HasMetadata> objects) {
    private static final ObjectMapper YAML = new ObjectMapper(new YAMLFactory());

    /** The models keep what they don't know in a map; read strictly, there is no such map. */
    private static final ObjectMapper STRICT = new ObjectMapper()
            .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .setAnnotationIntrospector(new JacksonAnnotationIntrospector() {
                @Override
                public Boolean hasAnySetter(Annotated annotated) {
                    return false;
                }
            });

    /** By {@code apiVersion} and {@code kind}. */
    private static final Map<String, Class<? extends HasMetadata>> SCHEMA = Map.of(
            "v1 Namespace", Namespace.class,
            "v1 ServiceAccount", ServiceAccount.class,
            "v1 ConfigMap", ConfigMap.class,
            "v1 Pod", Pod.class,
            "apps/v1 DaemonSet", DaemonSet.class,
            "rbac.authorization.k8s.io/v1 ClusterRole", ClusterRole.class,
            "rbac.authorization.k8s.io/v1 ClusterRoleBinding", ClusterRoleBinding.class,
            "security.openshift.io/v1 SecurityContextConstraints", SecurityContextConstraints.class);

    Manifests {
        objects = List.copyOf(objects);
    }

    /** The folder {@code daemonset/} of the sources. */
    static Path folder() throws IOException {
        return Jars.repository().resolve("daemonset");
    }

    /** A folder below it as {@code kubectl kustomize} renders it. */
    static Manifests rendered(String folder) throws IOException {
        return read(rendered(folder, List.of("kubectl", "kustomize")));
    }

    /**
     * Likewise, by any kustomize, as YAML.
     *
     * @param kustomize the beginning of its command line
     */
    static String rendered(String folder, List<String> kustomize) throws IOException {
        List<String> command = new ArrayList<>(kustomize);
        command.add(folder().resolve(folder).toString());
        Process process = new ProcessBuilder(command).start();
        Output errors = Output.of(process.getErrorStream());
        String rendered = Output.of(process.getInputStream()).text();
        if (process.onExit().join().exitValue() != 0 || rendered.isBlank()) {
            throw new IOException(String.join(" ", command) + " renders nothing: " + errors.text());
        }
        return rendered;
    }

    /**
     * @param yaml any number of documents
     * @throws IOException for a key that the schema doesn't have, or a value of another type
     */
    static Manifests read(String yaml) throws IOException {
        List<HasMetadata> objects = new ArrayList<>();
        for (JsonNode document : documents(yaml)) {
            objects.add(readStrictly(document));
        }
        return new Manifests(objects);
    }

    /** The documents of a YAML file, as they stand. */
    static List<JsonNode> documents(String yaml) throws IOException {
        return YAML.readerFor(JsonNode.class).<JsonNode>readValues(yaml).readAll();
    }

    private static HasMetadata readStrictly(JsonNode document) throws IOException {
        String kind = document.path("apiVersion").asText() + " "
                + document.path("kind").asText();
        Class<? extends HasMetadata> model = SCHEMA.get(kind);
        if (model == null) {
            throw new IOException("no schema for " + kind);
        }
        try {
            return readStrictly(document, model);
        } catch (IOException e) {
            throw new IOException(kind + " " + document.at("/metadata/name").asText() + ": " + e.getMessage(), e);
        }
    }

    /** @throws IOException for a key that the model doesn't have, or a value of another type */
    static <T> T readStrictly(JsonNode value, Class<T> model) throws IOException {
        return STRICT.treeToValue(value, model);
    }

    /** The one object of a kind. */
    <T extends HasMetadata> T only(Class<T> kind) {
        List<T> found = all(kind).toList();
        if (found.size() != 1) {
            throw new IllegalStateException(found.size() + " objects are " + kind.getSimpleName());
        }
        return found.getFirst();
    }

    <T extends HasMetadata> Stream<T> all(Class<T> kind) {
        return objects.stream().filter(kind::isInstance).map(kind::cast);
    }

    /** All YAML files below the folder of the sources. */
    static List<Path> files() throws IOException {
        try (Stream<Path> files = Files.walk(folder())) {
            return files.filter(file -> file.toString().endsWith(".yaml"))
                    .filter(file -> !file.toString().contains("/target/"))
                    .sorted()
                    .toList();
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }
}
