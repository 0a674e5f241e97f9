#!/usr/bin/env bash
# Proves that the README's commands leave a system as it was: `tools/check_install.sh [--test] SUITE [PACKAGE...]`, as
# root. Makes a minimal root of a Debian suite (bookworm, trixie, ...) with the packages named, runs the quickstart of a
# clone of this checkout in it with STEPS (20) steps and gets what the tests need (with --test: runs tools/test.sh fast),
# then compares. Fails when an installed package was changed or removed, apt's configuration changed, or a mount is left.
# DIR is where the root is made, a temporary folder by default, which goes again. A ccache named by
# CMAKE_CXX_COMPILER_LAUNCHER is shared with the root.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" -eq 0 ] || { echo "check_install: run as root" >&2; exit 2; }
if [ "${1:-}" != --mounted ]; then exec unshare --mount "$0" --mounted "$@"; fi
shift
. tools/own_apt.sh
. tools/roots.sh
tests="tools/install_deps.sh test"
if [ "${1:-}" = --test ]; then tests="tools/test.sh fast"; shift; fi
suite=${1:?check_install: name a suite of Debian}
shift
dir=${DIR:-$(mktemp -d)}
root=$dir/root
[ -n "${DIR:-}" ] || trap 'rm -rf --one-file-system "$dir"' EXIT

mkdir -p "$dir"
make_minimal_root "$suite" "$root" >"$dir/debootstrap.log" 2>&1 || { tail "$dir/debootstrap.log"; exit 1; }
for name in dev proc sys; do mount --rbind "/$name" "$root/$name"; done
mkdir -p "$root/checkout"
git clone -q "$PWD" "$root/checkout/vkgpt"
variables=(HOME=/root LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive)
if [ "${CMAKE_CXX_COMPILER_LAUNCHER:-}" = ccache ]; then
  mkdir -p "$root/ccache"
  mount --bind "$(ccache -k cache_dir)" "$root/ccache"
  cp "$(command -v ccache)" "$root/usr/local/bin/"
  ldd "$(command -v ccache)" | awk '$3 ~ /lib(fmt|hiredis|xxhash|zstd|blake3)/ { print $3 }' | xargs -r cp -L -t "$root/usr/local/lib"
  chroot "$root" ldconfig
  variables+=(CMAKE_CXX_COMPILER_LAUNCHER=ccache CCACHE_DIR=/ccache CCACHE_BASEDIR=/checkout CCACHE_NOHASHDIR=1
              "CCACHE_SLOPPINESS=${CCACHE_SLOPPINESS:-}")
fi
inside() { chroot "$root" env -i "${variables[@]}" sh -c "cd /checkout/vkgpt && $*"; }
if [ $# -gt 0 ]; then
  inside "apt-get update -qq && apt-get install -y -qq --no-install-recommends $*" >"$dir/extra.log" 2>&1 ||
    { tail "$dir/extra.log"; exit 1; }
fi

packages() { inside "dpkg-query -W -f '\${Package}:\${Architecture} \${Version} \${db:Status-Status}\n'" | sort; }
configuration() { (cd "$root" && find etc/apt var/lib/apt/lists -type f ! -name lock -exec sha256sum {} + | sort -k 2); }
packages >"$dir/before"
configuration >"$dir/apt.before"
failed=0
attempt() {  # title command
  local start=$SECONDS status=ok
  inside "$2" >"$dir/$1.log" 2>&1 || { status=FAILED failed=1; tail -n 30 "$dir/$1.log"; }
  printf '%-12s %-8s %5d s   %s\n' "$1" "$status" $((SECONDS - start)) "$2"
}
echo "== $suite${*:+ with $*}: $(wc -l <"$dir/before") packages"
attempt dry_run "tools/install_deps.sh --dry_run test"
packages | cmp -s - "$dir/before" && [ ! -e "$root/checkout/vkgpt/.vkgpt" ] || { echo "the dry run changed something"; failed=1; }
attempt quickstart "tools/quickstart.sh ${STEPS:-20}"
attempt tests "$tests"
attempt again "tools/run build/vkgpt devices"
packages >"$dir/after"
configuration >"$dir/apt.after"

changed=$(comm -23 "$dir/before" "$dir/after")
added=$(comm -13 "$dir/before" "$dir/after")
if [ -n "$changed" ]; then echo "changed or removed:"; echo "$changed"; failed=1; fi
if ! diff "$dir/apt.before" "$dir/apt.after"; then echo "apt's configuration or lists changed"; failed=1; fi
mounts=$(grep -c " $root/checkout/vkgpt/" /proc/self/mountinfo || true)
[ "$mounts" -eq 0 ] || { echo "$mounts mounts are left"; failed=1; }
count() { grep -c . || true; }
echo "packages: $(wc -l <"$dir/before") before, $(wc -l <"$dir/after") after;" \
  "$(count <<<"$changed") changed or removed, $(count <<<"$added") added"
[ -z "$added" ] || sed 's/:.*//' <<<"$added" | paste -sd' ' | fold -s -w 118
du -sh "$root/checkout/vkgpt/.vkgpt" 2>/dev/null | sed 's/\t.*/ in .vkgpt/'
exit "$failed"
