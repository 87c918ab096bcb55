package io.ovsdpdk.e2e;

import io.grpc.CallOptions;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/** CRI as kubelet speaks it: gRPC calls of {@code runtime.v1.RuntimeService} on a runtime's unix socket. */
final class ContainerRuntimeInterface implements AutoCloseable {
    private static final int CALL_SECONDS = 120;

    private final GrpcConnection connection;

    ContainerRuntimeInterface(Path socket) {
        connection = new GrpcConnection(socket);
    }

    /**
     * Calls and waits, also for a runtime that is just coming up.
     *
     * @throws IOException what the runtime answers instead, or that it doesn't within two minutes
     */
    ProtobufMessage call(String method, ProtobufMessage request) throws IOException {
        CallOptions options = CallOptions.DEFAULT.withWaitForReady().withDeadlineAfter(CALL_SECONDS, TimeUnit.SECONDS);
        try {
            return connection.call("runtime.v1.RuntimeService/" + method, request, options);
        } catch (StatusRuntimeException e) {
            throw new IOException(method + ": " + e.getStatus().getDescription(), e);
        }
    }

    @Override
    public void close() {
        connection.close();
    }
}
