package io.ovsdpdk.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Containers, interfaces, sandboxes and pods by their names. */
class IdentityTest {
    @ParameterizedTest
    @ValueSource(strings = {"a", "0", "8a8822f0-3e4e", "a_b.c-d"})
    void containerIdMayBe(String id) {
        assertThat(new AttachmentId(id, "net1")).hasToString(id + "/net1");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "-a", ".", "..", "_a", "a/b", "a b", "a\n", "ä", "a\u0000"})
    void containerIdMayNotBe(String id) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new AttachmentId(id, "net1"))
                .withMessageContaining("container ID");
    }

    @Test
    void containerIdHas255CharactersAtMost() {
        assertThat(new AttachmentId("c".repeat(255), "net1").containerId()).hasSize(255);
        assertThatIllegalArgumentException().isThrownBy(() -> new AttachmentId("c".repeat(256), "net1"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"a", "net1", "pod37a8eec1ce1", "fifteen-letters", "@x", "..."})
    void interfaceNameMayBe(String ifname) {
        assertThat(new AttachmentId("c1", ifname).ifname()).isEqualTo(ifname);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", ".", "..", "sixteen-letters1", "a/b", "a:b", "a b", "a\t", "a\n", "\u00fc", "a\u0000"})
    void interfaceNameMayNotBe(String ifname) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new AttachmentId("c1", ifname))
                .withMessageContaining("interface name");
    }

    @Test
    void podMayBeUnknown() {
        assertThat(PodIdentity.NONE.known()).isFalse();
        assertThat(PodIdentity.NONE).hasToString("no pod");
        assertThat(new PodIdentity("default", "p1", "").known()).isTrue();
        assertThat(new PodIdentity("default", "p1", "")).hasToString("default/p1");
    }

    @ParameterizedTest
    @ValueSource(strings = {"-a", "../a", "a/b", "a b", "a\n", "a=b", "a;b"})
    void podsNameMayNotBe(String name) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new PodIdentity("default", name, ""))
                .withMessageContaining("K8S_POD_NAME");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new PodIdentity(name, "p1", ""))
                .withMessageContaining("K8S_POD_NAMESPACE");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new PodIdentity("default", "p1", name))
                .withMessageContaining("K8S_POD_UID");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "/run/\u0000", "/run/\n", "/run/\ud800"})
    void sandboxMustBeAPath(String sandbox) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new AttachmentRequest(
                        new AttachmentId("c1", "net1"), sandbox, PodIdentity.NONE, Optional.empty(), Json.object()))
                .withMessageContaining("CNI_NETNS");
    }
}
