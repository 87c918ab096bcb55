package io.ovsdpdk.agent;

import io.ovsdpdk.api.AttachmentView;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.Quoted;
import io.ovsdpdk.ovsdb.Bridge;
import io.ovsdpdk.ovsdb.BridgeMissingException;
import io.ovsdpdk.ovsdb.BridgeNotNetdevException;
import io.ovsdpdk.ovsdb.Deadline;
import io.ovsdpdk.ovsdb.Interface;
import io.ovsdpdk.ovsdb.LocalSwitch;
import io.ovsdpdk.ovsdb.OvsdbClient;
import io.ovsdpdk.ovsdb.OvsdbException;
import io.ovsdpdk.ovsdb.OvsdbOutcomeUnknownException;
import io.ovsdpdk.ovsdb.OvsdbProtocolException;
import io.ovsdpdk.ovsdb.OvsdbTransactionException;
import io.ovsdpdk.ovsdb.OvsdbUnavailableException;
import io.ovsdpdk.ovsdb.PendingConfiguration;
import io.ovsdpdk.ovsdb.PendingPort;
import io.ovsdpdk.ovsdb.Port;
import io.ovsdpdk.ovsdb.PortRefusedException;
import io.ovsdpdk.ovsdb.PortVanishedException;
import io.ovsdpdk.ovsdb.SwitchSilentException;
import io.ovsdpdk.ovsdb.SwitchState;
import io.ovsdpdk.ovsdb.VhostUserPort;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The vhost-user ports of the switch, ours and others', as attachments see them; failures become CNI errors here. */
final class Ports {
    private static final Logger LOG = LoggerFactory.getLogger(Ports.class);

    private static final String NETDEV = "netdev";
    private static final String SOCKET_OPTION = "vhost-server-path";
    private static final Set<String> VHOST_TYPES = Set.of(LocalSwitch.VHOST_USER_CLIENT, "dpdkvhostuser");

    /** DPDK's MAX_VHOST_DEVICE. One more is refused by the switch, and every later change of it becomes slow. */
    static final int LIMIT = 1024;

    /** A switch at rest follows within milliseconds; see {@link #checkStatus}. */
    private static final Duration SIGN_OF_LIFE = Duration.ofSeconds(1);

    private final OvsdbClient client;
    private final LocalSwitch localSwitch;

    /** By port name, the removals that ovs-vswitchd was not seen to follow: it still has those ports. */
    private final Map<String, PendingConfiguration> unfollowed = new ConcurrentHashMap<>();

    Ports(OvsdbClient client) {
        this.client = client;
        this.localSwitch = new LocalSwitch(client);
    }

    /**
     * Waits until what the switch's database holds is known.
     *
     * @throws CniException {@link ErrorCode#TRY_AGAIN} when it isn't by the deadline
     */
    void awaitReady(Deadline deadline) throws CniException {
        try {
            client.awaitSynchronised(deadline);
        } catch (OvsdbUnavailableException e) {
            throw failure(e);
        }
    }

