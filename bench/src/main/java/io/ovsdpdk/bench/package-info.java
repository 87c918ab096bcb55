/**
 * Measurements, side by side in one run with what a user would use instead. Nothing here is a test: the figures are for
 * people, and for the documents.
 */
package io.ovsdpdk.bench;
