package io.ovsdpdk.kubevirt;

import java.io.PrintWriter;
import java.util.List;

/** Starts {@link BindingCommand}. */
public final class Main {
    private Main() {}

    public static void main(String[] arguments) {
        BindingCommand command = new BindingCommand(System.getenv(), System.out, new PrintWriter(System.err, true));
        System.exit(command.run(List.of(arguments)));
    }
}