    /**
     * Checks an attachment that is about to be made against the switch and against all others.
     *
     * @param others all that are there or being made; may include the attachment itself
     * @throws CniException why the switch could not have it
     */
    void admit(Attachment wanted, Collection<Attachment> others) throws CniException {
        refuseWithoutDpdk(ErrorCode.DPDK_OFF);
        refuseBridge(wanted.bridge());
        for (Attachment other : others) {
            boolean sameContainer = other.id().containerId().equals(wanted.id().containerId());
            if (sameContainer
                    ? other.isThreatenedBy(wanted) || wanted.isThreatenedBy(other)
                    : other.isEntangledWith(wanted)) {
                throw taken(
                        "path " + Quoted.of(wanted.folder().location().toString()),
                        "container " + other.id().containerId()
                                + (sameContainer ? " itself, for " + other.id().ifname() : ""));
            }
        }
        Optional<Port> namesake = localSwitch.port(wanted.portName());
        if (namesake.isPresent() && !PortIdentity.isOurs(namesake.get().externalIds())) {
            throw taken("port name " + Quoted.of(wanted.portName()), "a port that another made");
        }
        int ports = 0;
        for (Interface present : localSwitch.interfaces()) {
            if (!VHOST_TYPES.contains(present.type()) || present.name().equals(wanted.portName())) {
                continue;
            }
            ports++;
            String path = present.options().getOrDefault(SOCKET_OPTION, "");
            if (path.equals(wanted.switchSocket().toString())
                    || path.equals(wanted.folder()
                            .location()
                            .path()
                            .resolve(wanted.socketName())
                            .toString())
                    || path.equals(wanted.folder()
                            .hostPath()
                            .resolve(wanted.socketName())
                            .toString())) {
                throw taken("path " + Quoted.of(path), "port " + Quoted.of(present.name()) + " of the switch");
            }
        }
        long unseen = others.stream()
                .filter(other -> !other.id().equals(wanted.id()) && other.state() == Attachment.State.MAKING)
                .filter(other -> localSwitch.port(other.portName()).isEmpty())
                .count();
        if (ports + unseen >= LIMIT) {
            throw full(ErrorCode.PORT_LIMIT);
        }
    }

    private void refuseWithoutDpdk(ErrorCode code) throws CniException {
        SwitchState state = localSwitch.state();
        if (!state.dpdkInitialized() || !state.ifaceTypes().contains(LocalSwitch.VHOST_USER_CLIENT)) {
            throw new CniException(
                    code,
                    "the node's Open vSwitch runs without DPDK: dpdk_initialized is " + state.dpdkInitialized()
                            + ", iface_types "
                            + (state.ifaceTypes().contains(LocalSwitch.VHOST_USER_CLIENT) ? "has " : "lacks ")
                            + LocalSwitch.VHOST_USER_CLIENT,
                    "an administrator installs an ovs-vswitchd with DPDK and sets other_config:dpdk-init=true");
        }
    }

    private void refuseBridge(String name) throws CniException {
        Optional<Bridge> bridge = localSwitch.bridge(name);
        if (bridge.isEmpty()) {
            throw bridgeMissing(name);
        }
        if (!bridge.get().datapathType().equals(NETDEV)) {
            throw bridgeNotNetdev(name, bridge.get().datapathType());
        }
    }

    private static CniException bridgeMissing(String name) {
        return new CniException(
                ErrorCode.BRIDGE_MISSING,
                "the node's Open vSwitch has no bridge " + Quoted.of(name),
                "correct \"bridge\" of the network configuration, or let an administrator make it: ovs-vsctl add-br NAME"
                        + " -- set Bridge NAME datapath_type=netdev");
    }

    private static CniException bridgeNotNetdev(String name, String datapathType) {
        return new CniException(
                ErrorCode.BRIDGE_NOT_NETDEV,
                "bridge " + Quoted.of(name) + " has datapath_type " + Quoted.of(datapathType)
                        + "; vhost-user ports need " + Quoted.of(NETDEV),
                "choose another bridge, or let an administrator change it: ovs-vsctl set Bridge NAME"
                        + " datapath_type=netdev");
    }

    private static CniException taken(String what, String by) {
        return new CniException(
                ErrorCode.CONFIGURATION,
                "the " + what + " is taken by " + by,
                "choose another sharedDir or interface name");
    }

    private static CniException full(ErrorCode code) {
        return new CniException(
                code,
                "the node's Open vSwitch has " + LIMIT + " vhost-user ports, which is its limit",
                "delete pods of this node, or start them on another one");
    }

    /** What can be done while ovs-vswitchd makes a port, which takes it milliseconds. */
    interface Meanwhile {
        void run() throws CniException, InterruptedException;
    }

    /** Likewise, where there is nothing else to do. */
    void make(Attachment attachment, Deadline deadline) throws CniException, InterruptedException {
        make(attachment, deadline, () -> {});
    }

