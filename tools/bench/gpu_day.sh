#!/bin/sh
# The day an NVIDIA GPU is there, for half an hour and ten minutes a command: what to measure, in order of worth.
#
#   tools/bench/gpu_day.sh pack [VKGPT]        # before: the program, its C library and loader into .bench/, which
#                                              # travels to a machine that can neither build nor install; TEXT=FILE too,
#                                              # with the losses of 300 steps on the CPU driver
#   tools/bench/gpu_day.sh run STAGE [VKGPT]   # there: one of a b c d e (see gpu_day.py), under eight minutes each
#   tools/bench/gpu_day.sh dry [VKGPT]         # every stage, or those in STAGES, small, on the CPU driver
#
# VKGPT is build/vkgpt by default, or what `pack` left. Results go to OUT, .bench/results by default, one file a stage,
# written after every row. PYTHON is the interpreter; torch in it is compared with where there is one. A kernel that
# is wrong is mended without a build: VKGPT_SHADER_DIR=shaders.
set -eu
cd "$(dirname "$0")/../.."
usage() { echo "usage: tools/bench/gpu_day.sh pack [VKGPT] | run a|b|c|d|e [VKGPT] | dry [VKGPT]" >&2; exit 2; }
mode=${1:-}
case $mode in
  pack | dry) program=${2:-build/vkgpt} ;;
  run) program=${3:-build/vkgpt} ;;
  *) usage ;;
esac
python=${PYTHON:-python3}
packed=.bench
out=${OUT:-$packed/results}

pack() {
  mkdir -p "$packed/lib"
  cp "$program" "$packed/vkgpt"
  git describe --always --dirty >"$packed/commit"
  # The Vulkan loader and what NVIDIA's driver asks for are opened at run time: ldd of the program misses them.
  opened=
  for name in libvulkan.so.1 libdl.so.2 libpthread.so.0 librt.so.1 libEGL.so.1 libGLX.so.0 libGL.so.1 libX11.so.6 libXext.so.6; do
    path=$(ldconfig -p | awk -v name="$name" '$1 == name && /x86-64/ { print $NF; exit }')
    if [ -n "$path" ]; then opened="$opened $path"; else echo "$name is not installed here: not packed" >&2; fi
  done
  for file in "$program" $opened; do
    ldd "$file" | awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\/.*ld-linux/ { print $1 }'
  done | sort -u | while read -r library; do cp -L "$library" "$packed/lib/"; done
  for file in $opened; do cp -L "$file" "$packed/lib/"; done
  # The C library is ours too: the program may need a newer one than the machine has.
  cat >"$packed/run" <<'END'
#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd)
exec "$here/lib/ld-linux-x86-64.so.2" --library-path "$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" "$here/vkgpt" "$@"
END
  chmod +x "$packed/run"
  # The machine there may have none of these libraries.
  outside=$("$packed/lib/ld-linux-x86-64.so.2" --library-path "$packed/lib" --list "$packed/vkgpt" |
    awk -v dir="$packed/lib/" '$2 == "=>" && index($3, dir) != 1 { print $1 }')
  [ -z "$outside" ] || { echo "gpu_day: the pack lacks $outside" >&2; exit 1; }
  env -i "$packed/run" --version
  if [ -n "${TEXT:-}" ]; then
    cp "$TEXT" "$packed/text"
    VKGPT_COMMIT=$(cat "$packed/commit") "$python" tools/bench/gpu_day.py curve "$program" "$out"
    cp "$out/run-cpu/metrics.csv" "$packed/cpu-metrics.csv"
  fi
  size=$(du -sm "$packed" | cut -f 1)
  echo "$packed: $size MiB"
  [ "$size" -le 60 ] || { echo "gpu_day: more than 60 MiB" >&2; exit 1; }
}

# The driver's manifest, where the loader does not look for it by itself.
find_driver() {
  [ -z "${VK_DRIVER_FILES:-}" ] || return 0
  for manifest in /etc/vulkan/icd.d/nvidia_icd*.json /usr/share/vulkan/icd.d/nvidia_icd*.json \
    /usr/local/nvidia/share/vulkan/icd.d/nvidia_icd*.json; do
    if [ -f "$manifest" ]; then
      export VK_DRIVER_FILES="$manifest"
      return 0
    fi
  done
}

# What was packed, unless a program is here.
find_program() {
  if [ ! -x "$program" ] && [ -x "$packed/run" ]; then
    program=$packed/run
    VKGPT_COMMIT=$(cat "$packed/commit")
    export VKGPT_COMMIT
  fi
  [ -x "$program" ] || { echo "gpu_day: no program $program: build or pack it" >&2; exit 2; }
  [ -n "${TEXT:-}" ] || [ ! -f "$packed/text" ] || export TEXT="$packed/text"
  [ -n "${CPU_METRICS:-}" ] || export CPU_METRICS="$packed/cpu-metrics.csv"
}

case $mode in
  pack) pack ;;
  run)
    case ${2:-} in a | b | c | d | e) ;; *) usage ;; esac
    find_program
    find_driver
    nvidia-smi --query-gpu=name,driver_version,clocks.max.sm,memory.total --format=csv,noheader 2>/dev/null || true
    "$python" tools/bench/gpu_day.py "$2" "$program" "$out"
    ;;
  dry)
    find_program
    for stage in ${STAGES:-a b c d e}; do "$python" tools/bench/gpu_day.py "$stage" "$program" "$out" --dry_run; done
    ;;
esac
