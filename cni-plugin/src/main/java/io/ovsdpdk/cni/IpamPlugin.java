package io.ovsdpdk.cni;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import io.ovsdpdk.api.Json;
import io.ovsdpdk.api.Quoted;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/**
 * The plugin that {@code ipam.type} names, which gives and takes addresses (CNI 1.1.0, section "Plugin Delegation"). It
 * gets our environment and the network configuration as it came.
 *
 * <p>One that doesn't speak the configuration's version is spoken to in the highest that both of us do, and its result
 * converted. ADD, CHECK and DEL try the configuration's version first: a current plugin knows it and runs once; an old
 * one refuses it with code 1 before it does anything, and is then asked what it speaks. GC and STATUS, which nobody
 * waits for and old plugins refuse as unknown, ask first.
 */
final class IpamPlugin {
    /** What became of one run. */
    private sealed interface Answer {
        record Succeeded(byte[] stdout) implements Answer {}

        /** It said no, and so has done nothing. */
        record Refused(CniException error) implements Answer {}

        /** Whether it did anything is not known. */
        record Unclear(CniException error) implements Answer {}
    }

    private final String type;
    private final Path executable;
    private final Invocation invocation;
    private final Duration timeout;
    private final Log log;

    /** What we speak to it; changes once, when it turns out to be older. */
    private CniVersion version;

    private IpamPlugin(String type, Path executable, Invocation invocation, Duration timeout, Log log) {
        this.type = type;
        this.executable = executable;
        this.invocation = invocation;
        this.timeout = timeout;
        this.log = log;
        this.version = invocation.version();
    }

    /**
     * @param type without {@code /}
     * @param timeout for each run
     * @throws CniException {@link ErrorCode#CONFIGURATION} when it is in no folder of {@code CNI_PATH}
     */
    static IpamPlugin find(String type, Invocation invocation, Duration timeout, Log log) throws CniException {
        for (Path folder : invocation.environment().path()) {
            Path candidate = folder.resolve(type);
            if (Files.isRegularFile(candidate) && Files.isExecutable(candidate)) {
                return new IpamPlugin(type, candidate, invocation, timeout, log);
            }
        }
        throw new CniException(
                ErrorCode.CONFIGURATION,
                "there is no IPAM plugin " + Quoted.of(type) + " in CNI_PATH",
                "the folders of CNI_PATH are " + invocation.environment().path());
    }

    /**
     * Gets addresses.
     *
     * @return them as the agent keeps them; at least one
     * @throws CniException what the plugin says; then it has given none, or what it may have given is released
     */
    ObjectNode add() throws CniException {
        switch (speak("ADD")) {
            case Answer.Succeeded succeeded -> {
                try {
                    return addresses(succeeded.stdout());
                } catch (CniException e) {
                    release();
                    throw e;
                }
            }
            // No release: what it refuses may be a second ADD, and the first one's address is in use
            case Answer.Refused refused -> throw refused.error();
            case Answer.Unclear unclear -> {
                release();
                throw unclear.error();
            }
        }
    }

    void del() throws CniException {
        demand("DEL");
    }

    /** Gives back what an ADD got that failed later. Never throws: what failed first is what people must see. */
    void release() {
        try {
            del();
        } catch (CniException e) {
            log.warn("addresses could not be released: " + e.getMessage() + " " + e.details());
        }
    }

    /** Does nothing where the plugin is older than CHECK. */
    void check() throws CniException {
        Answer answer = speak("CHECK");
        if (version.atLeast(CniVersion.V0_4_0)) {
            succeed(answer);
        } else {
            log.info("CHECK left out: the IPAM plugin " + type + " speaks no later version than " + version.text());
        }
    }

    /** Does nothing where the plugin is older than GC. */
    void collect() throws CniException {
        demandOfCurrent("GC");
    }

    /** Does nothing where the plugin is older than STATUS. */
    void status() throws CniException {
        demandOfCurrent("STATUS");
    }

    private void demandOfCurrent(String command) throws CniException {
        version = common().orElseThrow(this::noCommonVersion);
        if (version.atLeast(CniVersion.V1_1_0)) {
            demand(command);
        } else {
            log.info(
                    command + " left out: the IPAM plugin " + type + " speaks no later version than " + version.text());
        }
    }

    private void demand(String command) throws CniException {
        succeed(speak(command));
    }

    private static void succeed(Answer answer) throws CniException {
        switch (answer) {
            case Answer.Succeeded ignored -> {}
            case Answer.Refused refused -> throw refused.error();
            case Answer.Unclear unclear -> throw unclear.error();
        }
    }

