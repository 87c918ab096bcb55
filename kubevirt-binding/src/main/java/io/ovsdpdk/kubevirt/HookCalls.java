package io.ovsdpdk.kubevirt;

import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/**
 * What virt-launcher calls: {@code kubevirt.hooks.info.Info} and, in three versions, {@code kubevirt.hooks.*.Callbacks}.
 * Messages are bytes here: {@link ProtobufMessage}. All of it is for one thread.
 */
final class HookCalls {
    private static final String INFO = "kubevirt.hooks.info.Info";

    private static final String DEFINE = "OnDefineDomain";

    /** Newest last; virt-launcher takes the newest that it knows. */
    private static final List<String> VERSIONS = List.of("v1alpha1", "v1alpha2", "v1alpha3");

    /**
     * What we are called for. Not for PreCloudInitIso, although we answer it: virt-launcher calls only the first sidecar
     * that wants to be, and ours would take another one's place.
     */
    private static final List<String> HOOK_POINTS = List.of(DEFINE, "Shutdown");

    private static final MethodDescriptor.Marshaller<byte[]> AS_IT_IS = new MethodDescriptor.Marshaller<>() {
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

    /** What answers a call. */
    @FunctionalInterface
    private interface Answer {
        byte[] to(byte[] request) throws RefusedException;
    }

    /** What closes a call, now or later. */
    @FunctionalInterface
    private interface Respond {
        void to(ServerCall<byte[], byte[]> call, byte[] request);
    }

    /** Nanoseconds between two looks at a file that is being waited for. */
    private static final long LOOK = 100_000_000;

    private final Binding binding;
    private final Log log;
    private final ScheduledExecutorService thread;
    private final Duration patience;
    private final Runnable shutdown;

    /** When the wait for KubeVirt's file ends, by {@link System#nanoTime}; empty before the first. */
    private OptionalLong waitsUntil = OptionalLong.empty();

    /**
     * @param thread the one that makes all calls
     * @param patience how long, once in a sidecar's life, to wait for networks that KubeVirt has not told of yet: its call
     *     ends after a minute
     * @param shutdown run after the call Shutdown was answered or given up, maybe more than once
     */
    HookCalls(Binding binding, Log log, ScheduledExecutorService thread, Duration patience, Runnable shutdown) {
        this.binding = binding;
        this.log = log;
        this.thread = thread;
        this.patience = patience;
        this.shutdown = shutdown;
    }

    List<ServerServiceDefinition> services() {
        List<ServerServiceDefinition> services = new ArrayList<>();
        services.add(ServerServiceDefinition.builder(INFO)
                .addMethod(method(INFO, "Info"), answering("Info", request -> info(), () -> {}))
                .build());
        VERSIONS.forEach(version -> services.add(callbacks(version)));
        return services;
    }

    /** The first version knows one call, the second two, the third all three. */
    private ServerServiceDefinition callbacks(String version) {
        String service = "kubevirt.hooks." + version + ".Callbacks";
        ServerServiceDefinition.Builder callbacks = ServerServiceDefinition.builder(service);
        int age = VERSIONS.indexOf(version);
        callbacks.addMethod(method(service, DEFINE), calling(this::defineWhenTold, () -> {}));
        if (age >= 1) {
            callbacks.addMethod(
                    method(service, "PreCloudInitIso"),
                    answering("PreCloudInitIso", HookCalls::preCloudInitIso, () -> {}));
        }
        if (age >= 2) {
            callbacks.addMethod(method(service, "Shutdown"), answering("Shutdown", request -> new byte[0], shutdown));
        }
        return callbacks.build();
    }

    private static byte[] info() {
        ProtobufMessage.Builder info = new ProtobufMessage.Builder().text(1, "ovs-dpdk");
        // Each with priority 0, which is what is not written
        HOOK_POINTS.forEach(point ->
                info.bytes(3, new ProtobufMessage.Builder().text(1, point).build()));
        VERSIONS.forEach(version -> info.text(4, version));
        return info.build();
    }

    /**
     * KubeVirt's file is there from the beginning, and filled when the pod's networks are: maybe after this call. What it
     * says is worth some seconds, and not the VM. The thread is not blocked meanwhile: Shutdown must be heard.
     */
    private void defineWhenTold(ServerCall<byte[], byte[]> call, byte[] request) {
        if (call.isCancelled()) {
            return;
        }
        List<String> untold = untold(request);
        if (!untold.isEmpty() && patienceLasts(untold)) {
            thread.schedule(() -> defineWhenTold(call, request), LOOK, TimeUnit.NANOSECONDS);
            return;
        }
        if (!untold.isEmpty()) {
            log.warn(
                    DEFINE,
                    binding.networkInfo() + " says nothing of networks " + untold
                            + ": their MAC addresses and MTUs are those of the VMI");
        }
        respond(call, DEFINE, this::onDefineDomain, request);
    }

    /** None of a request that {@link #onDefineDomain} refuses. */
    private List<String> untold(byte[] request) {
        try {
            return binding.untold(ProtobufMessage.bytes(request, 2));
        } catch (IllegalArgumentException e) {
            return List.of();
        }
    }

    private boolean patienceLasts(List<String> untold) {
        if (waitsUntil.isEmpty()) {
            log.info(
                    DEFINE,
                    "waits up to " + patience.toSeconds() + " s for " + binding.networkInfo() + " to tell of networks "
                            + untold);
            waitsUntil = OptionalLong.of(System.nanoTime() + patience.toNanos());
        }
        return System.nanoTime() - waitsUntil.getAsLong() < 0;
    }

    private byte[] onDefineDomain(byte[] request) throws RefusedException {
        byte[] domain = binding.define(ProtobufMessage.bytes(request, 2), ProtobufMessage.bytes(request, 1));
        return new ProtobufMessage.Builder().bytes(1, domain).build();
    }

    /** Hands back what came: the data's older form in field 1, the newer one in field 3. */
    private static byte[] preCloudInitIso(byte[] request) {
        return new ProtobufMessage.Builder()
                .bytes(1, ProtobufMessage.bytes(request, 1))
                .bytes(3, ProtobufMessage.bytes(request, 3))
                .build();
    }

    private static MethodDescriptor<byte[], byte[]> method(String service, String name) {
        return MethodDescriptor.<byte[], byte[]>newBuilder(AS_IT_IS, AS_IT_IS)
                .setType(MethodDescriptor.MethodType.UNARY)
                .setFullMethodName(MethodDescriptor.generateFullMethodName(service, name))
                .build();
    }

    private ServerCallHandler<byte[], byte[]> answering(String name, Answer answer, Runnable afterwards) {
        return calling((call, request) -> respond(call, name, answer, request), afterwards);
    }

    private static ServerCallHandler<byte[], byte[]> calling(Respond respond, Runnable afterwards) {
        return (call, headers) -> {
            // One more than there may be, so that a second message is noticed
            call.request(2);
            return new ServerCall.Listener<>() {
                private byte[] request;

                @Override
                public void onMessage(byte[] message) {
                    request = message;
                }

                @Override
                public void onHalfClose() {
                    respond.to(call, request == null ? new byte[0] : request);
                }

                @Override
                public void onComplete() {
                    afterwards.run();
                }

                /** The caller gave up, or died, before it had the answer. What it asked for is done all the same. */
                @Override
                public void onCancel() {
                    afterwards.run();
                }
            };
        };
    }

    private void respond(ServerCall<byte[], byte[]> call, String name, Answer answer, byte[] request) {
        byte[] response;
        try {
            response = answer.to(request);
        } catch (RefusedException | IllegalArgumentException e) {
            log.warn(name, e.getMessage());
            call.close(Status.INVALID_ARGUMENT.withDescription(e.getMessage()), new Metadata());
            return;
        } catch (RuntimeException e) {
            log.bug(name, e);
            call.close(Status.INTERNAL.withDescription("a bug of ovs-dpdk-binding: " + e), new Metadata());
            return;
        }
        log.info(name, response.length + " bytes");
        call.sendHeaders(new Metadata());
        call.sendMessage(response);
        call.close(Status.OK, new Metadata());
    }
}
