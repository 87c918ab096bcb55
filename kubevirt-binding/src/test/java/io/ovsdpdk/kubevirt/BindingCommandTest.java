package io.ovsdpdk.kubevirt;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BindingCommandTest {
    @TempDir
    private Path folder;

    private final ByteArrayOutputStream stdout = new ByteArrayOutputStream();
    private final StringWriter stderr = new StringWriter();
    private String vmi;
    private String domain;

    @BeforeEach
    void writeDocuments() throws Exception {
        vmi = Files.write(folder.resolve("vmi.json"), Vmi.withFast().json()).toString();
        domain = Files.write(folder.resolve("domain.xml"), new Domain().xml()).toString();
    }

    private int run(Map<String, String> environment, String... arguments) {
        return new BindingCommand(environment, stdout, new PrintWriter(stderr)).run(List.of(arguments));
    }

    private int run(String... arguments) {
        return run(Map.of(), arguments);
    }

    private String out() {
        return stdout.toString(StandardCharsets.UTF_8);
    }

    @Test
    void domainIsPrintedAndNothingElse() throws Exception {
        int status = run("--vmi", vmi, "--domain", domain);

        assertThat(status).isZero();
        assertThat(stdout.toByteArray())
                .isEqualTo(new Binding("ovs-dpdk", Binding.DEFAULT_HOOKS_FOLDER, folder.resolve("none"))
                        .define(Vmi.withFast().json(), new Domain().xml()));
        assertThat(stderr.toString()).isEmpty();
    }

    /** As KubeVirt's sidecar shim calls its {@code onDefineDomain}. */
    @Test
    void documentsMayBeTheArgumentsThemselves() {
        int status = run(
                "--vmi", new String(Vmi.withFast().json(), StandardCharsets.UTF_8), "--domain", new Domain().text());

        assertThat(status).isZero();
        assertThat(out()).contains("ua-fast");
    }

    @Test
    void foldersAndBindingAreOptions() throws Exception {
        Files.writeString(folder.resolve("info"), "{\"interfaces\":[{\"network\":\"fast\",\"mtu\":9000}]}");

        int status = run(
                Map.of("NETWORK_BINDING_PLUGIN_NAME", "other"),
                "--vmi",
                vmi,
                "--domain",
                domain,
                "--binding=ovs-dpdk",
                "--hooks=/h",
                "--network-info=" + folder.resolve("info"));

        assertThat(status).isZero();
        assertThat(out()).contains("path='/h/ovs-dpdk/sockets/pod115dc3606fb.sock'", "<mtu size='9000'/>");
    }

    @Test
    void bindingIsTheEnvironmentsWithoutTheOption() {
        int status = run(Map.of("NETWORK_BINDING_PLUGIN_NAME", "other"), "--vmi", vmi, "--domain", domain);

        assertThat(status).isEqualTo(BindingCommand.REFUSED);
        assertThat(stderr.toString()).contains("has no interface with binding \"other\"");
    }

    @Test
    void refusalIsOneLineOnStandardErrorAndStatus1() throws Exception {
        Files.writeString(Path.of(domain), "<domain>");

        int status = run("--vmi", vmi, "--domain", domain);

        assertThat(status).isEqualTo(BindingCommand.REFUSED);
        assertThat(out()).isEmpty();
        assertThat(stderr.toString()).startsWith("ovs-dpdk-binding: ").hasLineCount(1);
    }

    @Test
    void missingFileIsNamed() {
        int status = run("--vmi", "/nonexistent", "--domain", domain);

        assertThat(status).isEqualTo(BindingCommand.REFUSED);
        assertThat(stderr.toString()).contains("/nonexistent: no such file");
    }

    @Test
    void sidecarThatCantListenSaysWhere() {
        int status = run("--hooks", folder.resolve("none").toString());

        assertThat(status).isEqualTo(BindingCommand.REFUSED);
        assertThat(stderr.toString()).contains("can't listen on " + folder.resolve("none"));
    }

    @Test
    void sidecarWithANameThatIsAPathDoesNotListen() {
        int status = run(Map.of("CONTAINER_NAME", "../x"), "--hooks", folder.toString());

        assertThat(status).isEqualTo(BindingCommand.REFUSED);
        assertThat(stderr.toString()).contains("CONTAINER_NAME is \"../x\"");
    }

    @Test
    void oneDocumentWithoutTheOtherIsWrongUsage() {
        assertThat(run("--vmi", vmi)).isEqualTo(2);
        assertThat(run("--nonsense")).isEqualTo(2);
        assertThat(out()).isEmpty();
    }

    @Test
    void helpAndVersionAreForPeople() {
        assertThat(run("--help")).isZero();
        assertThat(out()).contains("--vmi", "--domain", "hook sidecar", "Exit status");
        stdout.reset();
        assertThat(run("--version")).isZero();
        assertThat(out()).matches("ovs-dpdk-binding \\d.*\n");
    }
}
