package io.ovsdpdk.agent;

import picocli.CommandLine;

/** {@code ovs-dpdk-agent}: see {@link AgentCommand}. */
public final class Main {
    private Main() {}

    public static void main(String[] arguments) {
        System.exit(new CommandLine(new AgentCommand()).execute(arguments));
    }
}
