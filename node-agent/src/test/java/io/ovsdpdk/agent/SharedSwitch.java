package io.ovsdpdk.agent;

import io.ovsdpdk.ovsdb.testbed.OvsDpdk;
import java.io.IOException;
import java.io.UncheckedIOException;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/** Gives tests the one switch of this JVM, started with the first that asks, and closed after the last test of all. */
final class SharedSwitch implements ParameterResolver {

    @Override
    public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
        return parameter.getParameter().getType() == OvsDpdk.class;
    }

    @Override
    public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
        return context.getRoot()
                .getStore(ExtensionContext.Namespace.create(SharedSwitch.class))
                .getOrComputeIfAbsent("switch", _ -> start(), OvsDpdk.class);
    }

    static OvsDpdk start() {
        try {
            OvsDpdk ovs = OvsDpdk.start();
            ovs.addBridge("br0");
            ovs.addBridge("br1");
            ovs.vsctl("--no-wait", "add-br", "brsys", "--", "set", "Bridge", "brsys", "datapath_type=system");
            return ovs;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
