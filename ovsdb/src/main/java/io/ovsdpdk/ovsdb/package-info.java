/**
 * A client for the Open vSwitch on this machine.
 *
 * <p>{@link io.ovsdpdk.ovsdb.LocalSwitch} speaks of bridges, ports and interfaces; below it {@link
 * io.ovsdpdk.ovsdb.OvsdbClient} keeps one connection to ovsdb-server, a live {@link io.ovsdpdk.ovsdb.Replica} of the
 * tables that are asked for, and carries transactions. Nothing here knows of containers or Kubernetes.
 *
 * <p>The interface is blocking and meant for virtual threads. Every call takes a {@link io.ovsdpdk.ovsdb.Deadline} and
 * ends by then, whatever the server does.
 */
package io.ovsdpdk.ovsdb;
