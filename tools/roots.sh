# Sourced after own_apt.sh: minimal roots of Debian suites, and mounts that end with the command that needs them.

# Makes a minimal root with mmdebstrap or debootstrap, or with debootstrap unpacked in .vkgpt/ where the system has neither.
# The mirror is one that the system's apt knows, or the tool's own default. Runs as root; mounts nothing that stays.
make_minimal_root() {  # suite folder [option...]
  local suite=$1 folder=$2 mirror='' tool codename keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  local options=(--variant=minbase "${@:3}")
  tool=$(command -v mmdebstrap || command -v debootstrap || true)
  if command -v apt-get >/dev/null; then
    own_update
    for codename in "$suite" trixie bookworm bullseye; do
      mirror=$(mirror_of "$codename")
      [ -z "$mirror" ] || break
    done
    if [ -z "$tool" ]; then
      tool=$PWD/.vkgpt/debootstrap/usr/sbin/debootstrap
      [ -x "$tool" ] || own_unpack .vkgpt/debootstrap debootstrap
      export DEBOOTSTRAP_DIR=$PWD/.vkgpt/debootstrap/usr/share/debootstrap
    fi
    if [ ! -e "$keyring" ]; then
      own_unpack .vkgpt/keyring debian-archive-keyring
      keyring=$PWD/.vkgpt/keyring$keyring
    fi
    command -v wget >/dev/null || make_wget
  fi
  [ -n "$tool" ] || { echo "install debootstrap or mmdebstrap first" >&2; return 1; }
  [ ! -e "$keyring" ] || options+=("--keyring=$keyring")
  find_private_mounts || return 1
  DEBIAN_FRONTEND=noninteractive "${private_mounts[@]}" "$tool" "${options[@]}" "$suite" "$folder" ${mirror:+"$mirror"}
}

# debootstrap calls wget; apt's own downloader does as well, and knows the system's proxies.
make_wget() {
  mkdir -p .vkgpt/bin
  cat >.vkgpt/bin/wget <<'WGET'
#!/bin/sh
for url; do :; done
while [ "$1" != -O ]; do shift; done
exec /usr/lib/apt/apt-helper -qq -o APT::Sandbox::User= download-file "$url" "$2" </dev/null
WGET
  chmod +x .vkgpt/bin/wget
  export PATH=$PWD/.vkgpt/bin:$PATH
}

# Sets private_mounts, the words before a command that run it, as root, in a mount namespace of its own.
find_private_mounts() {
  private_mounts=(unshare --mount)
  ! "${private_mounts[@]}" true 2>/dev/null || return 0
  if mounts_leak; then
    echo "nothing can be mounted here, or it would show outside: in a chroot make its folder a mount point first" \
      "(mount --bind DIR DIR); in a container see tools/Containerfile" >&2
    return 1
  fi
  private_mounts+=(--propagation unchanged)
}
# In a plain chroot "/" is no mount point and cannot be made private: tries whether a mount is seen from outside.
mounts_leak() {
  local probe answer=
  probe=$(mktemp -d)
  coproc child {
    unshare --mount --propagation unchanged \
      sh -c 'mount -t tmpfs none "$1" && : >"$1/seen" && echo up && read -r _' sh "$probe" 2>&1
  }
  local in=${child[1]} out=${child[0]} process=$child_PID
  read -r answer <&"$out"
  [ ! -e "$probe/seen" ] || { umount "$probe"; answer=seen; }
  echo >&"$in"
  wait "$process" || true
  rmdir "$probe"
  [ "$answer" != up ]
}
