# Debian's archives, read with a state of our own: that needs neither root nor anything of the machine's package lists
# but where the archives are, and can look at a later Debian than the machine's. apt checks all signatures. Sourced.

readonly SUITE=${SUITE:-trixie}
readonly KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# Opens them in a folder, for sources ("deb-src"), or packages too ("deb-src deb"): debian_open <folder> <type>...
debian_open() {
  local folder=$1 type
  shift
  mkdir -p "$folder"/lists/partial "$folder"/cache/archives/partial
  touch "$folder/status"
  for type in "$@"; do
    debian_archives | sort -u | while read -r suite archive; do
      echo "$type [signed-by=$KEYRING] $archive $suite main"
    done
  done >"$folder/sources.list"
  [ -s "$folder/sources.list" ] ||
    fail "apt knows no archive of Debian: is there one in /etc/apt, and was apt-get update run?"
  cat >"$folder/apt.conf" <<END
Dir::State "$folder";
Dir::State::Lists "$folder/lists";
Dir::State::status "$folder/status";
Dir::Cache "$folder/cache";
Dir::Etc::sourcelist "$folder/sources.list";
Dir::Etc::sourceparts "-";
APT::Sandbox::User "root";
END
  export APT_CONFIG=$folder/apt.conf
  apt-get --quiet=2 --error-on=any update
}

# The archives that the machine is configured for, as "<suite> <address>".
debian_archives() {
  env -u APT_CONFIG apt-get indextargets --format "$SUITE \$(REPO_URI)" 'Created-By: Packages' 'Label: Debian'
  env -u APT_CONFIG apt-get indextargets --format "$SUITE-security \$(REPO_URI)" \
    'Created-By: Packages' 'Label: Debian-Security'
} 2>/dev/null

# The versions that there are of a source package, the highest first.
debian_versions() {
  apt-cache showsrc --only-source "$1" | sed -n 's/^Version: //p' | sort --version-sort --reverse --unique
}

# Downloads the upstream archive of the first of these versions that is to be had, and says which that is:
# debian_source <package> <file> <version>...
# Not every archive has all that its index lists. Debian's own changes are not needed, so they are not asked for. The
# checksum is that of the signed index.
debian_source() {
  local package=$1 to=$2 version uri sum log
  shift 2
  for version in "$@"; do
    read -r uri sum < <(debian_upstream "$package" "$version") || continue
    if log=$(/usr/lib/apt/apt-helper download-file "$uri" "$to" "$sum" 2>&1); then
      echo "$version"
      return
    fi
    step "not to be had: source of $package $version"
  done
  fail "no source of $package could be downloaded: ${log:-apt knows of none}"
}

# Where the upstream archive of a version is, and its checksum.
debian_upstream() {
  local uri file _ sum
  apt-get --quiet=2 source --download-only --print-uris "$1=$2" | while read -r uri file _ sum; do
    if [[ $file =~ ^$1_[^_]*\.orig\.tar\.[a-z]+$ ]]; then
      echo "${uri//\'/} $sum"
    fi
  done
}

# Unpacks packages, without installing them: debian_unpack <folder> <package>...
debian_unpack() {
  local folder=$1 file
  shift
  mkdir -p "$folder/packages"
  (cd "$folder/packages" && apt-get --quiet=2 download "$@")
  for file in "$folder"/packages/*.deb; do
    dpkg-deb --extract "$file" "$folder"
  done
  rm -r "$folder/packages"
}
