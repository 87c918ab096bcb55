package io.ovsdpdk.cni;

import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.MacAddress;
import io.ovsdpdk.api.PodIdentity;
import io.ovsdpdk.api.Quoted;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * What {@code CNI_ARGS} says to us. Keys may come in any order and more than once (thin Multus passes each twice): the
 * last one counts. The others are somebody else's, the IPAM plugin's for instance, whether {@code IgnoreUnknown} is
 * there or not.
 *
 * @param mac {@code MAC}
 */
record CniArgs(PodIdentity pod, Optional<MacAddress> mac) {

    /** @throws CniException {@link ErrorCode#ENVIRONMENT} when the text is not {@code KEY=VALUE;…}, or a value can't be */
    static CniArgs of(String text) throws CniException {
        Map<String, String> values = pairs(text);
        String mac = values.getOrDefault("MAC", "");
        try {
            return new CniArgs(
                    new PodIdentity(
                            values.getOrDefault("K8S_POD_NAMESPACE", ""),
                            values.getOrDefault("K8S_POD_NAME", ""),
                            values.getOrDefault("K8S_POD_UID", "")),
                    mac.isEmpty() ? Optional.empty() : Optional.of(new MacAddress(mac)));
        } catch (IllegalArgumentException e) {
            throw new CniException(ErrorCode.ENVIRONMENT, "invalid CNI_ARGS: " + e.getMessage(), "", e);
        }
    }

    private static Map<String, String> pairs(String text) throws CniException {
        Map<String, String> values = new HashMap<>();
        if (text.isEmpty()) {
            return values;
        }
        for (String pair : text.split(";", -1)) {
            int equals = pair.indexOf('=');
            if (equals < 1) {
                throw new CniException(
                        ErrorCode.ENVIRONMENT,
                        "invalid CNI_ARGS: " + Quoted.of(pair) + " must be KEY=VALUE",
                        "pairs are separated by semicolons");
            }
            values.put(pair.substring(0, equals), pair.substring(equals + 1));
        }
        return values;
    }
}
