package io.ovsdpdk.ovsdb;

import com.fasterxml.jackson.databind.JsonNode;

/** What the server sends (JSON-RPC 1.0; RFC 7047 section 4; ovsdb-server(7)). */
sealed interface Message {

    /** The server did what was asked. */
    record Result(long id, JsonNode result) implements Message {}

    /** The server refused the request as such. */
    record Failure(long id, String error) implements Message {}

    /** The server asks whether we live. */
    record Echo(JsonNode id, JsonNode parameters) implements Message {}

    /** The replicated tables changed. */
    record Update(JsonNode updates) implements Message {}

    /** The database went away or was converted to another schema, and the monitor with it. */
    record MonitorCanceled() implements Message {}

    /** A notification or request of which this client knows nothing; ignored. */
    record Other(String method) implements Message {}

    /**
     * Reads one message.
     *
     * @throws OvsdbProtocolException if it is none
     */
    static Message of(JsonNode json) throws OvsdbProtocolException {
        if (!json.isObject()) {
            throw new OvsdbProtocolException(
                    "the server sent something that is no JSON-RPC message: " + shortened(json));
        }
        return json.path("method").isTextual() ? request(json) : answer(json);
    }

    private static Message request(JsonNode json) throws OvsdbProtocolException {
        JsonNode parameters = json.path("params");
        return switch (json.get("method").asText()) {
            case "echo" -> new Echo(json.path("id"), parameters);
            case "update3" -> {
                if (!parameters.path(2).isObject()) {
                    throw new OvsdbProtocolException("the server sent an update without tables: " + shortened(json));
                }
                yield new Update(parameters.get(2));
            }
            case "monitor_canceled" -> new MonitorCanceled();
            case String method -> new Other(method);
        };
    }

    /** An error is looked for first: ovsdb-server leaves the result out, or sends null, when there is one. */
    private static Message answer(JsonNode json) throws OvsdbProtocolException {
        JsonNode id = json.path("id");
        if (!id.isIntegralNumber()) {
            throw new OvsdbProtocolException("the server sent an answer to no request of ours: " + shortened(json));
        }
        JsonNode error = json.path("error");
        if (!error.isMissingNode() && !error.isNull()) {
            return new Failure(id.asLong(), error.isTextual() ? error.asText() : shortened(error));
        }
        if (!json.has("result")) {
            throw new OvsdbProtocolException("the server sent an answer without result and error: " + shortened(json));
        }
        return new Result(id.asLong(), json.get("result"));
    }

    private static String shortened(JsonNode json) {
        String text = json.toString();
        return text.length() > 200 ? text.substring(0, 200) + "…" : text;
    }
}