    private Answer speak(String command) throws CniException {
        Answer answer = run(command, document());
        if (!(answer instanceof Answer.Refused refused
                && refused.error().is(ErrorCode.INCOMPATIBLE_VERSION)
                && version == invocation.version())) {
            return answer;
        }
        CniVersion highest = common().orElseThrow(this::noCommonVersion);
        if (highest == version) {
            return answer;
        }
        version = highest;
        log.debug("the IPAM plugin " + type + " is spoken to in " + version.text());
        return command.equals("CHECK") && !version.atLeast(CniVersion.V0_4_0) ? answer : run(command, document());
    }

    /** The highest version that the plugin, the configuration and we share. */
    private Optional<CniVersion> common() throws CniException {
        byte[] question =
                Json.write(Json.object().put("cniVersion", invocation.version().text()));
        Answer answer = run("VERSION", question);
        succeed(answer);
        Optional<CniVersion> highest = Optional.empty();
        for (JsonNode supported : result(((Answer.Succeeded) answer).stdout()).path("supportedVersions")) {
            Optional<CniVersion> candidate = CniVersion.named(supported.asText())
                    .filter(known -> invocation.version().atLeast(known));
            if (candidate.isPresent() && (highest.isEmpty() || candidate.get().atLeast(highest.get()))) {
                highest = candidate;
            }
        }
        return highest;
    }

    private CniException noCommonVersion() {
        return new CniException(
                ErrorCode.INCOMPATIBLE_VERSION,
                "the IPAM plugin " + type + " speaks no version of CNI up to "
                        + invocation.version().text() + " that we speak",
                "we speak " + CniVersion.names());
    }

    /** The network configuration in the plugin's version: byte by byte what we got, if that is ours too. */
    private byte[] document() {
        if (version == invocation.version()) {
            return invocation.document();
        }
        ObjectNode converted = invocation.network().deepCopy().put("cniVersion", version.text());
        try {
            CniResult.previous(converted).ifPresent(previous -> converted.set("prevResult", previous.write(version)));
        } catch (CniException e) {
            // Only DEL comes here with one that can't be read, and can do without
            converted.remove("prevResult");
        }
        return Json.write(converted);
    }

    private ObjectNode addresses(byte[] stdout) throws CniException {
        String what = "answer of the IPAM plugin " + type;
        CniResult result = CniResult.readAbbreviated(what, result(stdout));
        if (result.ips().isEmpty()) {
            throw new CniException(ErrorCode.DECODING, "the " + what + " has no addresses");
        }
        return result.abbreviated();
    }

    private ObjectNode result(byte[] stdout) throws CniException {
        return Json.readObject("answer of the IPAM plugin " + type, stdout);
    }

    private Answer run(String command, byte[] stdin) {
        long start = System.nanoTime();
        try {
            DelegateProcess.Outcome outcome = DelegateProcess.run(
                    executable, invocation.environment().forCommand(command), stdin, log.stream(), timeout);
            log.debug(executable + " " + command + " took " + (System.nanoTime() - start) / 1000 + " µs");
            return switch (outcome) {
                case DelegateProcess.Outcome.Ended(int status, byte[] stdout)
                when stdout.length > Json.MAX_BYTES ->
                    new Answer.Unclear(new CniException(
                            ErrorCode.DECODING,
                            "the answer of the IPAM plugin " + type + " has more than " + Json.MAX_BYTES
                                    + " bytes, which is the limit"));
                case DelegateProcess.Outcome.Ended(int status, byte[] stdout)
                when status == 0 -> new Answer.Succeeded(stdout);
                case DelegateProcess.Outcome.Ended(int status, byte[] stdout) -> failure(command, status, stdout);
                case DelegateProcess.Outcome.TimedOut() ->
                    new Answer.Unclear(new CniException(
                            ErrorCode.TRY_AGAIN,
                            "the IPAM plugin " + type + " did not finish its " + command + " within "
                                    + timeout.toMillis() + " ms and was killed",
                            "its executable is " + executable));
            };
        } catch (IOException e) {
            // Not started, or cut off: there may be something to take back
            return new Answer.Unclear(new CniException(
                    ErrorCode.IO, "the IPAM plugin " + executable + " can't be run: " + e.getMessage(), "", e));
        }
    }

    private Answer failure(String command, int status, byte[] stdout) {
        try {
            ObjectNode error = result(stdout);
            JsonNode code = error.path("code");
            if (code.isInt() && code.intValue() > 0) {
                return new Answer.Refused(new CniException(
                        code.intValue(),
                        error.path("msg").asText("the IPAM plugin " + type + " failed without a message"),
                        error.path("details").asText("")));
            }
        } catch (CniException e) {
            log.debug(e.getMessage());
        }
        String said = new String(stdout, StandardCharsets.UTF_8).strip();
        return new Answer.Unclear(new CniException(
                ErrorCode.IO,
                "the IPAM plugin " + type + " ended its " + command + " with status " + status
                        + " and without a CNI error",
                said.isEmpty() ? "it wrote nothing to standard output" : "it wrote " + Quoted.of(said)));
    }
}
