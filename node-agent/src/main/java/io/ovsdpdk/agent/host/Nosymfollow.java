package io.ovsdpdk.agent.host;

/** Whether OVS may be given a mount through which it would follow a pod's links. */
public enum Nosymfollow {
    /** Never: on a kernel without {@code nosymfollow} (before 5.14) nothing is mounted. */
    REQUIRED,
    /** The administrator puts up with it on a kernel that can't; where it can, links are refused all the same. */
    WHERE_SUPPORTED
}
