package io.ovsdpdk.bench;

/**
 * What something is meant to stay below.
 *
 * @param what with its unit
 */
record Target(String what, double most, double measured) {
    static Target atMost(String what, double most, double measured) {
        return new Target(what, most, measured);
    }

    boolean isMet() {
        return measured <= most;
    }
}
