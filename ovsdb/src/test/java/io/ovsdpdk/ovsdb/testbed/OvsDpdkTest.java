package io.ovsdpdk.ovsdb.testbed;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class OvsDpdkTest {
    @Test
    void switchWithDpdkStartsAndTakesBridge() throws Exception {
        try (OvsDpdk ovs = OvsDpdk.start()) {
            ovs.addBridge("br0");

            assertThat(ovs.vsctl("get", "Open_vSwitch", ".", "dpdk_initialized"))
                    .isEqualTo("true");
            assertThat(ovs.vsctl("get", "Open_vSwitch", ".", "iface_types")).contains("dpdkvhostuserclient");
            assertThat(ovs.vsctl("get", "Bridge", "br0", "datapath_type")).isEqualTo("netdev");
        }
    }

    @Test
    void switchOfAnotherUserStartsAndTakesBridge() throws Exception {
        try (OvsDpdk ovs = OvsDpdk.startAs(4242)) {
            ovs.addBridge("br0");

            assertThat(ovs.vsctl("get", "Interface", "br0", "ofport")).isEqualTo("65534");
            assertThat(Files.getAttribute(Path.of("/proc/" + ovs.switchPid()), "unix:uid"))
                    .isEqualTo(4242);
            assertThat(Files.getAttribute(ovs.socket(), "unix:uid")).isEqualTo(4242);
        }
    }

    @Test
    void switchWithoutDpdkHasNoVhostPorts() throws Exception {
        try (OvsDpdk ovs = OvsDpdk.startWithoutDpdk()) {
            ovs.addBridge("br0");

            assertThat(ovs.vsctl("get", "Open_vSwitch", ".", "iface_types")).doesNotContain("dpdkvhostuserclient");
        }
    }

    @Test
    void databaseSurvivesKillAndSwitchFollowsAgain() throws Exception {
        try (OvsDpdk ovs = OvsDpdk.startWithoutDpdk()) {
            ovs.addBridge("br0");

            ovs.database().kill();
            assertThat(ovs.database().isRunning()).isFalse();
            ovs.database().start();
            ovs.addBridge("br1");

            assertThat(ovs.vsctl("list-br")).isEqualTo("br0\nbr1");
        }
    }

    @Test
    void switchRestartsWithItsBridges() throws Exception {
        try (OvsDpdk ovs = OvsDpdk.start()) {
            ovs.addBridge("br0");

            ovs.stopSwitch();
            ovs.startSwitch();
            ovs.killSwitch();
            ovs.startSwitch();

            assertThat(ovs.vsctl("get", "Interface", "br0", "ofport")).isEqualTo("65534");
        }
    }

    @Test
    void suspendedSwitchAppliesNothingUntilResumed() throws Exception {
        try (OvsDpdk ovs = OvsDpdk.startWithoutDpdk()) {
            ovs.suspendSwitch();
            assertThatThrownBy(() -> ovs.vsctl(
                            "--timeout=1", "add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=netdev"))
                    .isInstanceOf(IOException.class);

            ovs.resumeSwitch();
            ovs.vsctl("wait-until", "Interface", "br0", "ofport=65534");
        }
    }

    @Test
    void suspendedProcessesCanBeStopped() throws Exception {
        try (OvsDpdk ovs = OvsDpdk.startWithoutDpdk()) {
            ovs.suspendSwitch();
            ovs.database().suspend();

            ovs.stopSwitch();
            ovs.database().stop();

            assertThat(ovs.isSwitchRunning()).isFalse();
            assertThat(ovs.database().isRunning()).isFalse();
        }
    }

    @Test
    void closeLeavesNoProcessAndNoFolder() throws Exception {
        OvsDpdk ovs = OvsDpdk.start();
        Path folder = ovs.folder();
        long vswitchd = ovs.switchPid();
        long server = ovs.database().pid();

        ovs.close();

        assertThat(folder).doesNotExist();
        assertThat(ProcessHandle.of(vswitchd)).isEmpty();
        assertThat(ProcessHandle.of(server)).isEmpty();
        assertThat(Files.readString(Path.of("/proc/self/mountinfo"))).doesNotContain(folder.toString());
    }

    @Test
    void switchThatDoesNotComeUpShowsItsLogAndIsGone() throws Exception {
        try (OvsDpdk ovs = OvsDpdk.start()) {
            ovs.stopSwitch();
            ovs.vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:dpdk-extra=--no-such-option");

            assertThatThrownBy(ovs::startSwitch).isInstanceOf(IOException.class).hasMessageContaining("EAL");

            assertThat(ovs.isSwitchRunning()).isFalse();
        }
    }

    @Test
    void failureOfVsctlShowsItsWords() throws Exception {
        try (OvsdbServer server = OvsdbServer.create()) {
            server.start();

            assertThatThrownBy(() -> server.vsctl("--no-wait", "del-br", "br9"))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("no bridge named br9");
        }
    }
}
