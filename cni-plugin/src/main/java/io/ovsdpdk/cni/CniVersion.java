package io.ovsdpdk.cni;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.Quoted;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The versions of the CNI specification that we speak, oldest first. */
enum CniVersion {
    V0_3_0("0.3.0"),
    V0_3_1("0.3.1"),
    /** Brings CHECK. */
    V0_4_0("0.4.0"),
    /** Takes {@code version} out of {@code ips}. */
    V1_0_0("1.0.0"),
    /** Brings GC and STATUS, and {@code mtu} and {@code socketPath} of an interface. */
    V1_1_0("1.1.0");

    static final CniVersion NEWEST = V1_1_0;

    /** A configuration without {@code cniVersion} is of this version (CNI 0.2.0), which we don't speak. */
    private static final String UNSAID = "0.1.0";

    private final String text;

    CniVersion(String text) {
        this.text = text;
    }

    String text() {
        return text;
    }

    boolean atLeast(CniVersion other) {
        return compareTo(other) >= 0;
    }

    static Optional<CniVersion> named(String text) {
        return Stream.of(values()).filter(version -> version.text.equals(text)).findAny();
    }

    /** All of them, for people. */
    static String names() {
        return Stream.of(values()).map(CniVersion::text).collect(Collectors.joining(", "));
    }

    /**
     * The version of a network configuration.
     *
     * @throws CniException {@link ErrorCode#INCOMPATIBLE_VERSION}, or {@link ErrorCode#DECODING} when it is no text
     */
    static CniVersion of(ObjectNode network) throws CniException {
        JsonNode version = network.path("cniVersion");
        if (!version.isMissingNode() && !version.isTextual()) {
            throw new CniException(
                    ErrorCode.DECODING,
                    "cniVersion " + Quoted.of(version.toString()) + " must be text such as \"1.0.0\"");
        }
        String text = version.asText().isEmpty() ? UNSAID : version.asText();
        return named(text)
                .orElseThrow(() -> new CniException(
                        ErrorCode.INCOMPATIBLE_VERSION,
                        "incompatible CNI version: the network configuration asks for " + Quoted.of(text)
                                + (version.asText().isEmpty() ? ", which is what no cniVersion means" : ""),
                        "supported are " + names()));
    }
}
