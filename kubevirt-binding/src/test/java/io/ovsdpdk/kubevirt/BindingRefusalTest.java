package io.ovsdpdk.kubevirt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** VMs that must not start, for they would have an interface that passes nothing; and what is no VM at all. */
class BindingRefusalTest {
    /**
     * A VM that is refused.
     *
     * @param words what the message must have
     */
    private record Refusal(String name, byte[] vmi, byte[] domain, String networkInfo, List<String> words) {
        @Override
        public String toString() {
            return name;
        }
    }

    @TempDir
    private Path folder;

    private static Refusal fast(String name, Consumer<ObjectNode> settings, String... words) {
        return new Refusal(name, new Vmi().ours("fast", settings).json(), new Domain().xml(), "", List.of(words));
    }

    private static Refusal vmi(String name, Vmi vmi, String... words) {
        return new Refusal(name, vmi.json(), new Domain().xml(), "", List.of(words));
    }

    private static Refusal json(String name, String vmi, String... words) {
        return new Refusal(name, vmi.getBytes(StandardCharsets.UTF_8), new Domain().xml(), "", List.of(words));
    }

    private static Refusal tuned(String value, String... words) {
        return vmi("annotation " + value, Vmi.withFast().tuned(value), words);
    }

    private static Refusal domain(String name, String domain, String... words) {
        return new Refusal(name, Vmi.withFast().json(), domain.getBytes(StandardCharsets.UTF_8), "", List.of(words));
    }

    private static Refusal told(String networkInfo, String... words) {
        return new Refusal(
                "network-info " + networkInfo, Vmi.withFast().json(), new Domain().xml(), networkInfo, List.of(words));
    }

    private static String toldOfFast(String members) {
        return "{\"interfaces\":[{\"network\":\"fast\"," + members + "}]}";
    }

    static List<Refusal> interfaces() {
        return List.of(
                fast("a model that is not virtio", fast -> fast.put("model", "e1000e"), "\"fast\"", "e1000e", "virtio"),
                fast("a MAC address that is none", fast -> fast.put("macAddress", "02:00"), "\"02:00\"", "six octets"),
                fast("a multicast address", fast -> fast.put("macAddress", "01:00:5e:00:00:01"), "even"),
                fast("no address", fast -> fast.put("macAddress", "00:00:00:00:00:00"), "zero"),
                fast("a PCI address without a domain", fast -> fast.put("pciAddress", "81:00.0"), "0000:01:00.0"),
                fast("an ACPI index that is too large", fast -> fast.put("acpiIndex", 16384), "acpiIndex", "16383"),
                fast("a boot order of 0", fast -> fast.put("bootOrder", 0), "bootOrder", "from 1"),
                fast("a state that is a number", fast -> fast.put("state", 1), "state", "text"),
                vmi("a name that no alias can have", new Vmi().ours("f'><x"), "letters, digits"),
                vmi("the same name twice", new Vmi().ours("fast").ours("fast"), "two interfaces \"fast\""),
                vmi(
                        "no network of its name",
                        new Vmi().with(vmi -> vmi.withObject("/spec/domain/devices")
                                .withArray("interfaces")
                                .addObject()
                                .put("name", "fast")
                                .putObject("binding")
                                .put("name", "ovs-dpdk")),
                        "\"fast\"",
                        "spec.networks"),
                vmi(
                        "the pod's own network",
                        new Vmi().ours("fast").with(vmi -> {
                            ObjectNode network = (ObjectNode) vmi.at("/spec/networks/0");
                            network.remove("multus");
                            network.putObject("pod");
                        }),
                        "NetworkAttachmentDefinition"),
                vmi("another binding only", new Vmi().bound("fast", "dpdk-2", fast -> {}), "[dpdk-2]", "registered as"),
                vmi("no binding at all", new Vmi().masquerade(), "has no interface with binding \"ovs-dpdk\""),
                vmi(
                        "CPUs in numbers that nobody has",
                        Vmi.withFast().multiqueue().with(vmi -> vmi.withObject("/spec/domain/resources/limits")
                                .put("cpu", "1e9G")),
                        "1e9G"));
    }

    static List<Refusal> annotations() {
        return List.of(
                tuned("", "not"),
                tuned("{", "not valid JSON"),
                tuned("[]", "no JSON object"),
                tuned("{\"fast\":[]}", "must be an object"),
                tuned("{\"slow\":{}}", "\"slow\"", "[fast]"),
                tuned("{\"default\":{}}", "\"default\"", "[fast]"),
                tuned("{\"fast\":{\"queue\":1}}", "unknown key \"queue\""),
                tuned("{\"fast\":{\"queues\":0}}", "queues must be a number from 1 to"),
                tuned("{\"fast\":{\"queues\":" + (VhostUserInterface.MAX_QUEUES + 1) + "}}", "queues must be"),
                tuned("{\"fast\":{\"queues\":\"4\"}}", "queues must be a number"),
                tuned("{\"fast\":{\"queues\":1.5}}", "queues must be a number"),
                tuned("{\"fast\":{\"rxQueueSize\":1000}}", "rxQueueSize must be 256, 512 or 1024: 1000"),
                tuned("{\"fast\":{\"txQueueSize\":2048}}", "txQueueSize must be 256, 512 or 1024: 2048"),
                tuned("{\"fast\":{\"txQueueSize\":128}}", "txQueueSize must be 256, 512 or 1024: 128"),
                tuned("{\"fast\":{\"mtu\":67}}", "mtu must be a number from 68 to 9702"),
                tuned("{\"fast\":{\"mtu\":9703}}", "mtu must be a number from 68 to 9702"),
                tuned("{\"fast\":{},\"fast\":{}}", "not valid JSON", "uplicate"));
    }

