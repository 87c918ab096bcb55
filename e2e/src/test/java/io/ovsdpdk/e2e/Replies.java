package io.ovsdpdk.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.ovsdpdk.api.Attached;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.MacAddress;
import io.ovsdpdk.api.Reply;

/** What tests expect of the agent's replies. */
final class Replies {
    private Replies() {}

    static Attached added(Reply reply) {
        assertThat(reply).as(() -> text(reply)).isInstanceOf(Reply.Added.class);
        return ((Reply.Added) reply).attached();
    }

    static MacAddress addedMac(Reply reply) {
        return added(reply).mac();
    }

    static void done(Reply reply) {
        assertThat(reply).as(() -> text(reply)).isInstanceOf(Reply.Done.class);
    }

    static void failed(Reply reply, ErrorCode code) {
        assertThat(reply).as(() -> text(reply)).isInstanceOf(Reply.Failed.class);
        assertThat(((Reply.Failed) reply).error().code()).as(() -> text(reply)).isEqualTo(code.code());
    }

    private static String text(Reply reply) {
        return reply instanceof Reply.Failed failed
                ? "code " + failed.error().code() + ": " + failed.error().getMessage() + " "
                        + failed.error().details()
                : reply.toString();
    }
}
