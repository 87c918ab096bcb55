package io.ovsdpdk.cni;

import com.oracle.svm.core.annotate.Substitute;
import com.oracle.svm.core.annotate.TargetClass;
import java.util.Random;

/**
 * In the native image: the JDK's unix sockets without a {@code SecureRandom}.
 *
 * <p>The first socket makes one, to name sockets that are bound without a name, which we never do. It needs {@code
 * /dev/urandom}, which need not be there where a runtime starts us, and all security providers: 3 ms and 2 MiB.
 */
@TargetClass(className = "sun.nio.ch.UnixDomainSockets")
final class UnixDomainSocketsInImage {
    private UnixDomainSocketsInImage() {}

    @Substitute
    private static Random getRandom() {
        return new Random();
    }
}
