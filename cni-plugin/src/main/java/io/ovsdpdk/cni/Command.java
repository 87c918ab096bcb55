package io.ovsdpdk.cni;

import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.Quoted;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The operations of CNI, as {@code CNI_COMMAND} names them. */
enum Command {
    ADD(CniVersion.V0_3_0, "CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"),
    /** Needs as little as possible: what is left out here can't keep a pod in Terminating. */
    DEL(CniVersion.V0_3_0, "CNI_CONTAINERID", "CNI_IFNAME"),
    CHECK(CniVersion.V0_4_0, "CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"),
    GC(CniVersion.V1_1_0, "CNI_PATH"),
    STATUS(CniVersion.V1_1_0, "CNI_PATH"),
    VERSION(CniVersion.V0_3_0);

    private final CniVersion since;
    private final List<String> variables;

    Command(CniVersion since, String... variables) {
        this.since = since;
        this.variables = List.of(variables);
    }

    /** The environment variables without which it can't be served. */
    List<String> variables() {
        return variables;
    }

    /** @throws CniException {@link ErrorCode#INCOMPATIBLE_VERSION} when that version has no such command */
    void checkExistsIn(CniVersion version) throws CniException {
        if (!version.atLeast(since)) {
            throw new CniException(
                    ErrorCode.INCOMPATIBLE_VERSION,
                    "incompatible CNI version: " + this + " does not exist in " + version.text(),
                    "it needs a cniVersion of " + since.text() + " or later");
        }
    }

    /** @throws CniException {@link ErrorCode#ENVIRONMENT} when there is no such command */
    static Command named(String name) throws CniException {
        return Stream.of(values())
                .filter(command -> command.name().equals(name))
                .findAny()
                .orElseThrow(() -> new CniException(
                        ErrorCode.ENVIRONMENT,
                        "unknown CNI_COMMAND " + Quoted.of(name),
                        "the commands are "
                                + Stream.of(values()).map(Command::name).collect(Collectors.joining(", "))));
    }
}
