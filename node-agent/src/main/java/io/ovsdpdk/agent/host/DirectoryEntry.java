package io.ovsdpdk.agent.host;

/**
 * One entry of a listing.
 *
 * @param name its name
 * @param folder whether the listing called it a folder; some file systems don't say, and it may have changed since
 */
record DirectoryEntry(FileName name, boolean folder) {}
