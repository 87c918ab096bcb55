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
import java.util.ArrayList;
import java.util.List;

/**
 * What virt-launcher calls: {@code kubevirt.hooks.info.Info} and, in three versions, {@code kubevirt.hooks.*.Callbacks}.
 * Messages are bytes here: {@link ProtobufMessage}.
 */
final class HookCalls {
    private static final String INFO = "kubevirt.hooks.info.Info";

    /** Newest last; virt-launcher takes the newest that it knows. */
    private static final List<String> VERSIONS = List.of("v1alpha1", "v1alpha2", "v1alpha3");

    /**
     * What we are called for. Not for PreCloudInitIso, although we answer it: virt-launcher calls only the first sidecar
     * that wants to be, and ours would take another one's place.
     */
    private static final List<String> HOOK_POINTS = List.of("OnDefineDomain", "Shutdown");

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

    private final Binding binding;
    private final Log log;
    private final Runnable shutdown;

    /** @param shutdown run after the call Shutdown was answered or given up, maybe more than once */
    HookCalls(Binding binding, Log log, Runnable shutdown) {
        this.binding = binding;
        this.log = log;
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
        callbacks.addMethod(
                method(service, "OnDefineDomain"), answering("OnDefineDomain", this::onDefineDomain, () -> {}));
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
                    respond(call, name, answer, request);
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
            response = answer.to(request == null ? new byte[0] : request);
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
