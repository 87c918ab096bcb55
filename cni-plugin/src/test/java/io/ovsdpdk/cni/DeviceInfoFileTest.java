package io.ovsdpdk.cni;

import static io.ovsdpdk.cni.ContainerRuntime.json;
import static io.ovsdpdk.cni.ContainerRuntime.network;
import static org.assertj.core.api.Assertions.assertThat;

import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.cni.ContainerRuntime.Answer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DeviceInfoFileTest {
    private static final String NAME = "default-fast-" + ContainerRuntime.CONTAINER + "_net1";
    private static final String OURS = """
            {"type": "vhost-user", "version": "1.1.0", "vhost-user": {"mode": "server", "path": "%s"}}
            """.formatted(FakeAgent.SOCKET_PATH);

    @TempDir
    Path folder;

    private FakeAgent agent;
    private ContainerRuntime runtime;
    private Path file;

    @BeforeEach
    void start() throws IOException {
        agent = new FakeAgent(ContainerRuntime.agentSocket(folder));
        runtime = new ContainerRuntime(folder);
        file = ContainerRuntime.deviceInfo(folder).resolve(NAME);
    }

    @AfterEach
    void stop() {
        agent.close();
    }

    @Test
    void fileAndItsFolderAreMade() throws IOException {
        Answer answer = call("ADD", "\"" + file + "\"");

        assertThat(answer.status()).as(answer.stdout()).isZero();
        assertThat(json(Files.readString(file))).isEqualTo(json(OURS));
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
                .isEqualTo("rw-r--r--");
        assertThat(file.getParent()).isDirectoryContaining(file::equals);
        assertThat(file.getParent().toFile().list()).containsExactly(NAME);
    }

    @Test
    void whatADevicePluginWroteStays() throws IOException {
        exists("{\"version\": \"1.0.0\", \"vendor\": {\"numa\": 1}, \"vhost-user\": {\"queues\": 2}}");

        call("ADD", "\"" + file + "\"");

        assertThat(json(Files.readString(file))).isEqualTo(json("""
                {"version": "1.0.0", "vendor": {"numa": 1}, "type": "vhost-user",
                 "vhost-user": {"queues": 2, "mode": "server", "path": "%s"}}""".formatted(FakeAgent.SOCKET_PATH)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "no JSON", "[]", "{\"a\":1,\"a\":2}"})
    void fileThatSaysNothingIsReplaced(String content) throws IOException {
        exists(content);

        Answer answer = call("ADD", "\"" + file + "\"");

        assertThat(answer.stderr()).contains("it is replaced");
        assertThat(json(Files.readString(file))).isEqualTo(json(OURS));
    }

    @Test
    void repeatedAddLeavesItAsItIs() throws IOException {
        call("ADD", "\"" + file + "\"");
        String first = Files.readString(file);

        call("ADD", "\"" + file + "\"");

        assertThat(file).hasContent(first);
    }

    @Test
    void checkLeavesIt() throws IOException {
        call("ADD", "\"" + file + "\"");

        call("CHECK", "\"" + file + "\"");

        assertThat(file).exists();
    }

    @Test
    void delRemovesIt() throws IOException {
        call("ADD", "\"" + file + "\"");

        assertThat(call("DEL", "\"" + file + "\"").status()).isZero();
        assertThat(file).doesNotExist();
        assertThat(call("DEL", "\"" + file + "\"").status()).isZero();
    }

    @ParameterizedTest
    @ValueSource(strings = {"ADD", "DEL"})
    void whatAKilledAddHasLeftIsRemoved(String command) throws IOException {
        exists("{}");
        Path half = Files.writeString(new DeviceInfoFile(file).fresh(), "{\"type\":");

        assertThat(call(command, "\"" + file + "\"").status()).isZero();

        assertThat(half).doesNotExist();
        assertThat(file.getParent().toFile().list()).hasSize(command.equals("ADD") ? 1 : 0);
    }

    @ParameterizedTest
    @ValueSource(strings = {"null", "\"\""})
    void noFileIsNoMistake(String value) {
        assertThat(call("ADD", value).status()).isZero();
    }

    @Test
    void fileThatCantBeWrittenKeepsNobodyFromHisInterface() throws IOException {
        Files.createDirectories(file.resolve("in its place"));

        Answer answer = call("ADD", "\"" + file + "\"");

        assertThat(answer.status()).as(answer.stdout()).isZero();
        assertThat(answer.stderr()).contains("the device information can't be written");
        assertThat(file.getParent().toFile().list()).containsExactly(NAME);
    }

    /** What the author of a NetworkAttachmentDefinition could write, to have root overwrite or remove a file. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "\"/etc/passwd\"",
                "\"FOLDER/../cni-other/0123456789abcdef\"",
                "\"FOLDER/../cni/0123456789abcdef\"",
                "\"FOLDER/sub/0123456789abcdef\"",
                "\"FOLDER/default-fast-fedcba9876543210_net1\"",
                "\"FOLDER\"",
                "\"FOLDER/\"",
                "\"/\"",
                "\"0123456789abcdef\"",
                "\"FOLDER/0123456789abcdef\\u0000\"",
                "\"FOLDER/0123456789abcdef\\ud800\"",
                "7",
                "{}",
                "[\"FOLDER/0123456789abcdef\"]"
            })
    void fileOfOthersIsRefusedBeforeAnythingIsDone(String value) throws IOException {
        Files.createDirectories(file.getParent().resolve("sub"));
        Path others = Files.writeString(file.resolveSibling("default-fast-fedcba9876543210_net1"), "others");
        String path = value.replace("FOLDER", file.getParent().toString());

        Answer add = call("ADD", path);

        assertThat(add.code()).isEqualTo(ErrorCode.CONFIGURATION.code());
        assertThat(add.message()).contains("runtimeConfig.CNIDeviceInfoFile", "container's ID in its name");
        assertThat(agent.requests()).isEmpty();
        assertThat(others).hasContent("others");

        Answer del = call("DEL", path);

        assertThat(del.status()).isZero();
        assertThat(del.stderr()).contains("the device information is left");
        assertThat(others).hasContent("others");
    }

    @Test
    void linkInItsPlaceIsNotFollowed() throws IOException {
        Path target = Files.writeString(folder.resolve("target"), "{\"secret\": 1}");
        Files.createDirectories(file.getParent());
        Files.createSymbolicLink(file, target);

        call("ADD", "\"" + file + "\"");

        assertThat(target).hasContent("{\"secret\": 1}");
    }

    private Answer call(String command, String value) {
        String previous = command.equals("CHECK")
                ? ",\"prevResult\":{\"cniVersion\":\"1.0.0\",\"interfaces\":[{\"name\":\"net1\",\"mac\":\""
                        + FakeAgent.MAC.text() + "\",\"sandbox\":\"" + ContainerRuntime.NETNS + "\"}]}"
                : "";
        return runtime.call(
                command, network("1.0.0", ",\"runtimeConfig\":{\"CNIDeviceInfoFile\":" + value + "}" + previous));
    }

    private void exists(String content) throws IOException {
        Files.createDirectories(file.getParent());
        Files.writeString(file, content);
    }
}
