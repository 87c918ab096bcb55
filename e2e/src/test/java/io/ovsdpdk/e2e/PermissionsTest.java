package io.ovsdpdk.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.api.model.rbac.ClusterRole;
import io.ovsdpdk.agent.kubernetes.testbed.Pods;
import io.ovsdpdk.ovsdb.testbed.OvsDpdk;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the agent asks of the API server, and what the manifests allow it. */
class PermissionsTest {
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    /** {@code METHOD /api/v1[/namespaces/N]/RESOURCE[/NAME[/SUBRESOURCE]][?QUERY]}, or a group instead of the core. */
    private static final Pattern REQUEST = Pattern.compile(
            "([A-Z]+) /(?:api|apis/[^/]+)/v[^/]+(?:/namespaces/[^/]+)?/([a-z-]+)(/[^/?]+)?(/[^/?]+)?(\\?.*)?");

    private static Set<String> allowed() throws IOException {
        return Manifests.rendered("base").only(ClusterRole.class).getRules().stream()
                .flatMap(rule -> rule.getVerbs().stream()
                        .flatMap(verb -> rule.getResources().stream().map(resource -> verb + " " + resource)))
                .collect(Collectors.toCollection(TreeSet::new));
    }

    /** A request as RBAC sees it: a verb and a resource. */
    private static String permission(String request) {
        Matcher parts = REQUEST.matcher(request);
        if (!parts.matches()) {
            throw new IllegalArgumentException("what is " + request + "?");
        }
        boolean one = parts.group(3) != null;
        boolean watch = parts.group(5) != null && parts.group(5).contains("watch=true");
        String verb =
                switch (parts.group(1)) {
                    case "GET" -> watch ? "watch" : one ? "get" : "list";
                    case "POST" -> "create";
                    case "PUT" -> "update";
                    case "PATCH" -> "patch";
                    case "DELETE" -> one ? "delete" : "deletecollection";
                    default -> throw new IllegalArgumentException("what is " + request + "?");
                };
        return verb + " " + parts.group(2) + (parts.group(4) == null ? "" : parts.group(4));
    }

    @ParameterizedTest
    @CsvSource({
        "GET /api/v1/pods?fieldSelector=x, list pods",
        "GET /api/v1/pods?fieldSelector=x&watch=true, watch pods",
        "GET /api/v1/namespaces/default/pods/web, get pods",
        "PATCH /api/v1/namespaces/default/pods/web/status, patch pods/status",
        "PATCH /api/v1/namespaces/default/pods/web, patch pods",
        "POST /api/v1/namespaces/default/events, create events"
    })
    void requestsAreReadAsRbacReadsThem(String request, String permission) {
        assertThat(permission(request)).isEqualTo(permission);
    }

    /** Through all that makes the agent ask: it follows pods, tells one of its socket, looks for one, and says what failed. */
    @Test
    @Tag("long")
    void agentAsksForAllThatItIsAllowedAndNothingElse() throws IOException {
        OvsDpdk ovs = OvsDpdk.start();
        ovs.addBridge("br0");
        try (KubernetesNode cluster = KubernetesNode.start(ovs)) {
            Node node = cluster.node;
            await().atMost(PATIENCE).until(() -> cluster.apiServer.watches() > 0);
            Pod pod = cluster.schedule(Pods.withVolume("told", KubernetesNode.NAME, "shared-dir", "\"emptyDir\": {}"));
            ObjectNode network = node.network("1.1.0", "fast");
            network.remove("sharedDir");

            PluginCall.Outcome added =
                    cluster.call("ADD", node.newContainer(), pod, network).run();
            assertThat(added.succeeded()).as(added.stdout()).isTrue();
            await().atMost(PATIENCE).until(() -> asked(cluster).contains("patch pods/status"));
            Pod unknown = new PodBuilder(pod)
                    .editMetadata()
                    .withName("unknown")
                    .withUid("uid-of-unknown")
                    .endMetadata()
                    .build();
            for (String permission : List.of("create events", "patch events")) {
                cluster.call("ADD", node.newContainer(), unknown, network).run();
                await().atMost(PATIENCE).until(() -> asked(cluster).contains(permission));
            }

            assertThat(asked(cluster)).isEqualTo(allowed());
        }
    }

    private static Set<String> asked(KubernetesNode cluster) {
        return cluster.apiServer.requests().stream()
                // The test's own
                .filter(request -> !request.startsWith("POST /api/v1/namespaces/default/pods"))
                .map(PermissionsTest::permission)
                .collect(Collectors.toCollection(TreeSet::new));
    }
}
