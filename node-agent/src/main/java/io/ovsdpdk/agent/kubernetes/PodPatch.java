package io.ovsdpdk.agent.kubernetes;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fabric8.kubernetes.api.model.Pod;
import io.ovsdpdk.api.Json;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/** What a pod's annotations lack, and the JSON Patch (RFC 6902) that adds it if they are still what they were. */
final class PodPatch {
    private static final String ANNOTATIONS = "/metadata/annotations";

    private PodPatch() {}

    /**
     * The annotations that must change, and to what; empty when there is nothing to do, yet.
     *
     * @param interfaces all of ours in the pod
     * @param departed those of ours that are no longer in it, and of which it may have been told
     * @param problems gets what keeps an annotation from being completed, a line for people each
     */
    static Map<String, String> missing(
            Pod pod, List<PodInterface> interfaces, List<PodInterface> departed, Consumer<String> problems) {
        Map<String, String> current = annotations(pod);
        boolean multus = !current.getOrDefault(NetworkStatus.NETWORKS, "").isBlank();
        Optional<String> status = Optional.ofNullable(current.get(NetworkStatus.ANNOTATION));
        if (interfaces.isEmpty() && departed.isEmpty()
                || multus && status.filter(text -> !text.isBlank()).isEmpty()) {
            // Multus is about to write: then all is told at once
            return Map.of();
        }
        Map<String, String> missing = new LinkedHashMap<>();
        try {
            Optional<String> left = multus ? status : NetworkStatus.without(status, unsucceeded(departed, interfaces));
            NetworkStatus.completed(left, multus, interfaces)
                    .or(() -> left)
                    .ifPresent(text -> missing.put(NetworkStatus.ANNOTATION, text));
        } catch (MalformedAnnotationException e) {
            problems.accept(e.getMessage());
        }
        try {
            missing.putAll(legacy(
                    Optional.ofNullable(current.get(LegacyAnnotations.CONFIGURATION_DATA)), interfaces, departed));
        } catch (MalformedAnnotationException | UnspeakableException e) {
            problems.accept(e.getMessage());
        }
        missing.entrySet().removeIf(wanted -> wanted.getValue().equals(current.get(wanted.getKey())));
        return missing;
    }

    /** The entry of one that has a successor of its name is that one's. */
    private static List<PodInterface> unsucceeded(List<PodInterface> departed, List<PodInterface> interfaces) {
        return departed.stream()
                .filter(gone ->
                        interfaces.stream().noneMatch(ours -> ours.ifname().equals(gone.ifname())))
                .toList();
    }

    /** The folder stays when no entry is left: nobody reads it then. */
    private static Map<String, String> legacy(
            Optional<String> data, List<PodInterface> interfaces, List<PodInterface> departed)
            throws MalformedAnnotationException, UnspeakableException {
        Optional<String> left = LegacyAnnotations.without(data, departed);
        Map<String, String> wanted = new LinkedHashMap<>();
        left.ifPresent(text -> wanted.put(LegacyAnnotations.CONFIGURATION_DATA, text));
        Optional<LegacyAnnotations> told =
                interfaces.isEmpty() ? Optional.empty() : LegacyAnnotations.of(left, interfaces);
        told.ifPresent(legacy -> {
            wanted.put(LegacyAnnotations.CONFIGURATION_DATA, legacy.configurationData());
            legacy.mappedDir().ifPresent(folder -> wanted.put(LegacyAnnotations.MAPPED_DIR, folder));
        });
        return wanted;
    }

    /**
     * A patch that changes annotations of this very pod, if they are what was read, and else fails as a whole. That one
     * is still missing can't be tested in JSON Patch; then nothing at all may have changed.
     */
    static String of(Pod read, Map<String, String> wanted) {
        Map<String, String> current = annotations(read);
        ArrayNode patch = Json.array();
        operation(patch, "test", "/metadata/uid", read.getMetadata().getUid());
        if (!current.keySet().containsAll(wanted.keySet())) {
            operation(
                    patch,
                    "test",
                    "/metadata/resourceVersion",
                    read.getMetadata().getResourceVersion());
        }
        if (current.isEmpty()) {
            patch.addObject().put("op", "add").put("path", ANNOTATIONS).putObject("value");
        }
        wanted.forEach((annotation, text) -> {
            String path = ANNOTATIONS + "/" + annotation.replace("~", "~0").replace("/", "~1");
            if (current.containsKey(annotation)) {
                operation(patch, "test", path, current.get(annotation));
            }
            operation(patch, current.containsKey(annotation) ? "replace" : "add", path, text);
        });
        return new String(Json.write(patch), StandardCharsets.UTF_8);
    }

    private static void operation(ArrayNode patch, String name, String path, String value) {
        ObjectNode operation = patch.addObject();
        operation.put("op", name).put("path", path).put("value", value);
    }

    /** Whether a copy is surely from before another one of the same pod. Versions that are no numbers say nothing. */
    static boolean isOlder(Pod copy, Pod than) {
        try {
            return Long.parseLong(copy.getMetadata().getResourceVersion())
                    < Long.parseLong(than.getMetadata().getResourceVersion());
        } catch (NumberFormatException e) {
            return false;
        }
    }

    static boolean isSame(Pod one, Pod other) {
        return one.getMetadata().getResourceVersion().equals(other.getMetadata().getResourceVersion());
    }

    private static Map<String, String> annotations(Pod pod) {
        Map<String, String> annotations = pod.getMetadata().getAnnotations();
        return annotations == null ? Map.of() : annotations;
    }
}
