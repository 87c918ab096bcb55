package io.ovsdpdk.agent.host;

/**
 * What this kernel lets this process mount.
 *
 * @param level how much
 * @param explanation the same for the administrator, with what to do about it
 */
public record MountSupport(Level level, String explanation) {

    /** How much of it works. */
    public enum Level {
        /** Mounts with every protection. */
        FULL,
        /** Mounts, but through them OVS would follow a link that a pod plants. */
        NO_NOSYMFOLLOW,
        /** No mounts. */
        NONE
    }
}