    /**
     * Makes the port of an attachment and waits until ovs-vswitchd has it. When the connection to the database ends in
     * between, it goes on with the next one; what an earlier attempt left is taken up.
     *
     * @param meanwhile is run once, when the database has the port for the first time
     * @throws CniException why it could not be made by the deadline; its rows may be left behind
     */
    void make(Attachment attachment, Deadline deadline, Meanwhile meanwhile) throws CniException, InterruptedException {
        VhostUserPort port = new VhostUserPort(
                attachment.bridge(),
                attachment.portName(),
                attachment.switchSocket().toString(),
                attachment.attached().mtu(),
                PortIdentity.externalIds(attachment));
        boolean waiting = false;
        while (true) {
            try {
                client.awaitSynchronised(deadline);
                PendingPort pending = takeUpOrAdd(attachment, port, deadline);
                if (!waiting) {
                    waiting = true;
                    meanwhile.run();
                }
                localSwitch.awaitApplied(pending, deadline);
                return;
            } catch (OvsdbUnavailableException | OvsdbOutcomeUnknownException | PortVanishedException e) {
                if (deadline.expired() || Thread.currentThread().isInterrupted()) {
                    throw failure(e);
                }
                LOG.info("trying again: {} reason={}", attachment, e.getMessage());
            } catch (OvsdbException e) {
                throw failure(e);
            }
        }
    }

    /**
     * A port that is not as it must be is deleted, and ovs-vswitchd must have seen that before one of the same name comes:
     * it would keep the old one, with the old path.
     */
    private PendingPort takeUpOrAdd(Attachment attachment, VhostUserPort port, Deadline deadline)
            throws OvsdbException, CniException {
        Optional<Port> present = localSwitch.port(port.name());
        if (present.isPresent()) {
            if (!PortIdentity.isOurs(present.get().externalIds())) {
                throw taken("port name " + Quoted.of(port.name()), "a port that another made");
            }
            if (difference(attachment).isEmpty()) {
                Optional<PendingPort> pending = localSwitch.pendingPort(port.name());
                if (pending.isPresent()) {
                    return lookedAt(pending.get(), deadline);
                }
            }
            remove(port.name(), deadline);
        }
        awaitLetGo(port.name(), deadline);
        return localSwitch.addVhostUserPort(port, deadline);
    }

    /** Without {@code ofport}, ovs-vswitchd may have looked at the port already, and would not do so again by itself. */
    private PendingPort lookedAt(PendingPort pending, Deadline deadline) throws OvsdbException {
        boolean made = localSwitch
                .interfaceOf(pending.name())
                .filter(iface -> iface.ofport().isPresent())
                .isPresent();
        return made
                ? pending
                : new PendingPort(pending.name(), pending.port(), pending.iface(), localSwitch.askToLook(deadline));
    }

    /**
     * Deletes the attachment's port, if there is one and it is ours, and waits until ovs-vswitchd has let go of it.
     *
     * @throws SwitchSilentException when it is out of the database, and ovs-vswitchd didn't follow by the deadline
     */
    void delete(Attachment attachment, Deadline deadline) throws OvsdbException {
        if (exists(attachment, deadline)) {
            remove(attachment.portName(), deadline);
            awaitLetGo(attachment.portName(), deadline);
        }
    }

    /** Out of the database; {@link #awaitLetGo} waits for ovs-vswitchd. */
    private void remove(String name, Deadline deadline) throws OvsdbException {
        Optional<PendingConfiguration> removal =
                localSwitch.removePorts(List.of(name), deadline).configuration();
        long followed = localSwitch.state().curCfg();
        unfollowed.values().removeIf(other -> other.number() <= followed);
        removal.ifPresent(configuration -> unfollowed.put(name, configuration));
    }

    /** Waits until ovs-vswitchd has let go of a port of that name that was removed, whoever removed it. */
    private void awaitLetGo(String name, Deadline deadline) throws OvsdbException {
        PendingConfiguration removal = unfollowed.get(name);
        if (removal == null) {
            return;
        }
        try {
            localSwitch.awaitConfiguration(removal, deadline);
        } catch (SwitchSilentException e) {
            if (!deadline.expired()) {
                // The database was replaced, and the removal with it
                unfollowed.remove(name, removal);
            }
            throw e;
        }
        unfollowed.remove(name, removal);
    }

