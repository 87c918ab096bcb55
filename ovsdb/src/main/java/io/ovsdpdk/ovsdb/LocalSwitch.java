package io.ovsdpdk.ovsdb;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.opendaylight.ovsdb.lib.notation.UUID;
import org.opendaylight.ovsdb.lib.operations.Operation;
import org.opendaylight.ovsdb.lib.operations.OperationResult;

/**
 * The Open vSwitch on this machine as its database shows it, and the changes that we make to it (ovs-vswitchd.conf.db(5)).
 *
 * <p>Reading is reading the replica: it costs next to nothing and never waits. A change has two halves. The transaction
 * puts it into the database, which is quick; then ovs-vswitchd follows, which takes the longer the more ports there are,
 * and takes several changes at once. So the transaction and the wait are separate calls, and nobody should wait for one
 * port before sending the next one's transaction.
 */
public final class LocalSwitch {

    /** The only type of interface that is made here. */
    public static final String VHOST_USER_CLIENT = "dpdkvhostuserclient";

    /** What the client must replicate. Never {@code statistics}: it changes every 5 s for every port. */
    public static final ReplicatedTables TABLES = new ReplicatedTables(
            "Open_vSwitch",
            Map.of(
                    "Open_vSwitch",
                    Set.of(
                            "bridges",
                            "cur_cfg",
                            "next_cfg",
                            "dpdk_initialized",
                            "dpdk_version",
                            "ovs_version",
                            "iface_types",
                            "external_ids",
                            "other_config"),
                    "Bridge",
                    Set.of("name", "datapath_type", "ports", "external_ids"),
                    "Port",
                    Set.of("name", "interfaces", "tag", "trunks", "external_ids"),
                    "Interface",
                    Set.of(
                            "name",
                            "type",
                            "options",
                            "external_ids",
                            "ofport",
                            "error",
                            "mtu_request",
                            "mtu",
                            "link_state",
                            "status")));

    /** For {@link #warmUp}; ovs-vswitchd and ovs-vsctl make no bridge with a slash in its name. */
    private static final String NO_BRIDGE = "/";

    /** Likewise. */
    private static final UUID NO_PORT = new UUID("00000000-0000-0000-0000-000000000000");

    private final OvsdbClient client;

    /**
     * A view through a client, which the caller keeps and closes.
     *
     * @param client one that replicates at least {@link #TABLES}
     */
    public LocalSwitch(OvsdbClient client) {
        this.client = client;
    }

    /** The switch as a whole; all of it empty or false before the first synchronisation. */
    public SwitchState state() {
        return SwitchState.of(client.replica());
    }

    /** The bridge of that name. */
    public Optional<Bridge> bridge(String name) {
        return client.replica().named("Bridge", name).map(Bridge::of);
    }

    /** The port of that name. */
    public Optional<Port> port(String name) {
        Replica replica = client.replica();
        return replica.named("Port", name).map(row -> Port.of(row, bridgeOf(row.uuid(), replica)));
    }

    /** A switch has a handful of bridges, so asking each of them is as good as an index. */
    private static Optional<String> bridgeOf(UUID port, Replica replica) {
        return replica.rows("Bridge").stream()
                .filter(bridge -> bridge.uuids("ports").contains(port))
                .findFirst()
                .map(bridge -> bridge.string("name"));
    }

    /** All ports, those of the administrator and the bridges' own among them. */
    public Collection<Port> ports() {
        Replica replica = client.replica();
        Map<UUID, String> bridges = new HashMap<>();
        for (ReplicaRow bridge : replica.rows("Bridge")) {
            bridge.uuids("ports").forEach(port -> bridges.put(port, bridge.string("name")));
        }
        return replica.rows("Port").stream()
                .map(row -> Port.of(row, Optional.ofNullable(bridges.get(row.uuid()))))
                .toList();
    }

    /** The interface of the port of that name; its first one if it is a bond. */
    public Optional<Interface> interfaceOf(String portName) {
        Replica replica = client.replica();
        return replica.named("Port", portName)
                .flatMap(port -> port.uuids("interfaces").stream().findFirst())
                .flatMap(uuid -> replica.row("Interface", uuid))
                .map(Interface::of);
    }

