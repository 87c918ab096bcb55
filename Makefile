# The one entry point. `make help` lists what there is.
#
# Needs: Debian 12 or later, root (a real OVS-DPDK is started, folders are mounted), a JDK 25. Everything else is
# installed by the targets that need it, once.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Open vSwitch with DPDK (librte-mempool-ring is only recommended by it: without it a port connects and passes nothing),
# the IPAM plugins that the tests delegate to, the container runtime that calls the plugin in tests and what it runs, what
# the tests start processes with, libvirt's schema, and Maven.
PACKAGES := openvswitch-switch-dpdk librte-mempool-ring23 containernetworking-plugins containerd runc busybox-static \
	iproute2 util-linux libvirt-clients libvirt0 libxml2-utils faketime maven

# What runs VMs, and what their system is made of.
VM_PACKAGES := qemu-system-x86 libvirt-daemon libvirt-daemon-driver-qemu libvirt-clients busybox-static cpio

# The native binary is linked with musl; the rest unpacks and compiles the builder (toolchain/README.md).
NATIVE_PACKAGES := binutils file gcc libc6-dev make musl-tools xz-utils maven

# What make native makes, and demo, test and bench use.
EXECUTABLE := $(CURDIR)/cni-plugin/target/ovs-dpdk
BINDING := $(CURDIR)/kubevirt-binding/target/ovs-dpdk-binding

# What the image builds upon: an image of a registry that has glibc, tar:FILE, or this Debian's C library, and what else
# the JDK needs.
IMAGE_BASE := debian

# The images' names and tags, as a cluster pulls them, or has them on each node: without a registry's name it would look for
# them at the usual one.
IMAGE := localhost/ovs-dpdk-cni/agent:latest
BINDING_IMAGE := localhost/ovs-dpdk-cni/binding:latest

# How the native binary is optimized: s for size, 2 for speed, b to be built sooner.
NATIVE_OPT := s

