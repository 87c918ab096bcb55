package io.ovsdpdk.agent.host;

import static io.ovsdpdk.agent.host.AccessControlList.EXECUTE;
import static io.ovsdpdk.agent.host.AccessControlList.READ;
import static io.ovsdpdk.agent.host.AccessControlList.Tag.GROUP;
import static io.ovsdpdk.agent.host.AccessControlList.Tag.MASK;
import static io.ovsdpdk.agent.host.AccessControlList.Tag.OTHERS;
import static io.ovsdpdk.agent.host.AccessControlList.Tag.OWNER;
import static io.ovsdpdk.agent.host.AccessControlList.Tag.OWNING_GROUP;
import static io.ovsdpdk.agent.host.AccessControlList.Tag.USER;
import static io.ovsdpdk.agent.host.AccessControlList.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.ovsdpdk.agent.host.AccessControlList.Entry;
import io.ovsdpdk.agent.host.AccessControlList.Tag;
import java.util.Arrays;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AccessControlListTest {

    private static final int OVS = 4242;
    private static final int ANOTHER = 7;

    private static AccessControlList list(Entry... entries) {
        return new AccessControlList(Arrays.asList(entries));
    }

    private static Entry entry(Tag tag, int permissions) {
        return new Entry(tag, permissions, -1);
    }

    /** As setfacl -m u:4242:rw- made it on a file of mode 0640, and getfattr showed it. */
    @Test
    void valueIsTheKernels() {
        byte[] attribute = HexFormat.of()
                .parseHex("02000000" + "01000600ffffffff" + "0200060092100000" + "04000400ffffffff" + "10000600ffffffff"
                        + "20000000ffffffff");
        AccessControlList list = list(
                entry(OWNER, READ | WRITE),
                new Entry(USER, READ | WRITE, OVS),
                entry(OWNING_GROUP, READ),
                entry(MASK, READ | WRITE),
                entry(OTHERS, 0));

        assertThat(AccessControlList.decode(attribute)).isEqualTo(list);
        assertThat(list.encode()).isEqualTo(attribute);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "02", "01000000", "0200000001", "0200000001000600ffffff", "0200000003000600ffffffff"})
    void anythingElseIsRefused(String hex) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> AccessControlList.decode(HexFormat.of().parseHex(hex)));
    }

    @Test
    void modeBitsMakeAListThatNamesNobody() {
        AccessControlList list = AccessControlList.ofMode(0140752);

        assertThat(list)
                .isEqualTo(list(
                        entry(OWNER, READ | WRITE | EXECUTE),
                        entry(OWNING_GROUP, READ | EXECUTE),
                        entry(OTHERS, WRITE)));
        assertThat(list.grants(OVS, WRITE)).isFalse();
    }

    @Test
    void userOfAListThatNamesNobodyGetsAnEntryAndNobodyElseGains() {
        AccessControlList granting = AccessControlList.ofMode(0700).granting(OVS, WRITE);

        assertThat(granting)
                .isEqualTo(list(
                        entry(OWNER, READ | WRITE | EXECUTE),
                        new Entry(USER, WRITE, OVS),
                        entry(OWNING_GROUP, 0),
                        entry(MASK, WRITE),
                        entry(OTHERS, 0)));
        assertThat(granting.grants(OVS, WRITE)).isTrue();
        assertThat(granting.grants(OVS, READ)).isFalse();
        assertThat(granting.grants(ANOTHER, WRITE)).isFalse();
    }

    /** Of a socket that was made with umask 077, or 022, below a default list that names three. */
    @ParameterizedTest
    @ValueSource(ints = {0, READ | EXECUTE})
    void whatTheMaskTookFromOthersStaysTakenWhenItIsWidened(int mask) {
        int all = READ | WRITE | EXECUTE;
        AccessControlList socket = list(
                entry(OWNER, all),
                new Entry(USER, all, ANOTHER),
                new Entry(USER, WRITE, OVS),
                entry(OWNING_GROUP, all),
                new Entry(GROUP, all, ANOTHER),
                entry(MASK, mask),
                entry(OTHERS, 0));
        assertThat(socket.grants(OVS, WRITE)).isFalse();

        AccessControlList granting = socket.granting(OVS, WRITE);

        assertThat(granting)
                .isEqualTo(list(
                        entry(OWNER, all),
                        new Entry(USER, mask, ANOTHER),
                        new Entry(USER, WRITE, OVS),
                        entry(OWNING_GROUP, mask),
                        new Entry(GROUP, mask, ANOTHER),
                        entry(MASK, mask | WRITE),
                        entry(OTHERS, 0)));
        assertThat(granting.grants(OVS, WRITE)).isTrue();
    }

    @Test
    void groupsAndOthersCountForWhomTheListDoesNotName() {
        AccessControlList closed = AccessControlList.ofMode(0700).granting(ANOTHER, EXECUTE);

        assertThat(closed.mayGrant(ANOTHER, EXECUTE)).isTrue();
        assertThat(closed.mayGrant(OVS, EXECUTE)).isFalse();
        assertThat(AccessControlList.ofMode(0710).mayGrant(OVS, EXECUTE)).isTrue();
        assertThat(AccessControlList.ofMode(0701).mayGrant(OVS, EXECUTE)).isTrue();
        assertThat(list(
                                entry(OWNER, EXECUTE),
                                new Entry(USER, 0, OVS),
                                entry(OWNING_GROUP, EXECUTE),
                                entry(MASK, EXECUTE),
                                entry(OTHERS, EXECUTE))
                        .mayGrant(OVS, EXECUTE))
                .isFalse();
    }

    @Test
    void grantingWhatIsGrantedChangesNothing() {
        AccessControlList granting = AccessControlList.ofMode(0750).granting(OVS, WRITE);

        assertThat(granting.granting(OVS, WRITE)).isEqualTo(granting);
    }
}
