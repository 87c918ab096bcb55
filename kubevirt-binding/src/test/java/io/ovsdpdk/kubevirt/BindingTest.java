package io.ovsdpdk.kubevirt;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Domains that come out right, by libvirt's own schema too. */
class BindingTest {
    @TempDir
    private Path folder;

    static List<Scenario> scenarios() {
        return Scenario.all();
    }

    private Binding binding(Scenario scenario) throws Exception {
        return new Binding(
                Binding.DEFAULT_NAME,
                Binding.DEFAULT_HOOKS_FOLDER,
                Files.writeString(folder.resolve("network-info"), scenario.networkInfo()));
    }

    private static String flat(byte[] xml) {
        return new String(xml, StandardCharsets.UTF_8).replaceAll("\\s*\\n\\s*", "");
    }

    private static Set<String> ours(Scenario scenario) throws RefusedException {
        return VirtualMachine.read(scenario.vmi().json()).interfaces(Binding.DEFAULT_NAME).stream()
                .map(candidate -> candidate.path("name").asText())
                .collect(Collectors.toSet());
    }

    @ParameterizedTest
    @MethodSource("scenarios")
    void domainHasWhatTheVmAsksFor(Scenario scenario) throws Exception {
        byte[] defined = binding(scenario).define(scenario.vmi().json(), scenario.xml());

        assertThat(flat(defined)).contains(scenario.expected());
    }

    @ParameterizedTest
    @MethodSource("scenarios")
    void secondCallChangesNothing(Scenario scenario) throws Exception {
        Binding binding = binding(scenario);
        byte[] once = binding.define(scenario.vmi().json(), scenario.xml());

        byte[] twice = binding.define(scenario.vmi().json(), once);

        assertThat(twice).asString().isEqualTo(new String(once, StandardCharsets.UTF_8));
    }

    @ParameterizedTest
    @MethodSource("scenarios")
    void everythingElseStaysAsItWas(Scenario scenario) throws Exception {
        byte[] defined = binding(scenario).define(scenario.vmi().json(), scenario.xml());

        assertThat(CanonicalXml.withoutOurs(defined, ours(scenario)))
                .isEqualTo(CanonicalXml.withoutOurs(scenario.xml(), ours(scenario)));
    }

    /** Tag by tag, with the text before it, for the canonical form leaves out line breaks, CDATA, entities and quotes. */
    @ParameterizedTest
    @MethodSource("scenarios")
    void everyCharacterStaysThatIsNotOfOursOrOfMemory(Scenario scenario) throws Exception {
        byte[] defined = binding(scenario).define(scenario.vmi().json(), scenario.xml());

        List<String> others = tags(scenario.domain()
                        .replaceAll("(?s)\\s*<interface type=.vhostuser.*?</interface>", ""))
                .filter(tag -> !tag.matches("(?s).*(<cell .*|<devices/>|<memoryBacking/>)"))
                .toList();
        assertThat(tags(new String(defined, StandardCharsets.UTF_8))).containsSubsequence(others);
    }

    private static Stream<String> tags(String xml) {
        return Stream.of(xml.split("(?<=>)"));
    }

    @ParameterizedTest
    @MethodSource("scenarios")
    void domainPassesTheSchemaOfLibvirt(Scenario scenario) throws Exception {
        byte[] defined = binding(scenario).define(scenario.vmi().json(), scenario.xml());

        assertThat(VirtXmlValidate.run(Files.write(folder.resolve("domain.xml"), defined)))
                .isEmpty();
    }

    @Test
    void schemaRefusesWhatIsWrong() throws Exception {
        Path wrong = Files.writeString(
                folder.resolve("wrong.xml"), new Domain().text().replace("<emulator>", "<emulator><nonsense/>"));

        assertThat(VirtXmlValidate.run(wrong)).isNotEmpty();
    }

    @Test
    void interfaceOfAnotherBindingIsLeftToIt() throws Exception {
        Vmi vmi = Vmi.withFast()
                .bound("second", "dpdk-2", settings -> {})
                .tuned("{\"fast\": {\"mtu\": 9000}, \"second\": {\"mtu\": 1400}}");
        Binding other = new Binding("dpdk-2", Binding.DEFAULT_HOOKS_FOLDER, folder.resolve("none"));
        Binding usual = new Binding(Binding.DEFAULT_NAME, Binding.DEFAULT_HOOKS_FOLDER, folder.resolve("none"));

        byte[] first = usual.define(vmi.json(), new Domain().xml());
        byte[] both = other.define(vmi.json(), first);

        assertThat(flat(first)).contains("ua-fast", "9000").doesNotContain("ua-second", "1400");
        assertThat(flat(both)).contains("ua-fast", "9000", "ua-second", "1400");
        assertThat(CanonicalXml.withoutOurs(both, Set.of("second")))
                .isEqualTo(CanonicalXml.withoutOurs(first, Set.of("second")));
    }

