package io.ovsdpdk.cni;

import com.fasterxml.jackson.core.JsonProcessingException;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.OrphanReport;
import io.ovsdpdk.api.OrphanView;
import io.ovsdpdk.api.Request.CollectOrphans.Removal;
import java.util.List;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** What no DEL will take down: looked for, shown, removed. */
@Command(
        name = "gc",
        description = "Removes ports whose pod is gone, and mounts that belong to nothing, as the agent does by itself"
                + " every few minutes: those that a look before found too, a grace period ago.",
        footer = {"", "Exit status: 0 done; 1 the agent can't find out which pods are gone, and no port was removed."})
final class OrphansCommand extends NodeCommands.Question {
    @ArgGroup
    private Choice choice = new Choice();

    /** One of these, or neither. */
    static final class Choice {
        @Option(names = "--dry-run", description = "Only shows what there is, and when it goes.")
        private boolean dryRun;

        @Option(names = "--now", description = "Doesn't wait for the grace period.")
        private boolean now;
    }

    @Override
    public Integer call() throws CniException, NoAnswerException, JsonProcessingException {
        OrphanReport report = agent().collectOrphans(removal());
        if (format == NodeCommands.Format.json) {
            print(report.toJson());
        } else if (!report.orphans().isEmpty()) {
            out().print(table(report.orphans()));
        } else if (report.obstacle().isEmpty()) {
            out().println("nothing is left behind");
        }
        if (report.obstacle().isEmpty()) {
            return NodeCommands.DONE;
        }
        err().println("ovs-dpdk: no port was looked at: " + report.obstacle());
        return NodeCommands.NO;
    }

    private Removal removal() {
        return choice.dryRun ? Removal.NONE : choice.now ? Removal.ALL : Removal.DUE;
    }

    private static Table table(List<OrphanView> orphans) {
        Table table = new Table(List.of("PORT OR MOUNT", "POD", "UID", "INTERFACE", "CONTAINER", "SEEN FOR", "STATE"));
        for (OrphanView orphan : orphans) {
            table.add(
                    orphan.port().isEmpty() ? orphan.mount() : orphan.port(),
                    orphan.pod().known() ? orphan.pod().toString() : "-",
                    orNothing(orphan.pod().uid()),
                    orNothing(orphan.ifname()),
                    orNothing(orphan.containerId()
                            .substring(0, Math.min(12, orphan.containerId().length()))),
                    orphan.seenSeconds() + " s",
                    describe(orphan));
        }
        return table;
    }

    private static String orNothing(String text) {
        return text.isEmpty() ? "-" : text;
    }

    private static String describe(OrphanView orphan) {
        String state =
                switch (orphan.state()) {
                    case WAITING -> "goes in " + orphan.remainingSeconds() + " s if it is still so";
                    case DUE -> "goes at the next look";
                    case REMOVED -> "removed";
                    case REMOVING -> "is being removed";
                    case KEPT -> "stays";
                };
        return orphan.note().isEmpty() ? state : state + ": " + orphan.note();
    }
}