    static List<Refusal> networkInfos() {
        return List.of(
                told("[]", "network-info", "no JSON object"),
                told("{", "network-info", "not valid JSON"),
                told(toldOfFast("\"mac\":\"ff:ff:ff:ff:ff:ff\""), "ff:ff"),
                told(toldOfFast("\"mtu\":65536"), "mtu"),
                told(toldOfFast("\"deviceInfo\":{\"type\":\"pci\"}"), "\"pci\"", "of type ovs-dpdk"),
                told(
                        toldOfFast("\"deviceInfo\":{\"type\":\"vhost-user\",\"vhost-user\":{\"mode\":\"client\"}}"),
                        "\"client\""),
                told(
                        toldOfFast("\"deviceInfo\":{\"type\":\"vhost-user\",\"vhost-user\":{\"mode\":\"server\","
                                + "\"path\":\"/var/lib/cni/usrcni/net1.sock\"}}"),
                        "/var/lib/cni/usrcni/net1.sock",
                        "sharedDir"),
                new Refusal(
                        "an MTU above the network's",
                        Vmi.withFast().tuned("{\"fast\":{\"mtu\":9000}}").json(),
                        new Domain().xml(),
                        toldOfFast("\"mtu\":1500"),
                        List.of("9000", "1500")));
    }

    static List<Refusal> memory() {
        return List.of(
                domain(
                        "private memory",
                        new Domain().memoryBacking("<access mode='private'/>").text(),
                        "memoryBacking is \"private\""),
                domain(
                        "a private NUMA cell",
                        new Domain()
                                .cpu("<numa><cell id='0' cpus='0-3' memory='1' memAccess='private'/></numa>")
                                .text(),
                        "NUMA cell is \"private\""),
                domain(
                        "a private memory device",
                        new Domain()
                                .device(
                                        "<memory model='dimm' access='private'><target><size>1</size></target></memory>")
                                .text(),
                        "memory device is \"private\""),
                domain(
                        "anonymous memory",
                        new Domain().memoryBacking("<source type='anonymous'/>").text(),
                        "\"anonymous\""),
                domain(
                        "an access without a mode",
                        new Domain().memoryBacking("<access/>").text(),
                        "memoryBacking is \"\"",
                        "shared"),
                domain(
                        "an access mode that libvirt doesn't know",
                        new Domain().memoryBacking("<access mode='Shared'/>").text(),
                        "memoryBacking is \"Shared\""),
                domain(
                        "a source without a type",
                        new Domain().memoryBacking("<source/>").text(),
                        "source type \"\"",
                        "memfd"),
                domain(
                        "a NUMA cell with an empty access",
                        new Domain()
                                .cpu("<numa><cell id='0' cpus='0-3' memory='1' memAccess=''/></numa>")
                                .text(),
                        "NUMA cell is \"\"",
                        "shared"),
                domain(
                        "a memory device with an empty access",
                        new Domain()
                                .device("<memory model='dimm' access=''><target><size>1</size></target></memory>")
                                .text(),
                        "memory device is \"\""),
                vmi(
                        "memory that SEV encrypts",
                        Vmi.withFast().with(vmi -> vmi.withObject("/spec/domain/launchSecurity")
                                .putObject("sev")),
                        "default/vm",
                        "spec.domain.launchSecurity",
                        "\"fast\""),
                vmi(
                        "memory of secure execution, which KubeVirt knows by an empty object",
                        Vmi.withFast().with(vmi -> vmi.withObject("/spec")
                                .put("architecture", "s390x")
                                .withObject("/domain/launchSecurity")),
                        "spec.domain.launchSecurity"),
                domain(
                        "memory that another sidecar lets SEV encrypt",
                        new Domain()
                                .rest("<launchSecurity type='sev'><policy>0x0003</policy></launchSecurity>")
                                .text(),
                        "launchSecurity of type \"sev\"",
                        "encrypted"),
                domain(
                        "two memory backings",
                        new Domain()
                                .memoryBacking("<locked/></memoryBacking><memoryBacking>")
                                .text(),
                        "2 elements memoryBacking"));
    }

