#!/usr/bin/env bash
# Runs the tests of kernels on SwiftShader, a second CPU driver with the least that vkgpt asks for (subgroups of 4,
# no 16-bit types, no 64-bit integers): `tools/swiftshader.sh PROGRAM [GTEST_ARGUMENTS...]`, PROGRAM being vkgpt_tests.
# The driver is a file of Debian's package chromium-common; it is unpacked in a cache, nothing is installed.
# The exit status is that of the tests, 2 when the driver cannot be had.
set -euo pipefail
program=$(realpath "${1:?swiftshader: name the test program}")
shift
cd "$(dirname "$0")/.."
die() { echo "swiftshader: $*" >&2; exit 2; }

cache=${XDG_CACHE_HOME:-${HOME:?swiftshader: HOME is not set}/.cache}/vkgpt/swiftshader
icd=$cache/usr/lib/chromium/vk_swiftshader_icd.json
if [ ! -e "$icd" ]; then
  mkdir -p "$cache"
  work=$(mktemp -d "$cache/download.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  chmod 755 "$work"
  . tools/own_apt.sh
  downloads=$(own_download chromium-common) || die "apt cannot download chromium-common"
  trap 'rm -rf "$work" "$downloads"' EXIT
  dpkg-deb --fsys-tarfile "$downloads"/chromium-common_*.deb |
    tar -x -C "$work" ./usr/lib/chromium/libvk_swiftshader.so ./usr/lib/chromium/vk_swiftshader_icd.json ||
    die "chromium-common holds no SwiftShader"
  mkdir -p "$cache/usr/lib/chromium"
  mv "$work"/usr/lib/chromium/libvk_swiftshader.so "$cache/usr/lib/chromium/"
  mv "$work"/usr/lib/chromium/vk_swiftshader_icd.json "$icd"  # last: its presence says that all is there
fi

# The table of op cases and the suites of tests/ops, with and without parameters.
filter=GpuCheck.*:$(grep -rhoE '^TEST(_[PF])?\(Gpu[A-Za-z0-9]*' tests/ops | sed 's/.*(//' | sort -u | sed 's,.*,&.*:*/&.*,' | paste -sd:)
VK_DRIVER_FILES=$icd VKGPT_DEVICE=SwiftShader VKGPT_EXPECT_DRIVER=SwiftShader exec "$program" --gtest_filter="$filter" "$@"
