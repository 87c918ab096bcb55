package io.ovsdpdk.cni;

import java.time.Duration;

/**
 * How long we wait where the node configuration doesn't say.
 *
 * @param answer what the agent gets beyond the time that it has for its work, to roll back and to answer
 * @param removal for the answer to DEL: the agent goes on in the background after 10 s of waiting for the switch and 3 s
 *     of removing files
 * @param cleanup for the answer to a request that only undoes what a failed ADD left
 * @param collection for the answer to GC: vswitchd takes about 20 ms for each port that goes
 * @param orphans for the answer to a look for orphans: the agent asks the API server for five pods a second, of at most a
 *     thousand, and may have to finish another look first
 * @param deletion how long DEL waits for an agent that is away, at most: a pod that goes should go
 * @param queue how long DEL waits for others who leave deletions: they look at a socket and write a file
 */
record Patience(
        Duration answer,
        Duration removal,
        Duration cleanup,
        Duration collection,
        Duration orphans,
        Duration deletion,
        Duration queue) {
    static final Patience USUAL = new Patience(
            Duration.ofSeconds(5),
            Duration.ofSeconds(20),
            Duration.ofSeconds(5),
            Duration.ofSeconds(60),
            Duration.ofMinutes(10),
            Duration.ofSeconds(2),
            Duration.ofSeconds(5));
}
