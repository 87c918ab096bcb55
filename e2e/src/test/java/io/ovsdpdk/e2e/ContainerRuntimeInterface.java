package io.ovsdpdk.e2e;

import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.ClientCalls;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioDomainSocketChannel;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/** CRI as kubelet speaks it: gRPC calls of {@code runtime.v1.RuntimeService} on a runtime's unix socket. */
final class ContainerRuntimeInterface implements AutoCloseable {
    private static final int CALL_SECONDS = 120;

    private static final MethodDescriptor.Marshaller<ProtobufMessage> MESSAGES = new MethodDescriptor.Marshaller<>() {
        @Override
        public InputStream stream(ProtobufMessage message) {
            return new ByteArrayInputStream(message.bytes());
        }

        @Override
        public ProtobufMessage parse(InputStream stream) {
            try {
                return new ProtobufMessage(stream.readAllBytes());
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    };

    private final MultiThreadIoEventLoopGroup events = new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
    private final ManagedChannel channel;

    ContainerRuntimeInterface(Path socket) {
        channel = NettyChannelBuilder.forAddress(UnixDomainSocketAddress.of(socket))
                .channelFactory(NioDomainSocketChannel::new)
                .withOption(io.netty.channel.ChannelOption.SO_KEEPALIVE, null)
                .eventLoopGroup(events)
                .overrideAuthority("localhost")
                .usePlaintext()
                .build();
    }

    /**
     * Calls and waits, also for a runtime that is just coming up.
     *
     * @throws IOException what the runtime answers instead, or that it doesn't within two minutes
     */
    ProtobufMessage call(String method, ProtobufMessage request) throws IOException {
        MethodDescriptor<ProtobufMessage, ProtobufMessage> descriptor = MethodDescriptor.newBuilder(MESSAGES, MESSAGES)
                .setType(MethodDescriptor.MethodType.UNARY)
                .setFullMethodName("runtime.v1.RuntimeService/" + method)
                .build();
        CallOptions options = CallOptions.DEFAULT.withWaitForReady().withDeadlineAfter(CALL_SECONDS, TimeUnit.SECONDS);
        try {
            return ClientCalls.blockingUnaryCall(channel, descriptor, options, request);
        } catch (StatusRuntimeException e) {
            throw new IOException(method + ": " + e.getStatus().getDescription(), e);
        }
    }

    @Override
    public void close() {
        channel.shutdownNow();
        events.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    }
}
