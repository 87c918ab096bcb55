package io.ovsdpdk.agent;

import io.ovsdpdk.agent.host.MountSupport;
import io.ovsdpdk.agent.kubernetes.Cluster;
import io.ovsdpdk.api.Attached;
import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.AttachmentRequest;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.NodeView;
import io.ovsdpdk.api.Reply;
import io.ovsdpdk.api.Request;
import io.ovsdpdk.ovsdb.Deadline;
import io.ovsdpdk.ovsdb.SwitchState;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Answers requests. Called by any number of threads at once. */
final class Agent implements Function<Request, Reply> {
    private static final Logger LOG = LoggerFactory.getLogger(Agent.class);

    /** CHECK reads what is known, and waits for nothing but a database that is just coming back. */
    private static final Duration CHECK_TIMEOUT = Duration.ofSeconds(5);

    private static final Duration COLLECT_TIMEOUT = Duration.ofSeconds(5);

    /** With another look for orphans: as a rule one takes milliseconds. */
    private static final Duration LOOK_PATIENCE = Duration.ofSeconds(10);

    private final Attachments attachments;
    private final Orphans orphans;
    private final Ports ports;
    private final Cluster cluster;
    private final MountSupport mounts;
    private final boolean followsLinks;

    /** Why the agent was not ready when it was asked last; empty when it was. */
    private final AtomicReference<String> unready = new AtomicReference<>("");

    /**
     * @param mounts what the kernel lets us mount
     * @param followsLinks the administrator puts up with a kernel without {@code nosymfollow}
     */
    Agent(
            Attachments attachments,
            Orphans orphans,
            Ports ports,
            Cluster cluster,
            MountSupport mounts,
            boolean followsLinks) {
        this.attachments = attachments;
        this.orphans = orphans;
        this.ports = ports;
        this.cluster = cluster;
        this.mounts = mounts;
        this.followsLinks = followsLinks;
    }

    @Override
    public Reply apply(Request request) {
        try {
            return switch (request) {
                case Request.Announce announce -> {
                    refuseWithoutMounts(ErrorCode.TRY_AGAIN);
                    yield new Reply.Announced(attachments.announce(announce.attachment(), announce.timeout()));
                }
                case Request.Add add -> {
                    refuseWithoutMounts(ErrorCode.TRY_AGAIN);
                    Attached attached = attachments.add(add.attachment(), add.ipam(), Deadline.after(add.timeout()));
                    cluster.attached(add.attachment().pod());
                    yield new Reply.Added(attached);
                }
                case Request.Delete delete -> {
                    refuseTooManyDeletions();
                    attachments.delete(delete.id());
                    yield new Reply.Done();
                }
                case Request.Check check ->
                    new Reply.Added(attachments.check(check.attachment(), Deadline.after(CHECK_TIMEOUT)));
                case Request.Collect collect -> {
                    attachments.collect(collect.network(), collect.valid(), Deadline.after(COLLECT_TIMEOUT));
                    yield new Reply.Done();
                }
                case Request.CollectOrphans collect ->
                    new Reply.Orphans(orphans.collect(collect.removal(), LOOK_PATIENCE));
                case Request.Status ignored -> {
                    refuseWithoutMounts(ErrorCode.NOT_AVAILABLE);
                    ports.checkStatus();
                    yield new Reply.Done();
                }
                case Request.Ready ignored -> {
                    ports.requireKnown();
                    cluster.requireKnown();
                    sayReady();
                    yield new Reply.Done();
                }
                case Request.List ignored -> new Reply.Listed(attachments.views());
                case Request.Inspect ignored -> new Reply.Inspected(inspect());
            };
        } catch (CniException e) {
            if (isNews(request, e)) {
                LOG.warn(
                        "failed: {} code={} reason={} details={}",
                        describe(request),
                        e.code(),
                        e.getMessage(),
                        e.details());
            }
            tell(request, e);
            return new Reply.Failed(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return new Reply.Failed(new CniException(ErrorCode.TRY_AGAIN, "the agent is stopping", "try again"));
        }
    }

    /** A probe asks every few seconds: what it was told the last time need not be said again. */
    private boolean isNews(Request request, CniException why) {
        return !(request instanceof Request.Ready) || !why.getMessage().equals(unready.getAndSet(why.getMessage()));
    }

    private void sayReady() {
        if (!unready.getAndSet("").isEmpty()) {
            LOG.info("ready");
        }
    }

    /** The pod that gets no interface, whose author sees nothing of our log. */
    private void tell(Request request, CniException why) {
        switch (request) {
            case Request.Announce announce -> tell(announce.attachment(), why);
            case Request.Add add -> tell(add.attachment(), why);
            case Request.Delete _,
                    Request.Check _,
                    Request.Collect _,
                    Request.CollectOrphans _,
                    Request.Status _,
                    Request.Ready _,
                    Request.List _,
                    Request.Inspect _ -> {}
        }
    }

    private void tell(AttachmentRequest attachment, CniException why) {
        cluster.failed(attachment.pod(), attachment.id().ifname(), why);
    }

    private NodeView inspect() {
        Optional<CniException> problem = Optional.empty();
        try {
            refuseWithoutMounts(ErrorCode.NOT_AVAILABLE);
            ports.checkStatus();
        } catch (CniException e) {
            problem = Optional.of(e);
        }
        SwitchState state = ports.state();
        return new NodeView(
                Version.text(),
                state.ovsVersion(),
                state.dpdkInitialized() ? state.dpdkVersion() : "",
                ports.areKnown(),
                ports.count(),
                Ports.LIMIT,
                attachments.count(),
                orphans.count(),
                mounts.explanation(),
                cluster.view(),
                problem.map(CniException::code).orElse(0),
                problem.map(CniException::getMessage).orElse(""),
                problem.map(CniException::details).orElse(""));
    }

    private static String describe(Request request) {
        return switch (request) {
            case Request.Announce announce -> "request=announce " + describe(announce.attachment());
            case Request.Add add -> "request=add " + describe(add.attachment());
            case Request.Delete delete -> "request=delete " + describe(delete.id());
            case Request.Check check -> "request=check " + describe(check.attachment());
            case Request.Collect collect -> "request=collect network=" + collect.network();
            case Request.CollectOrphans collect -> "request=collect-orphans removal=" + collect.removal();
            case Request.Status ignored -> "request=status";
            case Request.Ready ignored -> "request=ready";
            case Request.List ignored -> "request=list";
            case Request.Inspect ignored -> "request=inspect";
        };
    }

    private static String describe(AttachmentRequest attachment) {
        return "pod=" + attachment.pod() + " " + describe(attachment.id());
    }

    private static String describe(AttachmentId id) {
        return "ifname=" + id.ifname() + " container=" + id.containerId();
    }

    /** Of a switch that is away for long: callers give up and come again, and what they asked for goes on. */
    private void refuseTooManyDeletions() throws CniException {
        if (attachments.hasTooManyDeletions()) {
            throw new CniException(
                    ErrorCode.TRY_AGAIN,
                    "the agent has " + Removals.MOST_AT_ONCE + " deletions under way already",
                    "try again; the log of ovs-dpdk-agent on this node says what they wait for");
        }
    }

    private void refuseWithoutMounts(ErrorCode code) throws CniException {
        boolean usable =
                switch (mounts.level()) {
                    case FULL -> true;
                    case NO_NOSYMFOLLOW -> followsLinks;
                    case NONE -> false;
                };
        if (!usable) {
            throw new CniException(code, "the agent can't mount socket folders: " + mounts.explanation());
        }
    }
}