    /** What the target is told goes nowhere, but a refusal fails the migration; and the source's domain must fit there. */
    @Test
    void targetOfAMigrationIsToldWhatTheSourceWas() throws Exception {
        Binding binding = new Binding(Binding.DEFAULT_NAME, Binding.DEFAULT_HOOKS_FOLDER, folder.resolve("none"));
        byte[] domain = new Domain().xml();

        byte[] source = binding.define(Vmi.withFast().multiqueue().cpu(4, 1, 1).json(), domain);
        byte[] target = binding.define(
                Vmi.withFast().multiqueue().cpu(4, 1, 1).migrating().json(), domain);

        assertThat(target).asString().isEqualTo(new String(source, StandardCharsets.UTF_8));
    }

    @Test
    void interfaceThatWasUnpluggedIsTakenOut() throws Exception {
        Binding binding = new Binding(Binding.DEFAULT_NAME, Binding.DEFAULT_HOOKS_FOLDER, folder.resolve("none"));
        String before = new Domain().text();
        byte[] plugged = binding.define(Vmi.withFast().json(), before.getBytes(StandardCharsets.UTF_8));

        byte[] unplugged = binding.define(
                new Vmi().ours("fast", fast -> fast.put("state", "absent")).json(), plugged);

        assertThat(flat(plugged)).contains("ua-fast");
        assertThat(flat(unplugged)).doesNotContain("ua-fast", "vhostuser");
        assertThat(new String(unplugged, StandardCharsets.UTF_8).lines())
                .containsSubsequence(before.lines().toList());
    }

    @Test
    void domainWithoutOurMemoryStaysSoWhenAllOfOursAreUnplugged() throws Exception {
        Binding binding = new Binding(Binding.DEFAULT_NAME, Binding.DEFAULT_HOOKS_FOLDER, folder.resolve("none"));

        byte[] defined = binding.define(
                new Vmi().ours("fast", fast -> fast.put("state", "absent")).json(), new Domain().xml());

        assertThat(defined).isEqualTo(new Domain().xml());
    }

    @Test
    void encryptedVmKeepsItsOtherInterfacesWhenAllOfOursAreUnplugged() throws Exception {
        Binding binding = new Binding(Binding.DEFAULT_NAME, Binding.DEFAULT_HOOKS_FOLDER, folder.resolve("none"));
        byte[] vmi = new Vmi()
                .ours("fast", fast -> fast.put("state", "absent"))
                .with(json -> json.withObject("/spec/domain/launchSecurity").putObject("sev"))
                .json();
        byte[] domain = new Domain().rest("<launchSecurity type='sev'/>").xml();

        assertThat(binding.define(vmi, domain)).isEqualTo(domain);
    }

    /** Fewer would not say that the domains of all kinds of VMs come out right. */
    @Test
    void scenariosAreManyAndDifferent() {
        List<Scenario> scenarios = scenarios();

        assertThat(scenarios).hasSizeGreaterThanOrEqualTo(25);
        assertThat(scenarios).extracting(Scenario::name).doesNotHaveDuplicates();
        assertThat(scenarios)
                .extracting(scenario -> new String(scenario.vmi().json(), StandardCharsets.UTF_8)
                        + scenario.domain()
                        + scenario.networkInfo())
                .doesNotHaveDuplicates();
    }

    @Test
    void nameOfTheBindingIsTheEnvironmentsWhereItHasOne() {
        assertThat(Binding.nameIn(Map.of())).isEqualTo("ovs-dpdk");
        assertThat(Binding.nameIn(Map.of("NETWORK_BINDING_PLUGIN_NAME", ""))).isEqualTo("ovs-dpdk");
        assertThat(Binding.nameIn(Map.of("NETWORK_BINDING_PLUGIN_NAME", "dpdk-2")))
                .isEqualTo("dpdk-2");
    }

    /** The value of KubeVirt's own tests. */
    @Test
    void podInterfaceIsNamedAsKubeVirtDoes() {
        assertThat(PodInterfaceName.ofSecondary("blue")).isEqualTo("pod16477688c0e");
    }
}
