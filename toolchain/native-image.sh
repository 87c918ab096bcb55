#!/bin/sh
# Starts the driver of the home that this lies in; small and quick, for the builder is another process.
home=$(dirname "$(dirname "$(readlink -f "$0")")")
exec "$home/bin/java" -Xshare:auto -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xmx256m \
  -cp "$home/lib/svm/driver" NativeImage "$@"
