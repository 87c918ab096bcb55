package io.ovsdpdk.kubevirt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.grpc.CallOptions;
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
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.net.UnixDomainSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The sidecar's server, from its first call to its last. */
class HookServerTest {
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    private static final MethodDescriptor.Marshaller<byte[]> BYTES = new MethodDescriptor.Marshaller<>() {
        @Override
        public InputStream stream(byte[] message) {
            return new ByteArrayInputStream(message);
        }

        @Override
        public byte[] parse(InputStream message) {
            try {
                return message.readAllBytes();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    };

    @TempDir
    private Path folder;

    private static byte[] call(ManagedChannel channel, String method, byte[] request) {
        return ClientCalls.blockingUnaryCall(
                channel,
                MethodDescriptor.newBuilder(BYTES, BYTES)
                        .setType(MethodDescriptor.MethodType.UNARY)
                        .setFullMethodName(method)
                        .build(),
                CallOptions.DEFAULT.withWaitForReady().withDeadlineAfter(20, TimeUnit.SECONDS),
                request);
    }

    @Test
    void serverSaysWhatItIsDefinesADomainAndEnds() throws Exception {
        Binding binding = new Binding("ovs-dpdk", folder, folder.resolve("none"));
        StringWriter lines = new StringWriter();
        FutureTask<Void> serving = new FutureTask<>(() -> {
            HookServer.serve(binding, Map.of("CONTAINER_NAME", "hook-sidecar-3"), new PrintWriter(lines));
            return null;
        });
        Thread.ofPlatform().daemon().start(serving);
        Path socket = folder.resolve("hook-sidecar-3.sock");
        await().atMost(PATIENCE).until(() -> Files.exists(socket) || serving.isDone());
        MultiThreadIoEventLoopGroup events = new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
        ManagedChannel channel = NettyChannelBuilder.forAddress(UnixDomainSocketAddress.of(socket))
                .channelFactory(NioDomainSocketChannel::new)
                .withOption(ChannelOption.SO_KEEPALIVE, null)
                .eventLoopGroup(events)
                .overrideAuthority("localhost")
                .usePlaintext()
                .build();

        byte[] info = call(channel, "kubevirt.hooks.info.Info/Info", new byte[0]);
        byte[] defined = call(
                channel,
                "kubevirt.hooks.v1alpha3.Callbacks/OnDefineDomain",
                new ProtobufMessage.Builder()
                        .bytes(1, new Domain().xml())
                        .bytes(2, Vmi.withFast().json())
                        .build());
        byte[] shutdown = call(channel, "kubevirt.hooks.v1alpha3.Callbacks/Shutdown", new byte[0]);
        serving.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);

        assertThat(new String(info, StandardCharsets.UTF_8))
                .contains("ovs-dpdk", "OnDefineDomain", "Shutdown", "v1alpha1", "v1alpha2", "v1alpha3")
                .doesNotContain("PreCloudInitIso");
        assertThat(ProtobufMessage.bytes(defined, 1))
                .isEqualTo(binding.define(Vmi.withFast().json(), new Domain().xml()));
        assertThat(shutdown).isEmpty();
        assertThat(socket).doesNotExist();
        assertThat(lines.toString()).contains("call=start", "call=OnDefineDomain", "call=stop");
        channel.shutdownNow();
        events.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    }

    @Test
    void namesOfNamelessSidecarsDiffer() throws Exception {
        assertThat(HookServer.socketName(Map.of()))
                .matches("ovs-dpdk-[0-9a-f]{8}\\.sock")
                .isNotEqualTo(HookServer.socketName(Map.of()));
        assertThat(HookServer.socketName(Map.of("CONTAINER_NAME", "hook-sidecar-0")))
                .isEqualTo("hook-sidecar-0.sock");
    }
}
