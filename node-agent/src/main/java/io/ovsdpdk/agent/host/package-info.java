/**
 * The node's file system below the agent: socket folders that pods can write to, and the mounts through which OVS
 * reaches them. Everything here goes by descriptor, never follows a symbolic link below a trusted root, and a removal
 * never enters a mount. Needs root ({@code CAP_SYS_ADMIN}, {@code CAP_CHOWN}, {@code CAP_DAC_OVERRIDE}) and Linux 5.6;
 * {@code nosymfollow} needs Linux 5.14.
 */
package io.ovsdpdk.agent.host;
