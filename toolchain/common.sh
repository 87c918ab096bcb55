# What the scripts here share; sourced.

toolchain=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")

say() {
  echo "$@" >&2
}

fail() {
  say "$(basename "$0"): $*"
  exit 1
}

# Progress, with the seconds since the start.
step() {
  printf '  [%3d s] %s\n' "$SECONDS" "$*" >&2
}

# Where everything is kept that takes long to make: outside the tree, so that a fresh clone has it too.
cache_folder() {
  local folder=${OVS_DPDK_TOOLCHAIN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ovs-dpdk-cni}
  mkdir -p "$folder"
  readlink -f "$folder"
}

# The first 16 hexadecimal digits of SHA-256 over standard input: plenty for a name.
digest() {
  sha256sum | cut -c -16
}

# A key of the release file of a JDK, or of a GraalVM: from_release <home> <key>
from_release() {
  sed -n "s/^$2=\"\(.*\)\"$/\1/p" "$1/release"
}
