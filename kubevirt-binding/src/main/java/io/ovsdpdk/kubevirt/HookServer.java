package io.ovsdpdk.kubevirt;

import io.grpc.Server;
import io.grpc.netty.NettyServerBuilder;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerDomainSocketChannel;
import java.io.IOException;
import java.io.PrintWriter;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/**
 * The hook sidecar: serves virt-launcher on a socket until it is told to shut down, or gets SIGTERM.
 *
 * <p>One thread does all of it: there is one caller, which makes one call after the other, and a call takes milliseconds.
 */
final class HookServer {
    /** From KubeVirt 1.6 on; our folder is then ours alone, and sockets must have different names all the same. */
    private static final String CONTAINER_VARIABLE = "CONTAINER_NAME";

    private static final Pattern CONTAINER_NAME = Pattern.compile("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?");

    /** A VMI and a domain, and room for what protobuf adds. */
    private static final int MAX_MESSAGE = JsonDocument.MAX_BYTES + XmlText.MAX_BYTES + 1024;

    /** Milliseconds for answers that are under way. */
    private static final long GRACE = 1000;

    /** How long to wait for networks in network-info: virt-launcher waits a minute for an answer. */
    static final Duration PATIENCE = Duration.ofSeconds(10);

    private HookServer() {}

    /**
     * Serves until the end.
     *
     * @param patience how long to wait, in all calls together, for networks that KubeVirt tells of late
     * @throws IOException when it can't listen
     */
    static void serve(Binding binding, Duration patience, Map<String, String> environment, PrintWriter stderr)
            throws IOException, InterruptedException {
        Log log = new Log(stderr);
        Path socket = binding.hooksFolder().resolve(socketName(environment));
        CountDownLatch end = new CountDownLatch(1);
        CountDownLatch ended = new CountDownLatch(1);
        EventLoopGroup loop = new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
        try {
            // What an earlier run of this container left; a name of our own is new anyway
            Files.deleteIfExists(socket);
            Server server = start(socket, loop, new HookCalls(binding, log, loop, patience, end::countDown));
            endBySignal(end, ended);
            log.info("start", "binding " + binding.name() + " listens on " + socket);
            end.await();
            stop(server);
            log.info("stop", "done");
        } finally {
            loop.shutdownGracefully(0, GRACE, TimeUnit.MILLISECONDS).await(GRACE);
            Files.deleteIfExists(socket);
            ended.countDown();
        }
    }

    /**
     * Up to KubeVirt 1.5 all sidecars share a folder and don't know their names. The name is final from the beginning:
     * virt-launcher dials whatever it finds.
     */
    static String socketName(Map<String, String> environment) throws IOException {
        String container = environment.getOrDefault(CONTAINER_VARIABLE, "");
        if (container.isEmpty()) {
            return "ovs-dpdk-%08x.sock".formatted(new Random().nextInt());
        }
        if (!CONTAINER_NAME.matcher(container).matches()) {
            throw new IOException(
                    CONTAINER_VARIABLE + " is " + Quoted.of(container) + ", which is no container's name");
        }
        return container + ".sock";
    }

    /** Binds the socket when everything else is ready: virt-launcher gives the first call one second, and one try. */
    private static Server start(Path socket, EventLoopGroup loop, HookCalls calls) throws IOException {
        try {
            return NettyServerBuilder.forAddress(UnixDomainSocketAddress.of(socket))
                    .channelFactory(NioServerDomainSocketChannel::new)
                    .bossEventLoopGroup(loop)
                    .workerEventLoopGroup(loop)
                    // Unix sockets have none, and netty would complain of each connection
                    .withChildOption(ChannelOption.SO_KEEPALIVE, null)
                    // A pool keeps 2 MiB for good, for a handful of calls in a VM's life
                    .withChildOption(ChannelOption.ALLOCATOR, UnpooledByteBufAllocator.DEFAULT)
                    .directExecutor()
                    .maxConcurrentCallsPerConnection(8)
                    .maxInboundMessageSize(MAX_MESSAGE)
                    .addServices(calls.services())
                    .build()
                    .start();
        } catch (IOException e) {
            String reason = e.getCause() == null ? e.getMessage() : e.getCause().getMessage();
            throw new IOException(
                    "can't listen on " + socket + ": " + reason + "; KubeVirt mounts its folder into each sidecar", e);
        }
    }

    private static void stop(Server server) throws InterruptedException {
        server.shutdown();
        if (!server.awaitTermination(GRACE, TimeUnit.MILLISECONDS)) {
            server.shutdownNow().awaitTermination(GRACE, TimeUnit.MILLISECONDS);
        }
    }

    /**
     * SIGTERM ends us as Shutdown does, with status 0: the VM's pod would count as failed. The order: the signal starts
     * this hook; it wakes the server's thread; that stops and says so; only then the process ends. After Shutdown the
     * hook runs too, in {@code System.exit}, and finds all done.
     */
    private static void endBySignal(CountDownLatch end, CountDownLatch ended) {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            boolean signal = end.getCount() > 0;
            end.countDown();
            try {
                if (signal && ended.await(3 * GRACE, TimeUnit.MILLISECONDS)) {
                    Runtime.getRuntime().halt(BindingCommand.DONE);
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }));
    }
}
