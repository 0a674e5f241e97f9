#!/usr/bin/env bash
# Gets what vkgpt needs: `tools/install_deps.sh [--dry_run] [build|test|tidy|fuzz]`.
#   build  compiler, libraries, Vulkan loader, Mesa's CPU driver (default); without a GPU, unpacked in .vkgpt/mesa, a newer Mesa
#   test   the same and the newer Mesa in any case, plus GoogleTest, Open MPI, the validation layers, clang-format
#   tidy   what test needs but for the newer Mesa, plus clang-tidy and git
#   fuzz   what build needs, plus clang and libFuzzer
# Installed packages are never upgraded, replaced or removed, and no suite is added to apt's configuration. Where
# the system's own suites have everything, what is missing is installed; where they have not, a private Debian 13
# is made in .vkgpt/root and everything happens there. --dry_run prints the plan and changes nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

dry_run=
what=
for word in "$@"; do
  case $word in
    --dry_run | --dry-run) dry_run=yes ;;
    --help | -h) sed -n '2,/^set /s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) [ -z "$what" ] || { echo "install_deps: one set at a time, not $what and $word" >&2; exit 2; }; what=$word ;;
  esac
done
what=${what:-build}
if [ -n "$dry_run" ]; then
  own_apt_dir=$(mktemp -d)
  trap 'rm -rf "$own_apt_dir"' EXIT
fi
. tools/own_apt.sh
. tools/cpu_driver.sh
packages=(g++ cmake ninja-build pkg-config ca-certificates curl
          glslang-dev glslang-tools spirv-tools libvulkan-dev libvulkan-volk-dev libvulkan-memory-allocator-dev
          libboost1.83-dev nlohmann-json3-dev libyaml-cpp-dev zlib1g-dev libzstd-dev libpcre2-dev libutf8proc-dev mesa-vulkan-drivers)
case $what in
  build) ;;
  test) packages+=(libgtest-dev libgmock-dev vulkan-validationlayers clang-format libopenmpi-dev openmpi-bin) ;;
  tidy) packages+=(libgtest-dev libgmock-dev vulkan-validationlayers clang-format clang-tidy-19 git) ;;
  fuzz) packages+=(clang-19 libclang-rt-19-dev) ;;
  *) echo "install_deps: unknown set '$what': build, test, tidy or fuzz" >&2; exit 2 ;;
esac
declare -A least=([g++]=4:14 [cmake]=3.25 [glslang-dev]=15 [glslang-tools]=15 [libvulkan-dev]=1.4 [mesa-vulkan-drivers]=25)
root=.vkgpt/root
in_root=
if [ -e /etc/vkgpt-root ]; then
  in_root=yes
  [ -z "$(dpkg --audit)" ] || dpkg --configure -a  # an installation was interrupted
  case ${CMAKE_CXX_COMPILER_LAUNCHER:-} in *ccache) packages+=(ccache) ;; esac
  [ ! -d /proc/driver/nvidia ] || packages+=(libxext6 libegl1)  # what NVIDIA's driver asks for
fi
export DEBIAN_FRONTEND=noninteractive

