/**
 * The KubeVirt network binding plugin: VMI and domain XML in, domain XML out. As a hook sidecar beside the VM ({@link
 * io.ovsdpdk.kubevirt.HookServer}), or as a command ({@link io.ovsdpdk.kubevirt.BindingCommand}).
 */
package io.ovsdpdk.kubevirt;