    /** All interfaces. */
    public Collection<Interface> interfaces() {
        return client.replica().rows("Interface").stream().map(Interface::of).toList();
    }

    /**
     * Puts a vhost-user port into the database, in one transaction that demands that the bridge is there and has the
     * userspace datapath. {@link #awaitApplied} then tells what became of it.
     *
     * @throws BridgeMissingException if the bridge isn't there; nothing was changed
     * @throws BridgeNotNetdevException if it has another datapath; nothing was changed
     * @throws OvsdbTransactionException if the server refused it, with {@code CONSTRAINT_VIOLATION} when the switch has a
     *     port or an interface of that name; nothing was changed
     * @throws OvsdbOutcomeUnknownException if the answer didn't come: see {@link #pendingPort}
     * @throws OvsdbUnavailableException if nothing was sent
     */
    public PendingPort addVhostUserPort(VhostUserPort port, Deadline deadline) throws OvsdbException {
        List<Operation<?>> operations = additionOf(port, deadline);
        long generation = client.generation();
        List<OperationResult> results;
        try {
            results = client.transact(operations, deadline);
        } catch (OvsdbTransactionException e) {
            throw refusalOf(port, e);
        }
        return new PendingPort(
                port.name(),
                results.get(3).getUuid(),
                results.get(2).getUuid(),
                new PendingConfiguration(nextCfg(results.getLast()), generation));
    }

    private List<Operation<?>> additionOf(VhostUserPort port, Deadline deadline) throws OvsdbUnavailableException {
        PortOperations operations = new PortOperations(client.schema(deadline));
        return List.of(
                operations.requireBridge(port.bridge()),
                operations.requireNetdev(port.bridge()),
                operations.insertInterface(port),
                operations.insertPort(port),
                operations.addToBridge(port.bridge()),
                operations.incrementNextCfg(),
                operations.selectNextCfg());
    }

    private OvsdbException refusalOf(VhostUserPort port, OvsdbTransactionException refusal) {
        if (refusal.kind() != OvsdbTransactionException.Kind.TIMED_OUT) {
            return refusal;
        }
        return switch (refusal.operation()) {
            case 0 -> new BridgeMissingException(port.bridge());
            case 1 ->
                new BridgeNotNetdevException(
                        port.bridge(),
                        bridge(port.bridge()).map(Bridge::datapathType).orElse(""));
            default -> refusal;
        };
    }

    private static long nextCfg(OperationResult selected) throws OvsdbProtocolException {
        return selected.getRows().stream()
                .flatMap(row -> row.getColumns().stream())
                .map(column -> column.getData())
                .filter(Long.class::isInstance)
                .map(Long.class::cast)
                .findFirst()
                .orElseThrow(() -> new OvsdbProtocolException("the database has no row in its table Open_vSwitch"));
    }

    /**
     * A port that stands in the replica as one to wait for: how to go on when it isn't known whether
     * {@link #addVhostUserPort} succeeded. Await {@link OvsdbClient#awaitSynchronised} first, and look at the port's
     * {@code external_ids} to see whose it is. It is waited for with the newest {@code next_cfg}.
     */
    public Optional<PendingPort> pendingPort(String name) {
        Replica replica = client.replica();
        return replica.named("Port", name).flatMap(port -> port.uuids("interfaces").stream()
                .findFirst()
                .map(iface -> new PendingPort(
                        name,
                        port.uuid(),
                        iface,
                        new PendingConfiguration(SwitchState.of(replica).nextCfg(), replica.generation()))));
    }

