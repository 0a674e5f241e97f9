#!/usr/bin/env bash
# Proves that the archive of tools/package.sh runs elsewhere: `tools/package/check.sh ARCHIVE SUITE...`, as root. In a minimal
# root of each Debian suite with nothing but Mesa's Vulkan drivers and the loader, the program names its devices, trains
# three steps and generates; a driver without Vulkan 1.3 (Debian 11's) must be refused in one line instead.
set -euo pipefail
archive=$(realpath "${1:?check: name the archive}")
shift
cd "$(dirname "$0")/../.."
[ "$(id -u)" -eq 0 ] || { echo "check: run as root" >&2; exit 2; }
. tools/own_apt.sh
. tools/roots.sh
dir=$(mktemp -d)
trap 'rm -rf --one-file-system "$dir"' EXIT
failed=0
for suite in "$@"; do
  root=$dir/$suite
  make_minimal_root "$suite" "$root" --include=mesa-vulkan-drivers,libvulkan1 >"$dir/log" 2>&1 || { tail "$dir/log"; exit 1; }
  tar -C "$root/opt" -xzf "$archive"
  folder=/opt/$(ls "$root/opt")
  cat README.md shaders/include/*.glsl | tr -cd '\11\12\15\40-\176' >"$root/text.txt"
  inside() { chroot "$root" env -i HOME=/root PATH=/usr/bin:/bin LP_NUM_THREADS=2 "$@"; }
  attempt() {  # title command...
    local title=$1
    shift
    if inside "$@" >"$dir/log" 2>&1; then
      echo "$suite  $title: ok"
    else
      failed=1
      echo "$suite  $title: FAILED"
      tail -n 15 "$dir/log"
    fi
  }
  echo "$suite  $(inside ldd --version | head -n 1), $(inside dpkg-query -W -f '${Package} ${Version}' mesa-vulkan-drivers)"
  attempt help "$folder/vkgpt" --help
  attempt tokenizer "$folder/vkgpt" tokenizer train /text.txt --out /tokenizer --bpe_vocab_size 300
  status=0
  inside "$folder/vkgpt" devices >"$dir/devices" 2>&1 || status=$?
  head -n 1 "$dir/devices" | sed "s/^/$suite  devices: /"
  if grep -q '^0: ' "$dir/devices"; then
    attempt train "$folder/vkgpt" train --data_path /text.txt --out_dir /run --config "$folder/quickstart.json" --max_steps 3
    attempt generate "$folder/vkgpt" generate --model /run --prompt "The " --max_new_tokens 20
  elif [ "$status" -ne 1 ] || [ "$(wc -l <"$dir/devices")" -gt 12 ]; then
    failed=1
    echo "$suite  devices: FAILED with status $status"
    cat "$dir/devices"
  fi
  rm -rf --one-file-system "$root"
done
exit "$failed"