    /** Likewise, but one that does not follow is no failure: the port is out of the database for good. */
    void deletePatiently(Attachment attachment, Deadline deadline) throws OvsdbException {
        try {
            delete(attachment, deadline);
        } catch (SwitchSilentException e) {
            LOG.warn("deleted a port while ovs-vswitchd does not follow: {} reason={}", attachment, e.getMessage());
        }
    }

    /** Likewise, and leaves it to ovs-vswitchd to follow when it does. */
    void deleteWithoutWaiting(Attachment attachment, Deadline deadline) throws OvsdbException {
        if (exists(attachment, deadline)) {
            remove(attachment.portName(), deadline);
        }
    }

    /**
     * Whether the switch has the attachment's port. An ADD that got no answer may still be on its way to a server that was
     * busy: that there is no port is known only when the server has answered something that was sent later.
     */
    private boolean exists(Attachment attachment, Deadline deadline) throws OvsdbException {
        client.awaitSynchronised(deadline);
        if (findOwn(attachment.portName()).isPresent()) {
            return true;
        }
        client.transact(List.of(), deadline);
        return findOwn(attachment.portName()).isPresent();
    }

    private Optional<Port> findOwn(String name) {
        return localSwitch.port(name).filter(port -> PortIdentity.isOurs(port.externalIds()));
    }

    /** The port of that name, if it is ours. */
    Optional<Port> findOwn(String name, Deadline deadline) throws OvsdbException {
        client.awaitSynchronised(deadline);
        return findOwn(name);
    }

    /** Deletes the port of that name, if it is ours, and leaves it to ovs-vswitchd to follow. */
    void deleteOwn(String name, Deadline deadline) throws OvsdbException {
        if (findOwn(name, deadline).isPresent()) {
            remove(name, deadline);
        }
    }

    /** Whether the attachment's rows are as promised, whatever ovs-vswitchd made of them. */
    boolean isAsPromised(Attachment attachment) {
        return difference(attachment).isEmpty();
    }

    /** Whether the attachment's port is as promised and ovs-vswitchd has it. */
    boolean isInOrder(Attachment attachment) {
        return isAsPromised(attachment)
                && localSwitch
                        .interfaceOf(attachment.portName())
                        .filter(present ->
                                present.error().isEmpty() && present.ofport().orElse(0) > 0)
                        .isPresent();
    }

    /**
     * Compares the attachment's port with what was promised.
     *
     * @throws CniException the first difference, or that ovs-vswitchd doesn't have the port
     */
    void check(Attachment attachment) throws CniException {
        refuseBridge(attachment.bridge());
        Optional<String> difference = difference(attachment);
        if (difference.isPresent()) {
            throw new CniException(
                    ErrorCode.CONFIGURATION, difference.get(), "delete the pod, so that it is made anew");
        }
        Optional<Interface> present = localSwitch.interfaceOf(attachment.portName());
        if (present.isEmpty() || present.get().ofport().isEmpty()) {
            throw new CniException(
                    ErrorCode.TRY_AGAIN,
                    "ovs-vswitchd has given port " + attachment.portName() + " no ofport",
                    "see whether ovs-vswitchd runs");
        }
        if (!present.get().error().isEmpty() || present.get().ofport().getAsLong() <= 0) {
            throw refused(attachment.portName(), present.get().error());
        }
    }

