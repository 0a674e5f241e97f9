#!/usr/bin/env bash
# Installs what vkgpt needs on Debian 12 or 13: `tools/install_deps.sh [build|test|fuzz]`.
#   build  compiler, libraries, Vulkan loader, Mesa's CPU driver (default)
#   test   the same, plus GoogleTest, the validation layers and clang-format
#   fuzz   what build needs, plus clang and libFuzzer
# On Debian 12 the trixie suites are added at pin priority 100: nothing already installed is upgraded by
# them unless one of the packages below needs it. The mirror is the one this system already uses.
set -euo pipefail

what=${1:-build}
packages=(g++ cmake ninja-build pkg-config ca-certificates curl
          glslang-dev glslang-tools spirv-tools libvulkan-dev libvulkan-volk-dev libvulkan-memory-allocator-dev
          nlohmann-json3-dev libyaml-cpp-dev zlib1g-dev libpcre2-dev libutf8proc-dev)
[ "$what" = test ] && packages+=(libgtest-dev libgmock-dev vulkan-validationlayers clang-format)
[ "$what" = fuzz ] && packages+=(clang-19 libclang-rt-19-dev)
mesa=(mesa-vulkan-drivers mesa-libgallium libgbm1)
export DEBIAN_FRONTEND=noninteractive

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "install_deps: run as root or install sudo" >&2; exit 1; }
  as_root=(sudo --preserve-env=DEBIAN_FRONTEND)
fi
command -v apt-get >/dev/null || { echo "install_deps: this script knows Debian 12 and 13 only; see README.md for the list of packages" >&2; exit 1; }

# A package counts as present only in the version this build needs (Debian 12 has older ones).
at_least() { dpkg --compare-versions "$(dpkg-query -W -f '${db:Status-Status} ${Version}' "$1" 2>/dev/null | sed -n 's/^installed //p')" ge "$2"; }
all_present() {
  local p
  for p in "${packages[@]}" mesa-vulkan-drivers; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || return 1
  done
  at_least g++ 4:14 && at_least glslang-dev 15 && at_least glslang-tools 15 && at_least libvulkan-dev 1.4 && at_least mesa-vulkan-drivers 25
}
all_present && exit 0

. /etc/os-release
if [ "${ID:-}" != debian ]; then
  echo "install_deps: tested on Debian 12 and 13; trying on ${PRETTY_NAME:-this system}" >&2
fi

# What the system itself reads, without our own file; /etc/os-release may already say trixie after a first run.
"${as_root[@]}" rm -f /etc/apt/sources.list.d/vkgpt.sources
mirror_of() { apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $1" 2>/dev/null | head -n 1; }
find_mirror() {
  suites=trixie-backports
  mirror=$(mirror_of trixie)
  [ -n "$mirror" ] && return
  suites="trixie trixie-backports"
  mirror=$(mirror_of bookworm)
}
find_mirror
if [ -z "$mirror" ]; then
  "${as_root[@]}" apt-get update -qq
  find_mirror
fi
[ -n "$mirror" ] || { echo "install_deps: apt has no mirror of Debian 12 or 13 configured" >&2; exit 1; }
"${as_root[@]}" tee /etc/apt/sources.list.d/vkgpt.sources >/dev/null <<SOURCES
Types: deb
URIs: $mirror
Suites: $suites
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
SOURCES
if [ "$suites" != trixie-backports ]; then
  printf 'Package: *\nPin: release n=trixie*\nPin-Priority: 100\n' |
    "${as_root[@]}" tee /etc/apt/preferences.d/vkgpt >/dev/null
fi

"${as_root[@]}" apt-get update -qq || echo "install_deps: apt-get update had errors; going on" >&2
install=("${as_root[@]}" apt-get install -y -qq --no-install-recommends)
"${install[@]}" -t trixie "${packages[@]}" >/dev/null
backports=("${mesa[@]/%//trixie-backports}")
# Backports' Mesa has cooperative matrices on the CPU driver; plain trixie's works without them.
"${install[@]}" -t trixie "${backports[@]}" >/dev/null || "${install[@]}" -t trixie "${mesa[@]}" >/dev/null
