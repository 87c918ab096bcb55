package io.ovsdpdk.ovsdb;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class DeadlineTest {

    @Test
    void remainingIsWithinWhatWasGiven() {
        Deadline deadline = Deadline.after(Duration.ofMinutes(1));

        assertThat(deadline.remaining()).isBetween(Duration.ofSeconds(50), Duration.ofMinutes(1));
        assertThat(deadline.expired()).isFalse();
    }

    @Test
    void expiredDeadlineHasNothingLeft() {
        assertThat(Deadline.after(Duration.ZERO).expired()).isTrue();
        assertThat(Deadline.after(Duration.ofSeconds(-1)).expired()).isTrue();
        assertThat(Deadline.after(Duration.ofSeconds(-1)).remaining()).isEqualTo(Duration.ZERO);
    }

    @Test
    void longestDurationDoesNotOverflow() {
        Deadline forever = Deadline.after(Duration.ofSeconds(Long.MAX_VALUE));

        assertThat(forever.expired()).isFalse();
        assertThat(forever.remaining()).isGreaterThan(Duration.ofDays(36_000));
    }

    @Test
    void earlierOfTwoIsWhatEndsFirst() {
        Deadline first = Deadline.after(Duration.ofSeconds(1));
        Deadline second = Deadline.after(Duration.ofSeconds(2));

        assertThat(Deadline.earlier(first, second)).isSameAs(first);
        assertThat(Deadline.earlier(second, first)).isSameAs(first);
    }
}
