package io.ovsdpdk.kubevirt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
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

    /** How long the server waits for network-info. */
    private static final Duration UNTOLD = Duration.ofSeconds(2);

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

    private static final String DEFINE = "kubevirt.hooks.v1alpha3.Callbacks/OnDefineDomain";
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
            HookServer.serve(binding, UNTOLD, Map.of("CONTAINER_NAME", "hook-sidecar-3"), new PrintWriter(lines));
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

    private byte[] define(Vmi vmi) {
        byte[] request = new ProtobufMessage.Builder()
                .bytes(1, new Domain().xml())
                .bytes(2, vmi.json())
                .build();
        return ProtobufMessage.bytes(call(DEFINE, request), 1);
    }

    private void tell(String networkInfo) throws IOException {
        Files.writeString(folder.resolve("network-info"), networkInfo);
    }

    private byte[] shutdown() {
        return call(SHUTDOWN, new byte[0]);
    }

    @Test
    void serverSaysWhatItIsDefinesADomainAndEnds() throws Exception {
        byte[] info = call("kubevirt.hooks.info.Info/Info", new byte[0]);
        byte[] defined = define(Vmi.withFast());
        byte[] shutdown = shutdown();
        serving.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);

        assertThat(new String(info, StandardCharsets.UTF_8))
                .contains("ovs-dpdk", "OnDefineDomain", "Shutdown", "v1alpha1", "v1alpha2", "v1alpha3")
                .doesNotContain("PreCloudInitIso");
        assertThat(defined).isEqualTo(binding.define(Vmi.withFast().json(), new Domain().xml()));
        assertThat(shutdown).isEmpty();
        assertThat(socket).doesNotExist();
        assertThat(lines.toString())
                .contains("call=start", "call=OnDefineDomain", "call=stop")
                .doesNotContain("waits");
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
        ClientCall<byte[], byte[]> define = channel.newCall(method(DEFINE), CallOptions.DEFAULT);
        define.start(new ClientCall.Listener<>() {}, new Metadata());

        define.cancel("the test gives up", null);

        assertThat(call("kubevirt.hooks.info.Info/Info", new byte[0])).isNotEmpty();
        assertThat(serving).isNotDone();
    }

    @Test
    void networkThatIsToldOfLateIsWaitedForWhileOtherCallsAreAnswered() throws Exception {
        tell("");
        FutureTask<byte[]> defined = new FutureTask<>(() -> define(Vmi.withFast()));
        Thread.ofPlatform().daemon().start(defined);
        await().atMost(PATIENCE).until(() -> lines.toString().contains("waits up to 2 s"));
        byte[] info = call("kubevirt.hooks.info.Info/Info", new byte[0]);
        assertThat(defined).isNotDone();

        tell("{\"interfaces\":[{\"network\":\"default\"},"
                + "{\"network\":\"fast\",\"mac\":\"02:00:00:00:00:0a\",\"mtu\":9000}]}");

        assertThat(new String(defined.get(PATIENCE.toSeconds(), TimeUnit.SECONDS), StandardCharsets.UTF_8))
                .contains("<mac address='02:00:00:00:00:0a'/>", "<mtu size='9000'/>");
        assertThat(info).isNotEmpty();
        assertThat(lines.toString()).doesNotContain("level=warn");
    }

    /** Once in its life: the VM must start. */
    @Test
    void networkThatIsNeverToldOfCostsTheWaitOnceAndTheVmsOwnValuesAreTaken() throws Exception {
        tell("{\"interfaces\":[{\"network\":\"default\",\"mac\":\"02:00:00:00:00:01\"}]}");
        Vmi vmi = new Vmi().ours("fast", fast -> fast.put("macAddress", "02:00:00:00:00:0b"));
        long start = System.nanoTime();

        byte[] once = define(vmi);
        long waited = System.nanoTime() - start;
        byte[] twice = define(vmi);
        long waitedInAll = System.nanoTime() - start;

        assertThat(new String(once, StandardCharsets.UTF_8)).contains("<mac address='02:00:00:00:00:0b'/>");
        assertThat(twice).isEqualTo(once);
        assertThat(Duration.ofNanos(waited)).isGreaterThanOrEqualTo(UNTOLD);
        assertThat(Duration.ofNanos(waitedInAll - waited)).isLessThan(UNTOLD);
        assertThat(lines.toString())
                .containsOnlyOnce(
                        "waits up to 2 s for " + folder.resolve("network-info") + " to tell of networks [fast]")
                .contains("level=warn call=OnDefineDomain", "says nothing of networks [fast]");
    }

    @Test
    void interfaceThatIsUnpluggedIsNotWaitedFor() throws Exception {
        tell("{}");

        define(new Vmi().ours("fast", fast -> fast.put("state", "absent")));

        assertThat(lines.toString()).doesNotContain("waits");
    }

    @Test
    void vmThatIsRefusedIsRefusedAtOnce() throws Exception {
        tell("{}");

        assertThatThrownBy(() -> define(new Vmi().ours("f'><x"))).hasMessageContaining("INVALID_ARGUMENT");
        assertThatThrownBy(() -> call(DEFINE, new byte[] {(byte) 0xff})).hasMessageContaining("INVALID_ARGUMENT");

        assertThat(lines.toString()).doesNotContain("waits");
    }

    @Test
    void shutdownIsHeardDuringAWait() throws Exception {
        tell("");
        FutureTask<byte[]> defined = new FutureTask<>(() -> define(Vmi.withFast()));
        Thread.ofPlatform().daemon().start(defined);
        await().atMost(PATIENCE).until(() -> lines.toString().contains("waits up to 2 s"));

        shutdown();

        serving.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
        assertThatThrownBy(() -> defined.get(PATIENCE.toSeconds(), TimeUnit.SECONDS))
                .hasMessageContaining("CANCELLED");
        assertThat(socket).doesNotExist();
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