    /** The first difference between the attachment's rows and what was promised; empty when there is none. */
    private Optional<String> difference(Attachment attachment) {
        String name = attachment.portName();
        Optional<Port> port = localSwitch.port(name);
        Optional<Interface> iface = localSwitch.interfaceOf(name);
        if (port.isEmpty() || iface.isEmpty()) {
            return Optional.of("the switch has no port " + name);
        }
        OptionalLong mtu = attachment.attached().mtu().isPresent()
                ? OptionalLong.of(attachment.attached().mtu().getAsInt())
                : OptionalLong.empty();
        return differs(name, "bridge", port.get().bridge().orElse(""), attachment.bridge())
                .or(() -> differs(name, "type", iface.get().type(), LocalSwitch.VHOST_USER_CLIENT))
                .or(() -> differs(
                        name,
                        SOCKET_OPTION,
                        iface.get().options().getOrDefault(SOCKET_OPTION, ""),
                        attachment.switchSocket().toString()))
                .or(() -> differs(name, "mtu_request", iface.get().mtuRequest(), mtu))
                .or(() -> differentIdentity(name, port.get().externalIds(), attachment))
                .or(() -> differentIdentity(name, iface.get().externalIds(), attachment));
    }

    /** Others may note more there. */
    private static Optional<String> differentIdentity(String name, Map<String, String> actual, Attachment attachment) {
        return PortIdentity.externalIds(attachment).entrySet().stream()
                .flatMap(
                        id -> differs(
                                name,
                                "external_ids:" + id.getKey(),
                                actual.getOrDefault(id.getKey(), ""),
                                id.getValue())
                                .stream())
                .findFirst();
    }

    private static Optional<String> differs(String port, String what, Object actual, Object promised) {
        return actual.equals(promised)
                ? Optional.empty()
                : Optional.of(
                        "port " + port + " has " + what + " \"" + actual + "\", promised was \"" + promised + "\"");
    }

    /** All ports, ours or not. */
    Collection<Port> all() {
        return localSwitch.ports();
    }

    /** Whether a port, ours or not, reaches its socket through that folder. */
    boolean anyReachesInto(Path folder) {
        return localSwitch.interfaces().stream()
                .anyMatch(
                        iface -> iface.options().getOrDefault(SOCKET_OPTION, "").startsWith(folder + "/"));
    }

    /** Whether the switch has a port of that name, ours or not. */
    boolean has(String name) {
        return localSwitch.port(name).isPresent();
    }

    /** Ours whose sockets are reached through mounts in that folder; those of an agent with another one are not among them. */
    List<Port> ownThrough(Path mounts) {
        return localSwitch.ports().stream()
                .filter(port -> PortIdentity.isOurs(port.externalIds()))
                .filter(port -> localSwitch
                        .interfaceOf(port.name())
                        .filter(iface ->
                                iface.options().getOrDefault(SOCKET_OPTION, "").startsWith(mounts + "/"))
                        .isPresent())
                .toList();
    }

    /** Ours that were made for a pod of this UID. */
    List<Port> ofPod(String uid) {
        return localSwitch.ports().stream()
                .filter(port -> PortIdentity.isOf(uid, port.externalIds()))
                .toList();
    }

    /** Whether what the switch's database holds is known now. */
    boolean areKnown() {
        return client.synchronised();
    }

    /** The switch as a whole. */
    SwitchState state() {
        return localSwitch.state();
    }

    /** How many vhost-user ports the switch has, ours and others'. */
    int count() {
        return (int) localSwitch.interfaces().stream()
                .filter(iface -> VHOST_TYPES.contains(iface.type()))
                .count();
    }

    /** An attachment with what the switch says of its port. */
    AttachmentView view(Attachment attachment) {
        Optional<Interface> iface = localSwitch.interfaceOf(attachment.portName());
        String problem = attachment.state() == Attachment.State.MADE
                ? difference(attachment).orElse(iface.map(Interface::error).orElse(""))
                : "";
        return new AttachmentView(
                attachment.id(),
                attachment.pod(),
                attachment.network(),
                attachment.bridge(),
                attachment.portName(),
                attachment.attached().mac(),
                attachment.attached().mtu(),
                attachment.attached().socketPath(),
                attachment.switchSocket().toString(),
                attachment.state().name().toLowerCase(Locale.ROOT),
                iface.map(Interface::linkState).orElse(""),
                problem);
    }