    /**
     * Waits until ovs-vswitchd has made the port: its {@code ofport} is positive, its {@code error} empty, and
     * {@code cur_cfg} has reached the change. The wait goes on over a reconnect.
     *
     * @return the interface as ovs-vswitchd left it
     * @throws PortRefusedException as soon as ovs-vswitchd says that it can't make it
     * @throws PortVanishedException as soon as its row is gone
     * @throws SwitchSilentException if neither happened by the deadline
     * @throws OvsdbUnavailableException if at the deadline there was no connection, so that nobody knows
     */
    public Interface awaitApplied(PendingPort pending, Deadline deadline) throws OvsdbException {
        // First for the port's own row only: cur_cfg stands in a row that every transaction of every caller changes
        Optional<PortProgress> made = awaitProgress(Set.of(pending.iface()), pending, false, deadline);
        Optional<PortProgress> settled = made.isPresent() && made.get() instanceof PortProgress.Made
                ? awaitProgress(withSwitchRow(pending.iface()), pending, true, deadline)
                : made;
        return switch (settled.orElseGet(() -> PortProgress.of(pending, client.replica()))) {
            case PortProgress.Applied(Interface iface) -> iface;
            case PortProgress.Refused(String words) -> throw new PortRefusedException(pending.name(), words);
            case PortProgress.Vanished() -> throw new PortVanishedException(pending.name());
            case PortProgress.Awaited() ->
                throw silence(pending.configuration(), "ovs-vswitchd gave port \"" + pending.name() + "\" no ofport");
            case PortProgress.Made() ->
                throw silence(
                        pending.configuration(),
                        "ovs-vswitchd made port \"" + pending.name() + "\" and did not finish its configuration");
        };
    }

    private Optional<PortProgress> awaitProgress(
            Set<UUID> rows, PendingPort pending, boolean pastMade, Deadline deadline) throws OvsdbUnavailableException {
        return client.await(
                rows,
                () -> Optional.of(PortProgress.of(pending, client.replica()))
                        .filter(progress -> !(progress instanceof PortProgress.Awaited)
                                && !(pastMade && progress instanceof PortProgress.Made)),
                deadline);
    }

    /** A replacement of the database wakes every waiter, so a UUID that is out of date does no harm. */
    private Set<UUID> withSwitchRow(UUID... others) {
        return Stream.concat(client.replica().rows("Open_vSwitch").stream().map(ReplicaRow::uuid), Stream.of(others))
                .collect(Collectors.toSet());
    }

    private OvsdbException silence(PendingConfiguration configuration, String what) {
        return client.synchronised()
                ? new SwitchSilentException(configuration.number(), state().curCfg(), what)
                : new OvsdbUnavailableException("not connected at the deadline of a wait: " + what);
    }

    /**
     * Waits until ovs-vswitchd has applied a change. The wait goes on over a reconnect.
     *
     * @throws SwitchSilentException if it hasn't by the deadline, or at once if the database was replaced by one that
     *     knows nothing of the change
     * @throws OvsdbUnavailableException if at the deadline there was no connection
     */
    public void awaitConfiguration(PendingConfiguration configuration, Deadline deadline) throws OvsdbException {
        Optional<Replica> over = client.await(
                withSwitchRow(),
                () -> Optional.of(client.replica()).filter(replica -> isOver(configuration, replica)),
                deadline);
        if (over.isEmpty()) {
            throw silence(configuration, "ovs-vswitchd does not follow the database");
        }
        long reached = SwitchState.of(over.get()).curCfg();
        if (reached < configuration.number()) {
            throw new SwitchSilentException(
                    configuration.number(), reached, "the database was replaced under the change");
        }
    }

    private static boolean isOver(PendingConfiguration configuration, Replica replica) {
        SwitchState state = SwitchState.of(replica);
        boolean replaced =
                replica.generation() != configuration.generation() && state.nextCfg() < configuration.number();
        return replaced || state.curCfg() >= configuration.number();
    }

    /**
     * Removes the port of that name from whatever bridge has it, and waits for ovs-vswitchd.
     *
     * @return false if there was no such port
     * @throws SwitchSilentException if it is out of the database, and ovs-vswitchd didn't follow by the deadline
     * @throws OvsdbException as {@link #removePorts} and {@link #awaitConfiguration}
     */
    public boolean deletePort(String name, Deadline deadline) throws OvsdbException {
        return deletePorts(List.of(name), deadline) > 0;
    }

    /** Likewise for several ports in one transaction; returns how many there were. */
    public int deletePorts(Collection<String> names, Deadline deadline) throws OvsdbException {
        return awaitRemoval(removePorts(names, deadline), deadline);
    }

    private int awaitRemoval(Removal removal, Deadline deadline) throws OvsdbException {
        if (removal.configuration().isPresent()) {
            awaitConfiguration(removal.configuration().get(), deadline);
        }
        return removal.removed();
    }

