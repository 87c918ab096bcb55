#!/usr/bin/env bash
# Assembles the home of a native-image builder for static musl images: the builder's jars from Maven Central, a JDK 25, and
# the native code that they link with, compiled here of Debian's sources and of c/. native-image-home calls it.
#
# usage: JAVA_HOME=<JDK 25> assemble.sh <work folder> <home>
set -euo pipefail
source "$(dirname "$(readlink -f "$0")")/common.sh"
source "$toolchain/debian.sh"
source "$toolchain/zlib.sh"

# The JDK that the builder is known to go with. For the source of another version Debian's signed index alone vouches.
readonly PINNED_VERSION=25.0.3+9
readonly PINNED_SHA256=2dd6c441b49705480db1ebfcd03f43d5dcb7f1d4290e98c1fa6eeefae50cfa07

work=$1 home=$2
jdk_choice=${OVS_DPDK_TOOLCHAIN_JDK:-pinned}
builder=$home/lib/svm/builder
c_libraries=$home/lib/svm/clibraries/linux-amd64
static_libraries=$home/lib/static/linux-amd64/musl

main() {
  mkdir -p "$work"
  step "Debian's package lists"
  debian_open "$work/apt" deb-src
  step "sources of OpenJDK and zlib"
  zlib_source "$work/zlib.tar"
  installed_version=$(from_release "$JAVA_HOME" JAVA_RUNTIME_VERSION)
  installed_version=${installed_version%%-*}
  # shellcheck disable=SC2046 # one word each
  debian_version=$(debian_source openjdk-25 "$work/openjdk.tar" $(preferred_versions))
  version=${debian_version%-*}
  if [ "$version" = "$PINNED_VERSION" ]; then
    sha256sum --check --quiet <<<"$PINNED_SHA256  $work/openjdk.tar"
  fi
  if [ "$version" = "$installed_version" ] && [ "$jdk_choice" = pinned ]; then
    step "JDK $version of $JAVA_HOME"
    link_jdk
  else
    step "JDK $version of Debian, as its source is; $JAVA_HOME has $installed_version"
    unpack_jdk
  fi
  step "builder jars"
  copy_builder
  step "zlib for musl"
  zlib_library "$work/zlib.tar" "$work/zlib" "$static_libraries" "$work/headers"
  # The kernel's headers, which musl's compiler lacks too
  ln -s /usr/include/linux /usr/include/asm-generic /usr/include/x86_64-linux-gnu/asm "$work/headers/"
  step "the JDK's native code for musl"
  bash "$toolchain/jdk-static-libs.sh" "$work/openjdk.tar" "$home" "$work/headers" "$work/jdk" "$static_libraries"
  step "our C helpers"
  compile_helpers
  step "the command native-image"
  install_driver
  "$home/bin/native-image" --version
}

# The versions of the source, the best first: the pinned one, that of the JDK at hand, the others from the highest on. The
# builder runs in a JDK of the source's version: images take its classes, and the native code that belongs to them.
preferred_versions() {
  local versions
  versions=$(debian_versions openjdk-25)
  {
    if [ "$jdk_choice" = pinned ]; then
      grep -F "$PINNED_VERSION-" <<<"$versions" || true
      grep -F "$installed_version-" <<<"$versions" || true
    fi
    echo "$versions"
  } | awk '!seen[$0]++'
}

