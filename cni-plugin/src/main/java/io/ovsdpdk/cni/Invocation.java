package io.ovsdpdk.cni;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.ovsdpdk.api.AttachmentRequest;
import io.ovsdpdk.api.CniException;
import io.ovsdpdk.api.ErrorCode;

/**
 * One call of the plugin, as the runtime made it.
 *
 * @param version what the network configuration asks for, and the result is written in
 * @param document the network configuration as its bytes came, for delegated plugins
 * @param network the same, read and not yet checked
 */
record Invocation(CniEnvironment environment, CniVersion version, byte[] document, ObjectNode network) {

    /** @throws CniException {@link ErrorCode#ENVIRONMENT} when a variable has a value that can't be */
    AttachmentRequest attachment() throws CniException {
        CniArgs args = environment.args();
        try {
            return new AttachmentRequest(environment.id(), environment.sandbox(), args.pod(), args.mac(), network);
        } catch (IllegalArgumentException e) {
            throw new CniException(ErrorCode.ENVIRONMENT, e.getMessage(), "", e);
        }
    }
}
