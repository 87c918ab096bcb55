package io.ovsdpdk.e2e;

import io.grpc.CallOptions;
import io.grpc.ConnectivityState;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.ClientCalls;
import io.netty.channel.ChannelOption;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioDomainSocketChannel;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.io.UncheckedIOException;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** gRPC on a unix socket, in messages without a schema. With the small windows that grpc-go has by default. */
final class GrpcConnection implements AutoCloseable {
    private static final int WINDOW = 65_535;

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

    /** Connects when it must. */
    GrpcConnection(Path socket) {
        channel = NettyChannelBuilder.forAddress(UnixDomainSocketAddress.of(socket))
                .channelFactory(NioDomainSocketChannel::new)
                .withOption(ChannelOption.SO_KEEPALIVE, null)
                .eventLoopGroup(events)
                .overrideAuthority("localhost")
                .flowControlWindow(WINDOW)
                .maxInboundMessageSize(16 << 20)
                .usePlaintext()
                .build();
    }

    /** Connects and waits for it, at most so long; true when connected. */
    boolean connect(Duration atMost) throws IOException {
        Deadline deadline = Deadline.after(atMost);
        ConnectivityState state = channel.getState(true);
        while (state != ConnectivityState.READY && !deadline.passed()) {
            CountDownLatch changed = new CountDownLatch(1);
            channel.notifyWhenStateChanged(state, changed::countDown);
            try {
                changed.await(deadline.left().toNanos(), TimeUnit.NANOSECONDS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new InterruptedIOException("interrupted while connecting");
            }
            state = channel.getState(true);
        }
        return state == ConnectivityState.READY;
    }

    /**
     * Calls and waits.
     *
     * @param method {@code package.Service/Method}
     * @throws io.grpc.StatusRuntimeException what the peer answers instead
     */
    ProtobufMessage call(String method, ProtobufMessage request, CallOptions options) {
        MethodDescriptor<ProtobufMessage, ProtobufMessage> descriptor = MethodDescriptor.newBuilder(MESSAGES, MESSAGES)
                .setType(MethodDescriptor.MethodType.UNARY)
                .setFullMethodName(method)
                .build();
        return ClientCalls.blockingUnaryCall(channel, descriptor, options, request);
    }

    @Override
    public void close() {
        channel.shutdownNow();
        events.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    }
}
