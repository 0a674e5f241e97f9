#!/usr/bin/env bash
# Runs every kernel's cases under the race detector of shared memory that newer validation layers have:
# `tools/races.sh [VKGPT [FLAG...]]`, VKGPT being build/vkgpt by default; flags of `vkgpt selftest`, such as
# `--op attention`, narrow it. About ten minutes on two cores.
# The layer is a file of Debian's package chromium-common; it is unpacked in a cache, nothing is installed. It counts
# barriers of workgroups only, so kernels are read from a copy in which subgroupBarrier() is barrier(). First a kernel
# without one of its barriers must be reported, else the detector is asleep.
# Exit status: 0 without a report, 1 with one, 2 when the check cannot be made.
set -euo pipefail
here=$PWD
cd "$(dirname "$0")/.."
die() { echo "races: $*" >&2; exit 2; }
program=${1:-build/vkgpt}
[ $# -eq 0 ] || shift
case $program in /*) ;; *) [ -x "$program" ] && program=$PWD/$program || program=$here/$program ;; esac
[ -x "$program" ] || die "no program $program: build vkgpt, or name it"

cache=${XDG_CACHE_HOME:-${HOME:?races: HOME is not set}/.cache}/vkgpt/race_layer
layer=$cache/libVkLayer_khronos_validation.so
if [ ! -e "$layer" ]; then
  mkdir -p "$cache"
  work=$(mktemp -d "$cache/download.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  . tools/own_apt.sh
  downloads=$(own_download chromium-common) || die "apt cannot download chromium-common"
  trap 'rm -rf "$work" "$downloads"' EXIT
  dpkg-deb --fsys-tarfile "$downloads"/chromium-common_*.deb |
    tar -x -C "$work" ./usr/lib/chromium/libVkLayer_khronos_validation.so || die "chromium-common holds no validation layer"
  mv "$work/usr/lib/chromium/libVkLayer_khronos_validation.so" "$layer"
fi
cat >"$cache/VkLayer_khronos_validation.json" <<JSON
{"file_format_version": "1.2.0",
 "layer": {"name": "VK_LAYER_KHRONOS_validation", "type": "GLOBAL", "library_path": "$layer", "api_version": "1.4.300",
           "implementation_version": "1", "description": "Khronos validation layer",
           "instance_extensions": [{"name": "VK_EXT_debug_report", "spec_version": "9"},
                                   {"name": "VK_EXT_debug_utils", "spec_version": "1"},
                                   {"name": "VK_EXT_layer_settings", "spec_version": "2"}]}}
JSON

shaders=$(mktemp -d)
trap 'rm -rf "$shaders" "${work:-}" "${downloads:-}"' EXIT
copy_shaders() {
  rm -rf "${shaders:?}"/*
  cp -r shaders/*.comp shaders/include "$shaders/"
  sed -i 's/subgroupBarrier()/barrier()/g' "$shaders"/*.comp "$shaders"/include/*.glsl
}
# The self-test's output; a message of validation ends it.
selftest() {  # log flag...
  local log=$1
  shift
  # Mesa's driver for CPUs has matrices at this width only.
  env LP_NATIVE_VECTOR_WIDTH="${LP_NATIVE_VECTOR_WIDTH:-256}" XDG_CACHE_HOME="$shaders/cache" VK_LAYER_PATH="$cache" "$program" selftest --device "${VKGPT_DEVICE:-llvmpipe}" \
    --validation gpu --shader_dir "$shaders" "$@" >"$log" 2>&1
}

copy_shaders
sed -i '0,/^ *barrier();/s///' "$shaders/include/matmul_simt.glsl"
if selftest "$shaders/log" --op matmul --backend simt || ! grep -q 'data race' "$shaders/log"; then
  tail -n 3 "$shaders/log" >&2
  die "the detector does not report a planted race"
fi
echo "planted race: reported"

copy_shaders
status=0
selftest "$shaders/log" "$@" || status=$?
reports=$(grep -c 'data race' "$shaders/log" || true)
cases=$(sed -n 's/.*\b\([0-9][0-9]*\) cases of kernels.*/\1/p' "$shaders/log" | tail -n 1)
echo "kernels: $reports races in ${cases:-0} cases"
[ "$reports" -eq 0 ] || { grep -m 5 'data race' "$shaders/log"; exit 1; }
[ "${cases:-0}" -gt 0 ] || die "no kernel was tested: $(tail -n 1 "$shaders/log")"
[ "$status" -eq 0 ] || { tail -n 5 "$shaders/log" >&2; exit 1; }
