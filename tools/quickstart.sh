#!/usr/bin/env bash
# From nothing to generated text: gets what is missing, builds, gets a text, trains a small GPT, samples.
# `tools/quickstart.sh [STEPS]`; a second start skips what is done. As root or with sudo; tools/install_deps.sh says
# what that does to the system and prints it beforehand with --dry_run.
set -euo pipefail
cd "$(dirname "$0")/.."
steps=${1:-500}
run=runs/quickstart

. tools/prepare.sh build "$@"

echo "== build"
cmake --preset release -DVKGPT_TESTS=OFF >/dev/null
cmake --build --preset release --parallel "$(nproc)" --target vkgpt vkgpt_manual

echo "== text"
mkdir -p data
text=data/tinyshakespeare.txt
if ! build/vkgpt data get tinyshakespeare --out data; then
  echo "offline: taking the Jargon File (public domain) from Debian's package of it"
  text=data/jargon.txt
  if [ ! -s "$text" ]; then
    (. tools/own_apt.sh && own_unpack data/jargon-text jargon-text)
    gunzip -c data/jargon-text/usr/share/doc/jargon-text/jargon.txt.gz >"$text.tmp"
    mv "$text.tmp" "$text"
  fi
fi

echo "== train on $text"
build/vkgpt train --data_path "$text" --out_dir "$run" --config assets/quickstart.json --max_steps "$steps" --resume

echo "== sample"
build/vkgpt generate --model "$run" --prompt "The " --max_new_tokens 300 --temperature 0.8 --seed 1
[ ! -e /etc/vkgpt-root ] || echo "== built in the private Debian 13 of .vkgpt/root: run it as  tools/run build/vkgpt ..."
