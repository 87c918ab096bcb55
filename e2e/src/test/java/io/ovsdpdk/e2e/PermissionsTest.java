package io.ovsdpdk.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.fabric8.kubernetes.api.model.rbac.ClusterRole;
import io.ovsdpdk.agent.kubernetes.testbed.ApiServer;
import io.ovsdpdk.api.Request;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
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

    @Test
    void agentAsksForNothingThatItIsNotAllowed() throws IOException {
        try (ApiServer apiServer = ApiServer.start();
                Node node = Node.start()) {
            Path kubeconfig = apiServer.writeKubeconfig(node.folder().resolve("kubeconfig"), "token");
            node.stopAgent();
            node.startAgent("--kubeconfig=" + kubeconfig, "--node-name=node-1");
            await().atMost(PATIENCE).untilAsserted(() -> Replies.done(node.ask(new Request.Ready())));
            await().atMost(PATIENCE).until(() -> apiServer.watches() > 0);

            String container = node.newContainer();
            Replies.added(node.ask(node.add(container, "net1")));
            Replies.done(node.ask(node.delete(container, "net1")));

            Set<String> asked = apiServer.requests().stream()
                    .map(PermissionsTest::permission)
                    .collect(Collectors.toCollection(TreeSet::new));
            assertThat(asked).contains("list pods", "watch pods").isSubsetOf(allowed());
        }
    }
}
