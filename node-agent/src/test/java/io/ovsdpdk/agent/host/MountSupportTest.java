package io.ovsdpdk.agent.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.mockito.ArgumentMatchers.any;
import static org.mockito.ArgumentMatchers.longThat;
import static org.mockito.Mockito.doThrow;
import static org.mockito.Mockito.spy;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(120)
class MountSupportTest {

    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final String CONTAINER = "0123456789ab";

    private Sandbox sandbox;
    private Path root;
    private Path mountRoot;
    private SocketFolders folders;

    @BeforeEach
    void start() throws IOException {
        sandbox = new Sandbox();
        root = sandbox.path.resolve("v/root");
        mountRoot = sandbox.path.resolve("r/p");
        folders = folders(new LinuxCalls(), Nosymfollow.REQUIRED);
    }

    @AfterEach
    void clean() {
        sandbox.close();
    }

    private SocketFolders folders(LinuxCalls calls, Nosymfollow nosymfollow) {
        return new SocketFolders(calls, mountRoot, nosymfollow, Sandbox.accessOfRoot(), LIMIT);
    }

    private FolderLocation at(String below) {
        return new FolderLocation(root, Path.of(below), CONTAINER);
    }

    @Test
    void thisKernelCanEverythingAndTheProbeLeavesNothing() throws IOException {
        MountSupport support = folders.probe();

        assertThat(support.level()).isEqualTo(MountSupport.Level.FULL);
        assertThat(support.explanation()).contains("nosymfollow");
        assertThat(mountRoot).isEmptyDirectory();
        assertThat(sandbox.mounts()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(ints = {22, 38})
    void kernelWithoutNosymfollowMountsWithoutItOnlyIfTold(int errno) throws IOException {
        LinuxCalls calls = spy(new LinuxCalls());
        doThrow(new LinuxException("mount_setattr", "x", errno))
                .when(calls)
                .mountSetattr(
                        any(), longThat(flags -> errno == 38 || (flags & LinuxCalls.MOUNT_ATTR_NOSYMFOLLOW) != 0));
        SocketFolders strict = folders(calls, Nosymfollow.REQUIRED);
        SocketFolders lax = folders(calls, Nosymfollow.WHERE_SUPPORTED);

        assertThat(strict.probe().level()).isEqualTo(MountSupport.Level.NO_NOSYMFOLLOW);
        assertThatExceptionOfType(LinuxException.class).isThrownBy(() -> strict.prepare(at("a")));
        assertThat(sandbox.path.resolve("v")).doesNotExist();

        SocketFolder folder = lax.prepare(at("a")).folder();
        assertThat(Sandbox.optionsOf(folder.mountPoint()))
                .contains("nosuid", "nodev", "noexec")
                .doesNotContain("nosymfollow");
        assertThat(lax.verify(folder)).isEmpty();
        assertThat(strict.verify(folder))
                .hasValueSatisfying(problem -> assertThat(problem).endsWith("lacks nosymfollow"));
    }

    @Test
    void nosymfollowIsUsedWhereSupportedThoughNotRequired() throws IOException {
        SocketFolder folder = folders(new LinuxCalls(), Nosymfollow.WHERE_SUPPORTED)
                .prepare(at("a"))
                .folder();

        assertThat(Sandbox.optionsOf(folder.mountPoint())).contains("nosymfollow");
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 38})
    void processThatMayNotMountIsToldWhy(int errno) throws IOException {
        LinuxCalls calls = spy(new LinuxCalls());
        doThrow(new LinuxException("open_tree", "x", errno)).when(calls).openTree(any());

        MountSupport support = folders(calls, Nosymfollow.REQUIRED).probe();

        assertThat(support.level()).isEqualTo(MountSupport.Level.NONE);
        assertThat(support.explanation()).contains("open_tree", errno == 1 ? "CAP_SYS_ADMIN" : "too old");
        assertThat(mountRoot).isEmptyDirectory();
    }
}
