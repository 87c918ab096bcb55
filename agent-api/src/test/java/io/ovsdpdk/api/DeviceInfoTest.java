package io.ovsdpdk.api;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class DeviceInfoTest {
    @Test
    void madeOutOfNothingItHasTheFormOfTheSpecification() {
        ObjectNode info = DeviceInfo.completed(Json.object(), "/var/run/vhost/net1.sock");

        assertThat(info).hasToString("""
                {"type":"vhost-user","version":"1.1.0",\
                "vhost-user":{"mode":"server","path":"/var/run/vhost/net1.sock"}}""");
    }

    @Test
    void whatADevicePluginSaidStays() throws CniException {
        ObjectNode existing = json("""
                {"version": "1.0.0", "vendor": {"numa": 1}, "vhost-user": {"queues": 2, "path": "/old"}}""");

        ObjectNode info = DeviceInfo.completed(existing, "/var/run/vhost/net1.sock");

        assertThat(info).isEqualTo(json("""
                {"version": "1.0.0", "vendor": {"numa": 1}, "type": "vhost-user",
                 "vhost-user": {"queues": 2, "mode": "server", "path": "/var/run/vhost/net1.sock"}}"""));
        assertThat(existing.at("/vhost-user/path").asText()).isEqualTo("/old");
    }

    @Test
    void completeOneStaysAsItIs() {
        ObjectNode once = DeviceInfo.completed(Json.object(), "/var/run/vhost/net1.sock");

        assertThat(DeviceInfo.completed(once, "/var/run/vhost/net1.sock")).isEqualTo(once);
    }

    @Test
    void partsOfAWrongKindAreReplaced() throws CniException {
        ObjectNode info = DeviceInfo.completed(
                json("{\"type\": 7, \"version\": {}, \"vhost-user\": \"server\"}"), "/var/run/vhost/net1.sock");

        assertThat(info).isEqualTo(DeviceInfo.completed(Json.object(), "/var/run/vhost/net1.sock"));
    }

    private static ObjectNode json(String text) throws CniException {
        return Json.readObject("test data", text.getBytes(StandardCharsets.UTF_8));
    }
}
