package io.ovsdpdk.kubevirt;

/** The virtio network devices that libvirt knows. */
enum VirtioModel {
    VIRTIO("virtio"),
    TRANSITIONAL("virtio-transitional"),
    NON_TRANSITIONAL("virtio-non-transitional");

    private final String text;

    VirtioModel(String text) {
        this.text = text;
    }

    /** As libvirt writes it. */
    String text() {
        return text;
    }

    /**
     * @param model of the VMI's interface, empty where it says none
     * @param usual what KubeVirt makes of {@code virtio} for this VM
     * @throws RefusedException for what is not virtio: only that can be a vhost-user interface
     */
    static VirtioModel of(String model, VirtioModel usual) throws RefusedException {
        if (model.isEmpty() || model.equals(VIRTIO.text)) {
            return usual;
        }
        for (VirtioModel known : values()) {
            if (known.text.equals(model)) {
                return known;
            }
        }
        throw new RefusedException(
                "model " + Quoted.of(model) + " can't be a vhost-user interface: take virtio, or leave it out");
    }
}
