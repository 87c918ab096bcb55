package io.ovsdpdk.api;

import java.util.regex.Pattern;

/**
 * The pod that a sandbox belongs to, as the runtime names it in {@code CNI_ARGS}. Each part is empty where the runtime
 * doesn't say; outside Kubernetes all are.
 *
 * @param namespace {@code K8S_POD_NAMESPACE}
 * @param name {@code K8S_POD_NAME}
 * @param uid {@code K8S_POD_UID}, which older runtimes leave out
 */
public record PodIdentity(String namespace, String name, String uid) {
    /** Wider than Kubernetes' own rules (RFC 1123 subdomains), narrow enough for logs, paths and OVSDB. Before NONE, which it checks. */
    private static final Pattern FORM = Pattern.compile("[A-Za-z0-9][A-Za-z0-9_.\\-]{0,252}|");

    public static final PodIdentity NONE = new PodIdentity("", "", "");

    /** @throws IllegalArgumentException with a message for people, when a part can't be such a name */
    public PodIdentity {
        check("K8S_POD_NAMESPACE", namespace);
        check("K8S_POD_NAME", name);
        check("K8S_POD_UID", uid);
    }

    private static void check(String what, String value) {
        if (!FORM.matcher(value).matches()) {
            throw new IllegalArgumentException(what + " " + Quoted.of(value)
                    + " must be letters, digits and _ . - and begin with a letter or digit, 253 at most");
        }
    }

    public boolean known() {
        return !name.isEmpty();
    }

    @Override
    public String toString() {
        return known() ? namespace + "/" + name : "no pod";
    }
}
