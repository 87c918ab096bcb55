package io.ovsdpdk.cni;

import io.ovsdpdk.api.CniException;
import java.util.ArrayList;
import java.util.List;

/** What went wrong in an operation that does all that it can: the first is reported, the others are logged. */
final class Failures {
    private final List<CniException> all = new ArrayList<>();

    void add(CniException failure) {
        all.add(failure);
    }

    /** @throws CniException the first one, if there is any */
    void throwFirst(Log log) throws CniException {
        if (all.isEmpty()) {
            return;
        }
        all.stream().skip(1).forEach(other -> log.warn("also failed: " + other.getMessage() + " " + other.details()));
        throw all.getFirst();
    }
}
