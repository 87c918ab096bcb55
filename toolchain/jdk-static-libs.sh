#!/usr/bin/env bash
# The JDK's native code as static libraries for musl, straight from its C sources, without its build system, which would
# take an hour and another JDK.
#
# usage: jdk-static-libs.sh <source archive> <JDK 25's home> <folder of headers> <work folder> <folder for the libraries>
#
# The JDK must be of the source's version: its class files give the headers that its own build generates. The folder of
# headers has what musl's compiler lacks, zlib's and the kernel's.
set -euo pipefail
source "$(dirname "$(readlink -f "$0")")/common.sh"

archive=$1 jdk=$2 headers=$3 work=$4 out=$5
sources=$work/src
base=$sources/java.base

# What native images link with, as module:library.
libraries=(
  java.base:java java.base:net java.base:nio java.base:zip
  java.prefs:prefs jdk.net:extnet java.management:management jdk.management:management_ext
)

main() {
  mkdir -p "$work/generated" "$out"
  unpack
  cp "$jdk/include/classfile_constants.h" "$work/generated/"
  "$jdk/bin/java" "$toolchain/generators/JniHeaders.java" "$sources" "$work/generated"
  common_flags >"$work/flags"
  local library
  for library in "${libraries[@]}"; do
    list "${library%%:*}" "${library##*:}"
  done >"$work/sources"
  export work
  export -f compile
  xargs --max-procs="$(nproc)" --max-args=3 bash -c 'compile "$@"' - <"$work/sources"
  for library in "${libraries[@]##*:}"; do
    ar rcsD "$out/lib$library.a" "$work/$library"/*.o
  done
}

unpack() {
  tar --extract --file "$archive" --directory "$work" --strip-components=1 --wildcards \
    '*/src/java.base/*/native/*' '*/src/java.prefs/unix/native/*' '*/src/jdk.net/linux/native/*' \
    '*/src/java.management/share/native/*' '*/src/jdk.management/*/native/*' \
    '*/src/hotspot/share/include/*' '*/src/hotspot/os/posix/include/*'
}

# As the JDK's own build has them for a static build, in the form of a response file of gcc. Its sources don't compile
# without warnings by every compiler: -w.
common_flags() {
  local version runtime feature interim update
  version=$(from_release "$jdk" JAVA_VERSION)
  runtime=$(from_release "$jdk" JAVA_RUNTIME_VERSION)
  IFS=. read -r feature interim update _ <<<"$version"
  cat <<END
-O3 -fPIC -std=c11 -w
-fvisibility=hidden -fno-strict-aliasing -fno-omit-frame-pointer -ffunction-sections -fdata-sections
-fmacro-prefix-map=$work/=
-DLIBC=musl -DLINUX -D_GNU_SOURCE -D_REENTRANT -D_FILE_OFFSET_BITS=64 -DNDEBUG -DSTATIC_BUILD=1
-Damd64 -DARCH=\\"amd64\\" -DARCHPROPNAME=\\"amd64\\" -D_LP64=1 -D_LITTLE_ENDIAN
-DVERSION_FEATURE=$feature -DVERSION_INTERIM=${interim:-0} -DVERSION_UPDATE=${update:-0} -DVERSION_PATCH=0
-DVERSION_EXTRA1=0 -DVERSION_EXTRA2=0 -DVERSION_EXTRA3=0 -DVERSION_BUILD=0 -DVERSION_OPT=\\"\\" -DVERSION_PRE=\\"\\"
-DVERSION_NUMBER=\\"$version\\" -DVERSION_STRING=\\"$runtime\\" -DVERSION_SHORT=\\"$version\\"
-DVERSION_SPECIFICATION=\\"$feature\\" -DVERSION_DATE=\\"$(from_release "$jdk" JAVA_VERSION_DATE)\\"
-DVERSION_CLASSFILE_MAJOR=$((feature + 44)) -DVERSION_CLASSFILE_MINOR=0
-DVENDOR_URL=\\"\\" -DVENDOR_URL_BUG=\\"\\" -DVENDOR_URL_VM_BUG=\\"\\" -DVENDOR_VERSION_STRING=\\"\\"
-I$work/generated -I$sources/hotspot/share/include -I$sources/hotspot/os/posix/include
-I$base/unix/native/include -I$base/share/native/include
-idirafter $headers
END
}

# The sources of a library, one a line as "<library> <source> <object>", and its flags in a file. Of two sources with
# one name that for the narrower platform counts, as in the JDK's own build.
list() {
  local module=$1 library=$2 platform source object
  local -A seen=()
  mkdir -p "$work/$library"
  {
    echo "-DLIBRARY_NAME=$library"
    [ "$library" != zip ] || echo "-DUSE_MMAP"
    for platform in linux unix share; do
      include_folders "$sources/$module/$platform/native/lib$library"
    done
    for platform in linux unix share; do
      include_folders "$base/$platform/native/"lib{java,net,nio}
    done
  } >"$work/$library/flags"
  for platform in linux unix share; do
    while read -r source; do
      object=$work/$library/$(basename "$source" .c).o
      if [ -z "${seen[$object]:-}" ]; then
        seen[$object]=$source
        echo "$library $source $object"
      fi
    done < <(c_files "$sources/$module/$platform/native/lib$library")
  done
}

include_folders() {
  local folder
  for folder in "$@"; do
    [ ! -d "$folder" ] || find "$folder" -type d -printf '-I%p\n' | sort
  done
}

c_files() {
  [ ! -d "$1" ] || find "$1" -name '*.c' | sort
}

compile() {
  x86_64-linux-musl-gcc @"$work/flags" @"$work/$1/flags" -c "$2" -o "$3" || {
    echo "not compiled: $2" >&2
    exit 255 # which stops xargs
  }
}

main
