package io.ovsdpdk.kubevirt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
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
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
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

    private static final String SHUTDOWN = "kubevirt.hooks.v1alpha3.Callbacks/Shutdown";

    @TempDir
    private Path folder;

    private final StringWriter lines = new StringWriter();
    private final MultiThreadIoEventLoopGroup events = new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
    private Binding binding;
    private FutureTask<Void> serving;
    private Path socket;
    private ManagedChannel channel;

    @BeforeEach
    void startServer() {
        binding = new Binding("ovs-dpdk", folder, folder.resolve("network-info"));
        serving = new FutureTask<>(() -> {
            HookServer.serve(binding, Map.of("CONTAINER_NAME", "hook-sidecar-3"), new PrintWriter(lines));
            return null;
        });
        Thread.ofPlatform().daemon().start(serving);
        socket = folder.resolve("hook-sidecar-3.sock");
        await().atMost(PATIENCE).until(() -> Files.exists(socket) || serving.isDone());
        channel = NettyChannelBuilder.forAddress(UnixDomainSocketAddress.of(socket))
                .channelFactory(NioDomainSocketChannel::new)
                .withOption(ChannelOption.SO_KEEPALIVE, null)
                .eventLoopGroup(events)
                .overrideAuthority("localhost")
                .usePlaintext()
                .build();
    }

    /** It ends when it is told, whatever the test did before; a second time does nothing. */
    @AfterEach
    void endServer() throws Exception {
        if (!serving.isDone()) {
            shutdown();
        }
        serving.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
        channel.shutdownNow();
        events.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    }

    private static MethodDescriptor<byte[], byte[]> method(String name) {
        return MethodDescriptor.newBuilder(BYTES, BYTES)
                .setType(MethodDescriptor.MethodType.UNARY)
                .setFullMethodName(name)
                .build();
    }

    private byte[] call(String method, byte[] request) {
        return ClientCalls.blockingUnaryCall(
                channel,
                method(method),
                CallOptions.DEFAULT.withWaitForReady().withDeadlineAfter(20, TimeUnit.SECONDS),
                request);
    }

    private byte[] shutdown() {
        return call(SHUTDOWN, new byte[0]);
    }

    @Test
    void serverSaysWhatItIsDefinesADomainAndEnds() throws Exception {
        byte[] info = call("kubevirt.hooks.info.Info/Info", new byte[0]);
        byte[] defined = call(
                "kubevirt.hooks.v1alpha3.Callbacks/OnDefineDomain",
                new ProtobufMessage.Builder()
                        .bytes(1, new Domain().xml())
                        .bytes(2, Vmi.withFast().json())
                        .build());
        byte[] shutdown = shutdown();
        serving.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);

        assertThat(new String(info, StandardCharsets.UTF_8))
                .contains("ovs-dpdk", "OnDefineDomain", "Shutdown", "v1alpha1", "v1alpha2", "v1alpha3")
                .doesNotContain("PreCloudInitIso");
        assertThat(ProtobufMessage.bytes(defined, 1))
                .isEqualTo(binding.define(Vmi.withFast().json(), new Domain().xml()));
        assertThat(shutdown).isEmpty();
        assertThat(socket).doesNotExist();
        assertThat(lines.toString()).contains("call=start", "call=OnDefineDomain", "call=stop");
    }

    /** virt-launcher that is killed at its end, or waits no longer. */
    @Test
    void shutdownThatIsCancelledEndsItToo() throws Exception {
        call("kubevirt.hooks.info.Info/Info", new byte[0]);
        ClientCall<byte[], byte[]> shutdown = channel.newCall(method(SHUTDOWN), CallOptions.DEFAULT);
        shutdown.start(new ClientCall.Listener<>() {}, new Metadata());

        shutdown.cancel("the test gives up", null);

        serving.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
        assertThat(socket).doesNotExist();
    }

    @Test
    void otherCallThatIsCancelledEndsNothing() {
        call("kubevirt.hooks.info.Info/Info", new byte[0]);
        ClientCall<byte[], byte[]> define =
                channel.newCall(method("kubevirt.hooks.v1alpha3.Callbacks/OnDefineDomain"), CallOptions.DEFAULT);
        define.start(new ClientCall.Listener<>() {}, new Metadata());

        define.cancel("the test gives up", null);

        assertThat(call("kubevirt.hooks.info.Info/Info", new byte[0])).isNotEmpty();
        assertThat(serving).isNotDone();
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