    static List<Refusal> documents() {
        String domain = new Domain().text();
        return List.of(
                json("a VMI that is empty", "", "VMI"),
                json("a VMI that is a list", "[]", "no JSON object"),
                json("a VMI that goes on", "{\"spec\":{\"domain\":{}}}x", "VMI"),
                json("a VMI without a domain", "{\"spec\":{}}", "spec.domain"),
                json("a VMI that is too deep", "{\"spec\":" + "[".repeat(500), "VMI", "depth"),
                json("a VMI that is too long", " ".repeat(JsonDocument.MAX_BYTES + 1), "1572864 bytes"),
                domain("nothing", "", "not well-formed"),
                domain("half a document", domain.substring(0, 300), "not well-formed"),
                domain("another document", "<network><name>x</name></network>", "\"network\"", "domain"),
                domain("a domain of another namespace", "<domain xmlns='urn:x'/>", "namespace"),
                domain("a domain without devices", "<domain/>", "no devices"),
                domain(
                        "two interfaces with our alias",
                        domain.replace(
                                "</devices>",
                                "<interface type='user'><alias name='ua-fast'/></interface>".repeat(2) + "</devices>"),
                        "2 interfaces"),
                domain("a document type", "<!DOCTYPE domain>" + domain, "DOCTYPE"),
                domain(
                        "an external entity",
                        "<!DOCTYPE domain [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>"
                                + domain.replace("default_vm", "&x;"),
                        "DOCTYPE"),
                domain(
                        "entities that grow",
                        "<!DOCTYPE domain [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;'>]>"
                                + domain.replace("default_vm", "&b;"),
                        "DOCTYPE"),
                domain(
                        "an external document type",
                        "<!DOCTYPE domain SYSTEM 'http://127.0.0.1:9/x'>" + domain,
                        "DOCTYPE"),
                domain("an entity that is unknown", domain.replace("default_vm", "&x;"), "not well-formed"),
                domain(
                        "elements without end",
                        "<domain><devices>" + "<a>".repeat(100_000),
                        "not well-formed",
                        "Depth limit"),
                domain(
                        "very many elements",
                        "<domain><devices>" + "<a/>".repeat(100_000) + "</devices></domain>",
                        "50000"),
                domain("another encoding", "<?xml version='1.0' encoding='UTF-16'?>" + domain, "encoding", "UTF-16"),
                domain("a longer one than the limit", domain + " ".repeat(XmlText.MAX_BYTES), "1048576 bytes"));
    }

    @ParameterizedTest
    @MethodSource({"interfaces", "annotations", "networkInfos", "memory", "documents"})
    void refusalSaysWhatIsWrong(Refusal refusal) throws Exception {
        Path networkInfo = Files.writeString(folder.resolve("network-info"), refusal.networkInfo());
        Binding binding = new Binding(Binding.DEFAULT_NAME, Binding.DEFAULT_HOOKS_FOLDER, networkInfo);

        assertThatThrownBy(() -> binding.define(refusal.vmi(), refusal.domain()))
                .isInstanceOf(RefusedException.class)
                .message()
                .contains(refusal.words())
                .doesNotContain("\n");
    }

    @Test
    void pathThatIsTooLongForASocketIsRefused() {
        Path limit = Path.of("/" + "x".repeat(107 - "//ovs-dpdk/sockets/pod115dc3606fb.sock".length()));
        Path tooLong = Path.of(limit + "x");
        byte[] vmi = Vmi.withFast().json();
        byte[] domain = new Domain().xml();
        Path none = folder.resolve("none");

        assertThatThrownBy(() -> new Binding("ovs-dpdk", tooLong, none).define(vmi, domain))
                .isInstanceOf(RefusedException.class)
                .hasMessageContaining("has 108 bytes")
                .hasMessageContaining("may have 107");
        assertThat(limitIsAccepted(limit, none, vmi, domain)).isTrue();
    }

    private static boolean limitIsAccepted(Path limit, Path none, byte[] vmi, byte[] domain) {
        try {
            return new Binding("ovs-dpdk", limit, none).define(vmi, domain).length > domain.length;
        } catch (RefusedException e) {
            return false;
        }
    }

    @Test
    void bytesThatAreNoTextAreRefused() {
        Binding binding = new Binding("ovs-dpdk", Binding.DEFAULT_HOOKS_FOLDER, folder.resolve("none"));

        assertThatThrownBy(() -> binding.define(Vmi.withFast().json(), new byte[] {'<', (byte) 0xc3, '>'}))
                .isInstanceOf(RefusedException.class)
                .hasMessage("the domain XML is not UTF-8");
    }

    @Test
    void networkInfoThatCantBeReadIsAnError() {
        Binding binding = new Binding("ovs-dpdk", Binding.DEFAULT_HOOKS_FOLDER, folder);

        assertThatThrownBy(() -> binding.define(Vmi.withFast().json(), new Domain().xml()))
                .isInstanceOf(RefusedException.class)
                .hasMessageContaining("can't read " + folder);
    }
}
