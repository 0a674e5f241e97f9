#!/usr/bin/env bash
# Makes the private Debian 13 in .vkgpt/root, in which vkgpt is built where the system's own packages do not do; called
# by tools/install_deps.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/own_apt.sh
. tools/roots.sh
root=$PWD/.vkgpt/root
partial=$root.partial
[ ! -d "$root" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
  as_root "$PWD/tools/make_root.sh"
  exit
fi

echo "making a private Debian 13"
rm -rf --one-file-system "$partial"
mkdir -p "$partial"
make_minimal_root trixie "$partial" --include=ca-certificates >.vkgpt/make_root.log 2>&1 ||
  { tail -n 20 .vkgpt/make_root.log >&2; exit 1; }
# Nothing in it starts services, and it holds no documentation but licences.
printf '#!/bin/sh\nexit 101\n' >"$partial/usr/sbin/policy-rc.d"
chmod +x "$partial/usr/sbin/policy-rc.d"
cat >"$partial/etc/dpkg/dpkg.cfg.d/vkgpt" <<'DPKG'
force-unsafe-io
path-exclude=/usr/share/doc/*
path-include=/usr/share/doc/*/copyright
path-exclude=/usr/share/locale/*
path-exclude=/usr/share/man/*
DPKG
if command -v apt-config >/dev/null; then  # the system's proxies
  apt-config dump | grep -E '^Acquire::(Check|https?::[^ ]*(Proxy|Verify))' | grep -vi detect \
    >"$partial/etc/apt/apt.conf.d/50system" || true
fi
mkdir -p "$partial/nvidia"
echo "the private Debian 13 of vkgpt; tools/run enters it" >"$partial/etc/vkgpt-root"
mv "$partial" "$root"