missing=()   # packages that are not installed
obstacles=() # why this system cannot be what vkgpt is built on
installed() {  # package; prints its version
  dpkg-query -W -f '${db:Status-Status} ${Version}\n' "$1" 2>/dev/null | sed -n 's/^installed //p' | head -n 1 || true
}
judge() {  # package version
  [ -z "${least[$1]:-}" ] || dpkg --compare-versions "$2" ge "${least[$1]}" ||
    obstacles+=("$1 is $2, vkgpt needs ${least[$1]}")
}
look_at_system() {
  local package version
  for package in "${packages[@]}"; do
    version=$(installed "$package")
    if [ -n "$version" ]; then judge "$package" "$version"; else missing+=("$package"); fi
  done
}
# Asks apt what installing the missing packages would do; anything but additions is an obstacle.
make_plan() {
  local package version harm
  own_update
  plan=$(apt-get "${own_apt[@]}" -s -y --no-remove install "${missing[@]}" 2>&1) ||
    obstacles+=("apt: $(grep -m 1 '^E:' <<<"$plan")")
  while read -r package version; do
    judge "$package" "$version"
  done < <(sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*/\1 \2/p' <<<"$plan")
  while read -r harm; do
    obstacles+=("apt would do '$harm'")
  done < <(sed -nE 's/^(Remv [^ ]+|Inst [^ ]+ \[[^]]*\]).*/\1/p' <<<"$plan")
}

install_missing() {
  local added
  added=$(sed -n 's/^Inst \([^ ]*\) .*/\1/p' <<<"$plan" | paste -sd' ')
  echo "installing $(wc -w <<<"$added") missing packages${in_root:+ in it}, changing none: $added" | fold -s -w 118
  as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
    apt-get "${own_apt[@]}" -y -qq --no-remove -o Dpkg::Options::=--refuse-downgrade \
    install "${missing[@]}" >"$own_apt_dir/log" 2>&1 || { tail -n 20 "$own_apt_dir/log" >&2; exit 1; }
  as_root apt-get "${own_apt[@]}" clean
}

# Debian 13's Mesa lacks what many tests need (cooperative matrices on the CPU) and is slow on a CPU; backports' is
# unpacked beside it.
get_newer_mesa() {
  local mesa=$PWD/.vkgpt/mesa mirror suite=trixie-backports wanted libraries icd
  local without="programs run on the Mesa that is there"
  dpkg --compare-versions "$(installed mesa-vulkan-drivers)" lt 26 || return 0
  [ ! -e "$mesa/env" ] || return 0
  mirror=$(mirror_of trixie)
  [ -n "$mirror" ] || { own_update && mirror=$(mirror_of trixie); }
  [ -n "$mirror" ] || { echo "install_deps: no mirror of Debian 13: $without" >&2; return 0; }
  use_suites "$mirror" "$suite" trixie
  wanted=$(apt-get "${own_apt[@]}" -s install "mesa-vulkan-drivers/$suite" 2>/dev/null |
             sed -nE 's/^Inst ([^ ]+) (\[[^]]*\] )?\(([^ ]+) .*/\1=\3/p') || true
  rm -rf "$mesa"
  # shellcheck disable=SC2086
  if [ -z "$wanted" ] || ! own_unpack "$mesa" $wanted; then
    echo "install_deps: $suite is not to be had: $without" >&2
    return 0
  fi
  icd=$(echo "$mesa"/usr/share/vulkan/icd.d/lvp_icd*.json)
  libraries=$(dirname "$(find "$mesa/usr/lib" -name libvulkan_lvp.so)")
  sed -i "s,\"library_path\": *\"[^\"]*\",\"library_path\": \"$libraries/libvulkan_lvp.so\"," "$icd"
  printf 'export VK_DRIVER_FILES=%q LD_LIBRARY_PATH=%q\n' "$icd" "$libraries" >"$mesa/env"
}

if [ -d "$root" ] && [ -z "$in_root" ]; then  # decided earlier
  [ -z "$dry_run" ] || { echo "vkgpt is built in the private Debian 13 of $root; this system stays as it is"; exit 0; }
  exec tools/run --as_root tools/install_deps.sh "$what"
fi
plan=
if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then
  look_at_system
  [ "${#missing[@]}" -eq 0 ] || [ "${#obstacles[@]}" -gt 0 ] || make_plan
else
  obstacles+=("it has no apt")
fi

if [ "${#obstacles[@]}" -gt 0 ]; then
  echo "This system's packages do not do and stay as they are: ${obstacles[0]}" \
    "$([ "${#obstacles[@]}" -eq 1 ] || echo "(and $((${#obstacles[@]} - 1)) more)")"
  [ -z "$in_root" ] || { printf '%s\n' "${obstacles[@]}" >&2; exit 1; }
  echo "vkgpt is built in a private Debian 13 in $PWD/$root (1.5 GB; delete .vkgpt to be rid of it)."
  [ -z "$dry_run" ] || { printf '%s\n' "${obstacles[@]}" "$(grep -E '^(Inst|Remv) ' <<<"$plan")"; exit 0; }
  mkdir -p .vkgpt
  tools/make_root.sh
  exec tools/run --as_root tools/install_deps.sh "$what"
fi
if [ -n "$dry_run" ]; then
  if [ "${#missing[@]}" -eq 0 ]; then echo "nothing is missing"; else grep -E '^(Inst|[0-9]+ upgraded)' <<<"$plan"; fi
  exit 0
fi
[ "${#missing[@]}" -eq 0 ] || install_missing
case $what in
  test) get_newer_mesa ;;
  build) has_gpu || get_newer_mesa ;;
esac
