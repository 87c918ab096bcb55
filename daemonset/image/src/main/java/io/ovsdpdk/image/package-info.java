/** Builds the container image that the DaemonSet runs, without a Docker daemon and, where need be, without a registry. */
package io.ovsdpdk.image;
