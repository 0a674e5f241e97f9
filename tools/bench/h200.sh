#!/bin/sh
# Measures vkgpt beside PyTorch on an NVIDIA GPU: cooperative matrices that the driver offers, matrix products by
# every backend against torch.matmul (4096^3 and GPT-2's), the step of GPT-2 124M against torch.compile.
#
#   tools/bench/h200.sh run [VKGPT]    # on the machine with the GPU; python3 there has torch with CUDA
#   tools/bench/h200.sh pack [VKGPT]   # elsewhere: the program and its libraries into .bench/, for a machine
#                                      # that can neither build nor install; `run` there finds it
#   tools/bench/h200.sh dry [VKGPT]    # the same path on a CPU, small
#
# VKGPT is build/vkgpt by default. BATCH (64) is where the step begins; it is halved until it fits. OUT is the
# results file, tools/bench/results/NAME-DATE.md by default; PYTHON the interpreter.
set -eu
cd "$(dirname "$0")/../.."
mode=${1:-run}
program=${2:-build/vkgpt}
python=${PYTHON:-python3}
packed=.bench

pack() {
  mkdir -p "$packed/lib"
  cp "$program" "$packed/vkgpt"
  git describe --always --dirty >"$packed/commit"
  # The Vulkan loader and what NVIDIA's driver asks for are opened at run time: ldd of the program misses them.
  opened=
  for name in libvulkan.so.1 libEGL.so.1 libGLX.so.0 libGL.so.1 libX11.so.6 libXext.so.6; do
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
  du -sh "$packed"
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

run() {
  if [ ! -x "$program" ] && [ -x "$packed/run" ]; then
    program=$packed/run
    VKGPT_COMMIT=$(cat "$packed/commit")
    export VKGPT_COMMIT
  fi
  find_driver
  name=$(nvidia-smi --query-gpu=name --format=csv,noheader | head -n 1)
  driver=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader | head -n 1)
  file=$(echo "$name" | tr 'A-Z ' 'a-z-')-$(date +%Y-%m-%d).md
  "$program" devices
  "$python" tools/bench/pytorch_gpu.py "$program" --batch_size "${BATCH:-64}" --note "NVIDIA driver $driver" \
    --out "${OUT:-tools/bench/results/$file}"
}

case $mode in
  pack) pack ;;
  run) run ;;
  dry) "$python" tools/bench/pytorch_gpu.py "$program" --dry_run ${OUT:+--out "$OUT"} ;;
  *) echo "usage: tools/bench/h200.sh run|pack|dry [VKGPT]" >&2; exit 2 ;;
esac
