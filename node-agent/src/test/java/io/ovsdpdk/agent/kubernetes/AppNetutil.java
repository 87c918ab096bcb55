package io.ovsdpdk.agent.kubernetes;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What an application learns with app-netutil from the annotations that the downward API puts into a file: its rules, so
 * that we see what becomes of what we write.
 */
final class AppNetutil {
    /** @param type {@code vhost-user}, another one of device information, or {@code unknown} */
    record Interface(String ifname, String type, String mode, String path, List<String> addresses) {}

    private JsonNode networkStatus = new ObjectMapper().createArrayNode();
    private JsonNode configurationData = new ObjectMapper().createArrayNode();
    private String mappedDir = "";

    private AppNetutil() {}

    /** @param file as kubelet writes it: {@code KEY="VALUE"}, the value quoted as Go does */
    static List<Interface> interfaces(String file) {
        AppNetutil reader = new AppNetutil();
        file.lines().forEach(reader::readLine);
        return reader.interfaces();
    }

    /** The file of a pod with these annotations. */
    static String file(Map<String, String> annotations) {
        StringBuilder file = new StringBuilder();
        new TreeMap<>(annotations).forEach((key, value) -> file.append(key)
                .append("=\"")
                .append(value.replace("\\", "\\\\")
                        .replace("\"", "\\\"")
                        .replace("\n", "\\n")
                        .replace("\t", "\\t"))
                .append("\"\n"));
        return file.toString().stripTrailing();
    }

    private void readLine(String line) {
        String[] parts = line.strip().split("=", -1);
        if (parts.length != 2) {
            return;
        }
        String quoted = parts[1].replace("\\n", "").replace("\\", "").replace(" ", "");
        String value = quoted.substring(1, quoted.length() - 1);
        switch (parts[0]) {
            case "k8s.v1.cni.cncf.io/network-status" -> networkStatus = json(value);
            case "userspace/configuration-data" -> configurationData = json(value);
            case "userspace/mapped-dir" -> mappedDir = value;
            default -> {}
        }
    }

    /** What is no JSON is reported by app-netutil and passed over. */
    private static JsonNode json(String text) {
        try {
            return new ObjectMapper().readTree(text);
        } catch (JsonProcessingException e) {
            return new ObjectMapper().createArrayNode();
        }
    }

    private List<Interface> interfaces() {
        Map<String, Interface> known = new TreeMap<>();
        List<Interface> nameless = new ArrayList<>();
        for (JsonNode status : networkStatus) {
            JsonNode info = status.path("device-info");
            Interface told = new Interface(
                    status.path("interface").asText(),
                    info.path("type").asText("unknown"),
                    info.at("/vhost-user/mode").asText(),
                    info.at("/vhost-user/path").asText(),
                    texts(status.path("ips")));
            if (told.ifname().isEmpty()) {
                nameless.add(told);
            } else {
                known.putIfAbsent(told.ifname(), told);
            }
        }
        for (JsonNode data : configurationData) {
            complete(known, data);
        }
        nameless.addAll(known.values());
        return nameless;
    }

    private void complete(Map<String, Interface> known, JsonNode data) {
        String ifname = data.path("ifName").asText();
        Interface found = known.get(ifname);
        boolean hasInfo = found != null && !found.type().equals("unknown");
        if (hasInfo || !data.at("/config/iftype").asText().equals("vhostuser")) {
            return;
        }
        List<String> addresses = found == null ? addresses(data.at("/ipResult/ips")) : found.addresses();
        known.put(
                ifname,
                new Interface(
                        ifname,
                        "vhost-user",
                        data.at("/config/vhost/mode").asText(),
                        mappedDir + data.at("/config/vhost/socketfile").asText(),
                        addresses));
    }

    private static List<String> addresses(JsonNode ips) {
        List<String> addresses = new ArrayList<>();
        for (JsonNode ip : ips) {
            String version = ip.path("version").asText();
            if (version.equals("4") || version.equals("6")) {
                addresses.add(ip.path("address").asText().replaceAll("/.*", ""));
            }
        }
        return addresses;
    }

    private static List<String> texts(JsonNode array) {
        List<String> texts = new ArrayList<>();
        array.forEach(element -> texts.add(element.asText()));
        return texts;
    }
}
