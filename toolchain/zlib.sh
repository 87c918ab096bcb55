# zlib as a static library for musl, which neither Debian nor a GraalVM distribution has, and the JDK's native code needs.
# Sourced, with debian.sh.

# Downloads it: zlib_source <file>
zlib_source() {
  # shellcheck disable=SC2046 # one word each
  debian_source zlib "$1" $(debian_versions zlib) >/dev/null
}

# Compiles it: zlib_library <source archive> <work folder> <folder for the library> <folder for the headers>
zlib_library() {
  local archive=$1 work=$2 library=$3 headers=$4
  mkdir -p "$work" "$library" "$headers"
  tar --extract --file "$archive" --directory "$work" --strip-components=1
  (cd "$work" && CC=x86_64-linux-musl-gcc CFLAGS="-O3 -fPIC" ./configure --static && make libz.a) >"$work.log" 2>&1 ||
    { cat "$work.log" && fail "zlib does not compile"; }
  cp "$work/libz.a" "$library/"
  cp "$work/zlib.h" "$work/zconf.h" "$headers/"
}