    /** @throws CniException {@link ErrorCode#NOT_AVAILABLE} while what we know of the switch may be old */
    void requireKnown() throws CniException {
        if (!areKnown()) {
            throw new CniException(
                    ErrorCode.NOT_AVAILABLE,
                    "the agent has no connection to the database of the node's Open vSwitch",
                    "see whether ovsdb-server runs");
        }
    }

    /**
     * Whether an ADD could be served now.
     *
     * @throws CniException {@link ErrorCode#NOT_AVAILABLE} or {@link ErrorCode#NOT_AVAILABLE_AND_LIMITED}, and why
     */
    void checkStatus() throws CniException {
        requireKnown();
        refuseWithoutDpdk(ErrorCode.NOT_AVAILABLE);
        if (count() >= LIMIT) {
            throw full(ErrorCode.NOT_AVAILABLE);
        }
        try {
            localSwitch.probe(Deadline.after(SIGN_OF_LIFE));
        } catch (SwitchSilentException e) {
            throw new CniException(
                    ErrorCode.NOT_AVAILABLE_AND_LIMITED,
                    "ovs-vswitchd does not follow its database: " + e.getMessage(),
                    "see whether ovs-vswitchd runs",
                    e);
        } catch (OvsdbException e) {
            throw new CniException(ErrorCode.NOT_AVAILABLE, e.getMessage(), "see whether ovsdb-server runs", e);
        }
    }

    private static CniException refused(String port, String words) {
        return new CniException(
                ErrorCode.PORT_REFUSED,
                "ovs-vswitchd refused port " + port,
                words.isEmpty() ? "it says no more" : words);
    }

    private static CniException failure(OvsdbException e) {
        return switch (e) {
            case OvsdbUnavailableException away ->
                new CniException(
                        ErrorCode.TRY_AGAIN,
                        "the database of the node's Open vSwitch is away: " + away.getMessage(),
                        "see whether ovsdb-server runs",
                        away);
            case OvsdbOutcomeUnknownException lost ->
                new CniException(
                        ErrorCode.TRY_AGAIN,
                        "the database of the node's Open vSwitch did not answer in time: " + lost.getMessage(),
                        "see whether ovsdb-server runs",
                        lost);
            case SwitchSilentException silent ->
                new CniException(
                        ErrorCode.TRY_AGAIN,
                        "ovs-vswitchd does not follow its database: " + silent.getMessage(),
                        "see whether ovs-vswitchd runs",
                        silent);
            case PortVanishedException vanished ->
                new CniException(ErrorCode.TRY_AGAIN, vanished.getMessage(), "see who deletes ports", vanished);
            case BridgeMissingException missing -> bridgeMissing(missing.bridge());
            case BridgeNotNetdevException kernel -> bridgeNotNetdev(kernel.bridge(), kernel.datapathType());
            case PortRefusedException refused -> refused(refused.port(), refused.words());
            case OvsdbTransactionException refused -> refusedTransaction(refused);
            case OvsdbProtocolException broken ->
                new CniException(ErrorCode.INTERNAL, broken.getMessage(), "please report it", broken);
        };
    }

    private static CniException refusedTransaction(OvsdbTransactionException e) {
        return switch (e.kind()) {
            case RESOURCES_EXHAUSTED, IO_ERROR ->
                new CniException(
                        ErrorCode.TRY_AGAIN,
                        "ovsdb-server could not store the port: " + e.getMessage(),
                        "see whether its disk is full",
                        e);
            case CONSTRAINT_VIOLATION ->
                new CniException(
                        ErrorCode.CONFIGURATION,
                        "the switch has a port or an interface of that name: " + e.getMessage(),
                        "an administrator finds and deletes it: ovs-vsctl list Interface",
                        e);
            default ->
                new CniException(
                        ErrorCode.INTERNAL,
                        "ovsdb-server refused the transaction: " + e.getMessage(),
                        "please report it",
                        e);
        };
    }
}
