package io.ovsdpdk.agent;

import static org.assertj.core.api.Assertions.assertThat;

import io.ovsdpdk.api.AttachmentId;
import org.junit.jupiter.api.Test;

class PortNameTest {

    /** Running nodes have such ports: a change of the rule would lose them. The value is sha256sum's. */
    @Test
    void nameIsTheOneThatItAlwaysWas() {
        assertThat(PortName.of(new AttachmentId("c0ffee", "net1"))).isEqualTo("vhufae36189120");
    }

    /** Linux's names of interfaces have 15 bytes at most, and vswitchd makes some of them. */
    @Test
    void nameHasFourteenCharactersHoweverLongTheIdIs() {
        assertThat(PortName.of(new AttachmentId("c".repeat(255), "fifteen-letters")))
                .hasSize(14);
    }

    @Test
    void everyInterfaceOfEveryContainerHasItsOwn() {
        assertThat(new String[] {
                    PortName.of(new AttachmentId("a", "b")),
                    PortName.of(new AttachmentId("a", "c")),
                    PortName.of(new AttachmentId("b", "b")),
                    PortName.of(new AttachmentId("ab", "b"))
                })
                .doesNotHaveDuplicates();
    }
}
