package io.ovsdpdk.ovsdb;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class PersistentMapTest {

    @Test
    void behavesAsAMapThroughRandomChanges() {
        Random random = new Random(7);
        Map<Integer, Integer> expected = new HashMap<>();
        PersistentMap<Integer, Integer> map = PersistentMap.empty();

        for (int i = 0; i < 10_000; i++) {
            int key = random.nextInt(500);
            if (random.nextBoolean()) {
                expected.put(key, i);
                map = map.with(key, i);
            } else {
                expected.remove(key);
                map = map.without(key);
            }
        }

        assertThat(map.size()).isEqualTo(expected.size());
        assertThat(map.values()).containsExactlyInAnyOrderElementsOf(expected.values());
        for (int key = 0; key < 500; key++) {
            assertThat(map.get(key).orElse(-1)).isEqualTo(expected.getOrDefault(key, -1));
        }
    }

    @Test
    void changeLeavesTheOldMapAsItWas() {
        PersistentMap<String, String> before =
                PersistentMap.<String, String>empty().with("a", "1").with("b", "2");

        before.with("a", "9").without("b").with("c", "3");

        assertThat(before.values()).containsExactlyInAnyOrder("1", "2");
    }
}