# A JDK 25, wherever it is: JAVA_HOME when it is one, else the first one of the usual folders.
JDK := $(shell for home in "$$JAVA_HOME" /usr/lib/jvm/* /opt/*jdk* /opt/java/*; do \
	[ -x "$$home/bin/javac" ] && grep -qs '^JAVA_VERSION="25' "$$home/release" && { echo "$$home"; break; }; done)
JAVA := $(JDK)/bin/java

# Maven itself must run on the JDK 25 too; the flags silence what its own libraries do to that JDK.
export JAVA_HOME := $(JDK)
export MAVEN_OPTS := --enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow $(MAVEN_OPTS)
MVN := mvn --batch-mode -Dstyle.color=never --no-transfer-progress $(MVN_FLAGS)

.PHONY: help
help: ## lists the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: root native-plugin package ## two attachments on a private OVS-DPDK, frames between them, step by step
	@OVS_DPDK_PLUGIN=$(EXECUTABLE) $(JAVA) -jar e2e/target/e2e-*.jar

.PHONY: demo-kubevirt
demo-kubevirt: root native vm-packages package ## two VMs by QEMU and libvirt that ping each other, as stock KubeVirt would run them
	@OVS_DPDK_PLUGIN=$(EXECUTABLE) OVS_DPDK_BINDING=$(BINDING) \
	  $(JAVA) -cp "$$(echo e2e/target/e2e-*.jar):e2e/target/lib/*" io.ovsdpdk.e2e.KubeVirtDemo

.PHONY: test
test: root native packages vm-packages ## everything: formatting, warnings, unit tests, the whole system on a real OVS-DPDK
	$(MVN) verify -Dplugin.executable=$(EXECUTABLE) -Dbinding.executable=$(BINDING)

.PHONY: check
check: jdk packages root ## the developer's loop, under 3 minutes: test without what takes long and without make native
	$(MVN) --quiet verify -DexcludedTestGroups=long
	@echo "check: all green"

.PHONY: crash
crash: root native packages ## kills the agent 300 times, at any moment of its work under load: some 10 minutes
	$(MVN) verify -pl e2e -am -Dtest=CrashTest -Dsurefire.failIfNoSpecifiedTests=false -Dcrash.kills=300 \
	  -Dplugin.executable=$(EXECUTABLE) -Dbinding.executable=$(BINDING) $(CRASH_OPTIONS)

# How long make soak takes.
MINUTES := 30

.PHONY: soak
soak: jdk packages root ## mixed load with faults for MINUTES=30; memory, threads, descriptors, mounts and files must be flat
	$(MVN) verify -pl e2e -am -Dtest=SoakTest -Dsurefire.failIfNoSpecifiedTests=false -Dsoak.minutes=$(MINUTES)

.PHONY: test-apiserver
test-apiserver: jdk ## the agent's part in a cluster on a real kube-apiserver, which is built first: once, some 5 minutes
	@$(call install,openssl util-linux maven)
	@home=$$(toolchain/kube-apiserver) && $(MVN) verify -pl node-agent -am \
	  -Dtest='KubeApiServer*IT' -Dsurefire.failIfNoSpecifiedTests=false -Dkube-apiserver=$$home

.PHONY: build
build: package ## the jars, without tests
	@ls -l node-agent/target/*.jar cni-plugin/target/*.jar kubevirt-binding/target/*.jar

.PHONY: native
native: native-plugin native-binding ## the plugin and KubeVirt's binding, each as one static executable

.PHONY: native-plugin
native-plugin: jdk native-packages
	@$(MVN) --quiet package -DskipTests -pl cni-plugin -am
	@toolchain/native-executable cni-plugin $(NATIVE_OPT)

.PHONY: native-binding
native-binding: jdk native-packages
	@$(MVN) --quiet package -DskipTests -pl kubevirt-binding -am
	@toolchain/native-executable kubevirt-binding $(NATIVE_OPT)

.PHONY: images
images: root native package ## the container images: daemonset/image/target/agent.tar and binding.tar
	@$(JAVA) --sun-misc-unsafe-memory-access=allow -Dslf4j.internal.verbosity=ERROR \
	  -jar daemonset/image/target/image-*.jar --base "$(IMAGE_BASE)" --name "$(IMAGE)" \
	  --agent node-agent/target --plugin $(EXECUTABLE) \
	  --binding $(BINDING) --binding-name "$(BINDING_IMAGE)" --binding-tar daemonset/image/target/binding.tar \
	  --work daemonset/image/target/work --tar daemonset/image/target/agent.tar $(IMAGE_OPTIONS)

.PHONY: image-figures
image-figures: IMAGE_OPTIONS := --figures
image-figures: images ## likewise, and measures starts of the agent in it, for docs/installation.md

.PHONY: native-figures
native-figures: root native package ## measures the native binary and its builder, for docs/native.md: some minutes
	@$(call install,hyperfine time)
	@toolchain/measure

.PHONY: bench
bench: root native package ## the native binary beside ovs-vsctl and the bare transaction; the sidecar of a VM
	@$(call install,time)
	@$(EXECUTABLE) install --to bench/target
	@OVS_DPDK_PLUGIN=$(CURDIR)/bench/target/ovs-dpdk OVS_DPDK_BINDING=$(BINDING) $(JAVA) -jar bench/target/bench-*.jar

.PHONY: fmt
fmt: jdk packages ## formats the code
	$(MVN) --quiet spotless:apply

.PHONY: clean
clean: jdk packages ## removes what was built
	$(MVN) --quiet clean

.PHONY: package
package: jdk packages
	@echo "building (the first time downloads the libraries) ..."
	@$(MVN) --quiet package -DskipTests

.PHONY: jdk
jdk:
ifeq ($(JDK),)
	@echo "No JDK 25 found. Install one (Eclipse Temurin: package temurin-25-jdk from Adoptium's repository;" >&2
	@echo "Debian 13 and later: package openjdk-25-jdk-headless where it is there), or set JAVA_HOME to one." >&2
	@exit 1
endif

.PHONY: packages
packages:
	@$(call install,$(PACKAGES))
	@command -v kubectl >/dev/null || { $(call install,kubernetes-client); }

.PHONY: vm-packages
vm-packages:
	@$(call install,$(VM_PACKAGES))

.PHONY: native-packages
native-packages:
	@$(call install,$(NATIVE_PACKAGES))

# Those of the packages that are missing.
define install
missing=; for package in $(1); do \
  dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q ' installed$$' || missing+=" $$package"; done; \
[ -z "$$missing" ] && exit 0; \
command -v apt-get >/dev/null || { echo "Please install the equivalents of:$$missing" >&2; exit 1; }; \
echo "installing$$missing ..."; \
log=$$(mktemp); \
{ apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $$missing; } \
  >$$log 2>&1 || { cat $$log >&2; rm -f $$log; exit 1; }; rm -f $$log
endef

.PHONY: root
root:
	@[ "$$(id -u)" = 0 ] || { echo "Run this as root: it starts Open vSwitch with DPDK and mounts folders." >&2; exit 1; }
