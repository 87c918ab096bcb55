package io.ovsdpdk.cni;

import io.ovsdpdk.api.AttachmentId;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The parameters that a runtime passes in environment variables (CNI 1.1.0, section "Parameters"). */
final class CniEnvironment {
    private final Map<String, String> variables;

    /**
     * @param variables the whole environment, which delegated plugins get too
     * @throws CniException {@link ErrorCode#ENVIRONMENT} that names all the variables which the command lacks
     */
    CniEnvironment(Command command, Map<String, String> variables) throws CniException {
        this.variables = Map.copyOf(variables);
        List<String> missing = new ArrayList<>();
        for (String required : command.variables()) {
            if (variables.getOrDefault(required, "").isEmpty()) {
                missing.add(required);
            }
        }
        if (!missing.isEmpty()) {
            throw new CniException(
                    ErrorCode.ENVIRONMENT, command + " needs the environment variables " + String.join(", ", missing));
        }
    }

    /** @throws CniException {@link ErrorCode#ENVIRONMENT} when it can't be an attachment */
    AttachmentId id() throws CniException {
        try {
            return new AttachmentId(value("CNI_CONTAINERID"), value("CNI_IFNAME"));
        } catch (IllegalArgumentException e) {
            throw new CniException(
                    ErrorCode.ENVIRONMENT, "invalid CNI_CONTAINERID or CNI_IFNAME: " + e.getMessage(), "", e);
        }
    }

    /** {@code CNI_NETNS}; empty where the runtime has none any more. */
    String sandbox() {
        return value("CNI_NETNS");
    }

    /** @throws CniException as {@link CniArgs#of} */
    CniArgs args() throws CniException {
        return CniArgs.of(value("CNI_ARGS"));
    }

    /** The folders in which plugins are; only absolute ones, for our own working directory is anybody's. */
    List<Path> path() {
        List<Path> folders = new ArrayList<>();
        for (String folder : value("CNI_PATH").split(":")) {
            try {
                if (folder.startsWith("/")) {
                    folders.add(Path.of(folder));
                }
            } catch (InvalidPathException e) {
                // No folder can have such a name, so nothing is in it
                continue;
            }
        }
        return folders;
    }

    /** The environment of a delegated plugin. */
    Map<String, String> forCommand(String name) {
        Map<String, String> changed = new HashMap<>(variables);
        changed.put("CNI_COMMAND", name);
        return changed;
    }

    private String value(String variable) {
        return variables.getOrDefault(variable, "");
    }
}
