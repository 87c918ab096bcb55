/** Pods as the agent sees them through the API server, and what it tells them there. */
package io.ovsdpdk.agent.kubernetes;
