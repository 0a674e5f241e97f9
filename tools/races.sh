#!/usr/bin/env bash
# Runs every kernel's cases under the race detector of shared memory that newer validation layers have:
# `tools/races.sh [VKGPT_TESTS [FILTER]]`, by default build-ci/vkgpt_tests and GpuCheck.*, which are the cases of all ops,
# on the device as it is, on each backend, and as a GPU would run them, in workgroups of several subgroups. About twenty
# minutes of processor time. Cases without a race are noted in the cache: stopped and started again, the run goes on from there,
# until kernels, tests or layer change.
# The layer is a file of Debian's package chromium-common; it is unpacked in a cache, nothing is installed. It counts
# barriers of workgroups only, so kernels are read from a copy in which subgroupBarrier() is barrier(). First a kernel
# without one of its barriers must be reported, else the detector is asleep.
# Exit status: 0 without a report, 1 with one, 2 when the check cannot be made.
set -euo pipefail
here=$PWD
cd "$(dirname "$0")/.."
die() { echo "races: $*" >&2; exit 2; }
program=${1:-build-ci/vkgpt_tests}
filter=${2:-GpuCheck.*}
case $program in /*) ;; *) [ -x "$program" ] && program=$PWD/$program || program=$here/$program ;; esac
[ -x "$program" ] || die "no program $program: build the tests, or name them"

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
# The result of tests; a message of validation fails the one that it comes in. Adds the kernels that they built to
# $shaders/kernels.
run_tests() {  # log filter
  # Mesa's driver for CPUs has matrices at this width only.
  env LP_NATIVE_VECTOR_WIDTH="${LP_NATIVE_VECTOR_WIDTH:-256}" VK_LAYER_PATH="$cache" VKGPT_SHADER_DIR="$shaders" \
    VKGPT_TEST_KERNELS="$shaders/kernels" VKGPT_VALIDATION=gpu VKGPT_CASES=all VKGPT_DEVICE="${VKGPT_DEVICE:-llvmpipe}" \
    "$program" --gtest_color=no --gtest_filter="$2" >"$1" 2>&1
}

copy_shaders
sed -i '0,/^ *barrier();/s///' "$shaders/include/matmul_simt.glsl"
if run_tests "$shaders/log" 'GpuCheck.matmul/f16_20x36x28_tn_row_sums' || ! grep -q 'data race' "$shaders/log"; then
  tail -n 3 "$shaders/log" >&2
  die "the detector does not report a planted race"
fi
echo "planted race: reported"

copy_shaders
key=$(cat "$program" "$layer" "$shaders"/*.comp "$shaders"/include/*.glsl | sha256sum | cut -c 1-16)
done_file=$cache/$key.done
find "$cache" -name '*.done' ! -name "$key.done" -delete
touch "$done_file"
# Those first that build every kernel, which are what other runs under GPU-assisted validation have.
list_tests() { "$program" --gtest_list_tests --gtest_filter="$filter" | awk '/^[^ ]/ { suite = $1; next } { print suite $1 }'; }
mapfile -t tests < <((VKGPT_VALIDATION=gpu list_tests; list_tests) | awk '!seen[$0]++')
[ "${#tests[@]}" -gt 0 ] || die "no test is called $filter"
mapfile -t left < <(printf '%s\n' "${tests[@]}" | grep -vxFf <(cut -f 1 "$done_file"))
[ "${#left[@]}" -eq "${#tests[@]}" ] || echo "$((${#tests[@]} - ${#left[@]})) of ${#tests[@]} cases were without a race before"

status=0
failed=()
for ((first = 0; first < ${#left[@]}; first += 6)); do
  batch=("${left[@]:first:6}")
  rm -f "$shaders/kernels"
  start=$SECONDS
  if run_tests "$shaders/log" "$(IFS=:; echo "${batch[*]}")"; then
    built=$(sort -u "$shaders/kernels" | paste -sd ' ')
    printf "%s\t$built\n" "${batch[@]}" >>"$done_file"
  else
    status=1
    failed+=("${batch[@]}")
    grep -m 5 'data race' "$shaders/log" || grep -m 5 -B 3 'FAILED' "$shaders/log" || tail -n 5 "$shaders/log"
  fi
  printf '%3d of %d  %4d s  %s\n' $((first + ${#batch[@]})) "${#left[@]}" $((SECONDS - start)) "${batch[0]}"
done
all=$(find shaders -maxdepth 1 -name '*.comp' -printf '%f\n' | sed 's/\.comp$//' | sort)
never=$(comm -23 <(printf '%s\n' "$all") <(cut -f 2 "$done_file" | tr ' ' '\n' | sort -u))
echo "kernels: $(comm -23 <(printf '%s\n' "$all") <(printf '%s\n' "$never") | wc -l) of $(wc -l <<<"$all") without a race in" \
  "$((${#tests[@]} - ${#failed[@]})) of ${#tests[@]} cases${never:+; not built: $(paste -sd ' ' <<<"$never")}"
exit "$status"