    /**
     * Removes ports from the database in one transaction, without waiting for ovs-vswitchd. Names that aren't there are
     * passed over.
     *
     * @return how many there were, and what to await
     * @throws OvsdbOutcomeUnknownException if the answer didn't come; removing again does no harm
     * @throws OvsdbUnavailableException if nothing was sent
     * @throws OvsdbTransactionException if the server refused it; nothing was changed
     */
    public Removal removePorts(Collection<String> names, Deadline deadline) throws OvsdbException {
        client.awaitSynchronised(deadline);
        Replica replica = client.replica();
        return remove(
                names.stream()
                        .flatMap(name -> replica.named("Port", name).stream())
                        .map(ReplicaRow::uuid)
                        .collect(Collectors.toCollection(LinkedHashSet::new)),
                deadline);
    }

    private Removal remove(Set<UUID> ports, Deadline deadline) throws OvsdbException {
        if (ports.isEmpty()) {
            return new Removal(0, Optional.empty());
        }
        PortOperations operations = new PortOperations(client.schema(deadline));
        List<Operation<?>> transaction = new ArrayList<>();
        ports.forEach(port -> transaction.add(operations.removeFromBridge(port)));
        transaction.add(operations.incrementNextCfg());
        transaction.add(operations.selectNextCfg());
        long generation = client.generation();
        List<OperationResult> results = client.transact(transaction, deadline);
        int removed = results.stream()
                .limit(ports.size())
                .mapToInt(OperationResult::getCount)
                .sum();
        return new Removal(removed, Optional.of(new PendingConfiguration(nextCfg(results.getLast()), generation)));
    }

    /**
     * Asks ovs-vswitchd for a sign of life: increments {@code next_cfg} and waits for {@code cur_cfg}. Nothing else shows
     * that it hangs; with no change pending both numbers stay equal.
     *
     * @return the {@code next_cfg} that it reached
     * @throws SwitchSilentException if it doesn't follow by the deadline
     * @throws OvsdbException if the database can't be asked
     */
    public long probe(Deadline deadline) throws OvsdbException {
        PendingConfiguration asked = askToLook(deadline);
        awaitConfiguration(asked, deadline);
        return asked.number();
    }

    /**
     * Asks ovs-vswitchd to look at its database again, as after a change, and does not wait for it.
     *
     * @throws OvsdbException if the database can't be asked
     */
    public PendingConfiguration askToLook(Deadline deadline) throws OvsdbException {
        PortOperations operations = new PortOperations(client.schema(deadline));
        long generation = client.generation();
        List<OperationResult> results =
                client.transact(List.of(operations.incrementNextCfg(), operations.selectNextCfg()), deadline);
        return new PendingConfiguration(nextCfg(results.getLast()), generation);
    }

    /**
     * Goes the ways of adding and removing a port once without changing anything, so that the first real ones don't have to
     * load classes, which takes a tenth of a second: removes a port that isn't there, which the server answers with all
     * kinds of results, and adds one to a bridge that can't be there, which it refuses.
     *
     * @throws OvsdbException if the database can't be asked
     */
    public void warmUp(Deadline deadline) throws OvsdbException {
        VhostUserPort none =
                new VhostUserPort(NO_BRIDGE, "none", "/none", OptionalInt.of(1500), Map.of("none", "none"));
        PortOperations operations = new PortOperations(client.schema(deadline));
        client.transact(List.of(operations.removeFromBridge(NO_PORT), operations.selectNextCfg()), deadline);
        try {
            client.transact(additionOf(none, deadline), deadline);
        } catch (OvsdbTransactionException e) {
            if (e.kind() != OvsdbTransactionException.Kind.TIMED_OUT) {
                throw e;
            }
        }
    }

    /**
     * Waits until something about the switch is as wanted; see {@link OvsdbClient#await}.
     *
     * @return what the condition gave; empty if it gave nothing by the deadline
     */
    public <T> Optional<T> await(Supplier<Optional<T>> condition, Deadline deadline) throws OvsdbUnavailableException {
        return client.await(condition, deadline);
    }

    /**
     * What became of {@link #removePorts}.
     *
     * @param removed how many of the ports there were
     * @param configuration what to await; empty if nothing was sent because there was none of them
     */
    public record Removal(int removed, Optional<PendingConfiguration> configuration) {}
}
