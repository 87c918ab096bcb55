package io.ovsdpdk.agent.kubernetes;

import io.ovsdpdk.api.Quoted;

/** Userspace CNI's annotations can't say a thing so that those who read them understand it. */
final class UnspeakableException extends Exception {
    private static final long serialVersionUID = 1L;

    UnspeakableException(String what, String value) {
        super(what + " can't be told by userspace/*, whose readers stumble over =, \\, \" and white space: "
                + Quoted.of(value));
    }
}
