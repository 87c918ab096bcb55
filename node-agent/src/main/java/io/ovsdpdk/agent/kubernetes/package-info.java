/**
 * The cluster as the agent of one of its nodes sees it: the node's pods, where their volumes are, and what they are told.
 * The only code that talks to the API server; knows nothing of the switch.
 */
package io.ovsdpdk.agent.kubernetes;