# A home of links to the JDK at hand. The files by which a JDK finds out where it is are copies; where some JDKs have what
# is made here, there are no links to write through.
link_jdk() {
  local file
  mkdir -p "$home/bin" "$home/lib/server"
  ln -s "$JAVA_HOME"/bin/* "$home/bin/"
  ln -s "$JAVA_HOME"/lib/server/* "$home/lib/server/"
  for file in "$JAVA_HOME"/lib/*; do
    case $(basename "$file") in
      server | static | svm) ;;
      *) ln -s "$file" "$home/lib/" ;;
    esac
  done
  for file in bin/java lib/libjli.so lib/libjava.so lib/libjimage.so lib/server/libjvm.so; do
    cp --remove-destination "$JAVA_HOME/$file" "$home/$file"
  done
  ln -s "$JAVA_HOME/conf" "$JAVA_HOME/include" "$home/"
  cp "$JAVA_HOME/release" "$home/"
}

# Debian's packages of the JDK, unpacked and not installed. Their configuration is in /etc, to which they have links.
unpack_jdk() {
  local root=$work/debian link
  debian_open "$work/apt" deb-src deb
  debian_unpack "$root" "openjdk-25-jdk-headless=$debian_version" "openjdk-25-jre-headless=$debian_version"
  mv "$root/usr/lib/jvm/java-25-openjdk-amd64" "$home"
  find "$home" -lname '/*' | while read -r link; do
    [ ! -e "$root$(readlink "$link")" ] || cp -r --remove-destination "$root$(readlink "$link")" "$link"
  done
  if ! "$home/bin/java" --version >/dev/null 2>&1; then
    step "C library of Debian's $SUITE, which is newer than this machine's, for that JDK"
    unpack_c_library "$root"
  fi
}

# A JDK of a later Debian needs its C library too. The loader is told where that is, rather than the environment, which
# the compiler and the linker inherit that the builder starts. It also keeps Java from starting them by jspawnhelper,
# which would need the same.
unpack_c_library() {
  local root=$1
  debian_unpack "$root" libc6 libgcc-s1 libstdc++6 zlib1g
  mkdir "$home/lib/debian"
  cp -L "$root"/usr/lib/x86_64-linux-gnu/*.so.* "$home/lib/debian/"
  mv "$home/bin/java" "$home/bin/java.elf"
  cat >"$home/bin/java" <<'END'
#!/bin/sh
home=$(dirname "$(dirname "$(readlink -f "$0")")")
exec "$home/lib/debian/ld-linux-x86-64.so.2" --library-path "$home/lib/debian" "$home/bin/java.elf" \
  -Djdk.lang.Process.launchMechanism=FORK "$@"
END
  chmod +x "$home/bin/java"
  "$home/bin/java" --version >/dev/null
}

copy_builder() {
  mkdir -p "$builder/lib" "$builder/patch"
  # Maven 3's own libraries make Java 25 complain
  export MAVEN_OPTS=${MAVEN_OPTS:---enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow}
  # shellcheck disable=SC2086 # several flags
  mvn --batch-mode --quiet --strict-checksums ${MVN_FLAGS:-} --file "$toolchain/builder-jars.xml" \
    dependency:copy-dependencies -DoutputDirectory="$builder" >"$work/maven.log" ||
    { cat "$work/maven.log" && fail "the builder's jars could not be downloaded"; }
  (cd "$builder" && sha256sum --check --quiet "$toolchain/builder-jars.sha256")
}

# The libraries that the builder links every image with, of which a GraalVM distribution has its own.
compile_helpers() {
  local folder=$work/helpers source
  mkdir -p "$folder" "$c_libraries/include" "$c_libraries/musl"
  "$home/bin/java" "$toolchain/generators/CpuFeatureHeaders.java" "$builder"/svm-[0-9]*.jar "$c_libraries/include"
  cp "$toolchain/c/svm_locale.h" "$c_libraries/include/"
  for source in chelper container jvm; do
    compile_helper x86_64-linux-musl-gcc -c "$toolchain/c/$source.c" -o "$folder/$source.o"
  done
  unavailable "$folder/jvm.o" >"$folder/unavailable.c"
  compile_helper x86_64-linux-musl-gcc -c "$folder/unavailable.c" -o "$folder/unavailable.o"
  ar rcsD "$c_libraries/musl/liblibchelper.a" "$folder/chelper.o"
  ar rcsD "$c_libraries/musl/libsvm_container.a" "$folder/container.o"
  ar rcsD "$c_libraries/musl/libjvm.a" "$folder/jvm.o" "$folder/unavailable.o"
  compile_helper gcc -shared "$toolchain/c/reporter.c" -o "$builder/lib/libreporterchelper.so"
}

compile_helper() {
  "$@" -O2 -fPIC -Wall -Wextra -Werror -ffunction-sections -fdata-sections \
    -I"$home/include" -I"$home/include/linux" -I"$c_libraries/include"
}

# Functions of the virtual machine that the JDK's native code calls and c/jvm.c does not have. An image has no virtual
# machine: each aborts with its name.
unavailable() {
  echo 'void unavailable(const char *function);'
  comm -23 \
    <(nm --undefined-only "$static_libraries"/*.a | awk '$2 ~ /^JVM_/ { print $2 }' | sort -u) \
    <(nm --defined-only "$1" | awk '$2 == "T" { print $3 }' | sort -u) |
    sed 's/.*/void &(void) { unavailable("&"); }/'
}

install_driver() {
  "$home/bin/java" "$toolchain/generators/ModuleExports.java" "$builder" >"$builder/exports.args"
  "$home/bin/java" "$toolchain/generators/ReferencePatch.java" "$builder"/svm-[0-9]*.jar "$builder/patch"
  "$home/bin/java" --module jdk.compiler/com.sun.tools.javac.Main -Xlint:all -Werror \
    -d "$home/lib/svm/driver" "$toolchain"/driver/*.java
  install --mode=755 "$toolchain/native-image.sh" "$home/bin/native-image"
}

main
