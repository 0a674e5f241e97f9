#!/usr/bin/env bash
# Makes an archive that runs elsewhere: `tools/package.sh [FOLDER]` writes FOLDER/vkgpt-VERSION-ARCHITECTURE.tar.gz (out/
# by default) with the program, its licences and the quickstart's settings. The program is linked once more from the
# objects of build/: its libraries become part of it, against the C library of Debian 11 (2.31, unpacked in .vkgpt/), with
# which every later one is compatible. So it needs only that, a Vulkan loader and a driver, and brings nothing that a
# system's driver could meet in a second version. tools/package/check.sh proves the archive.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/prepare.sh build "$@"
. tools/own_apt.sh
out=${1:-out}
die() { echo "package: $*" >&2; exit 1; }

cmake --preset release >/dev/null
cmake --build --preset release --parallel "$(nproc)" --target vkgpt
multiarch=$(g++ -print-multiarch)
libc=$PWD/.vkgpt/libc-bullseye
if [ ! -d "$libc" ]; then
  mirror=$(mirror_of trixie)
  [ -n "$mirror" ] || { own_update && mirror=$(mirror_of trixie); }
  [ -n "$mirror" ] || die "apt knows no mirror of Debian"
  (use_suites "$mirror" bullseye && own_unpack "$libc.partial" libc6/bullseye libc6-dev/bullseye) ||
    die "the mirror no longer has Debian 11"
  mv "$libc.partial" "$libc"
fi

# The linker's words for build/vkgpt, without its output, with archives in place of shared libraries.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
g++ -O2 -std=c++23 -c tools/package/old_libc.cpp -o "$work/old_libc.o"
read -r -a words < <(ninja -C build -t commands vkgpt | tail -n 1 | sed -E 's/^: && //; s/ && :.*//; s/ -o vkgpt / /')
for i in "${!words[@]}"; do
  case ${words[i]} in
    -ldl | -lpthread | -lm | -pthread) unset "words[i]" ;;
    -l*) words[i]=-l:lib${words[i]#-l}.a ;;
    *.so | *.so.*) words[i]=${words[i]%%.so*}.a ;;
  esac
done
of_gcc() { g++ -print-file-name="$1"; }
new=$libc/usr/lib/$multiarch old=$libc/lib/$multiarch
(cd build && "${words[@]}" -o "$work/vkgpt" -nostdlib -pie -Wl,-z,relro,-z,now,--trace \
  "$new/Scrt1.o" "$new/crti.o" "$(of_gcc crtbeginS.o)" "$work/old_libc.o" -Wl,--start-group \
  "$(of_gcc libstdc++.a)" "$(of_gcc libgcc.a)" "$(of_gcc libgcc_eh.a)" "$old"/{libm.so.6,libpthread.so.0,libdl.so.2,libc.so.6} \
  "$new/libc_nonshared.a" "$old"/ld-linux-*.so.* -Wl,--end-group "$(of_gcc crtendS.o)" "$new/crtn.o") >"$work/trace" ||
  die "linking failed"
strip "$work/vkgpt"
needs=$(objdump -T "$work/vkgpt" | grep -oE 'GLIBC_[0-9.]+' | sort -V | tail -n 1)
dpkg --compare-versions "${needs#GLIBC_}" le 2.31 || die "the program needs $needs"
foreign=$(readelf -d "$work/vkgpt" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -vE '^(lib(c|m|dl|pthread)\.so|ld-linux)' || true)
[ -z "$foreign" ] || die "the program needs $foreign"

# Licences: of every package that gave an archive, and of those that are headers only.
name=vkgpt-$("$work/vkgpt" --version | grep -oE '[0-9]+\.[0-9.]+' | head -n 1)-${multiarch/-gnu/}
folder=$work/$name
mkdir -p "$folder/licences"
mv "$work/vkgpt" "$folder/"
cp LICENSE assets/quickstart.json "$folder/"
packages=$(grep -oE '^/[^ (]*\.a' "$work/trace" | sort -u | xargs -r realpath | grep -v "^$libc" | xargs dpkg -S | sed 's/[:,].*//')
headers="libvulkan-dev libvulkan-volk-dev libvulkan-memory-allocator-dev nlohmann-json3-dev libboost1.83-dev"
packages=$(printf '%s\n' $packages $headers | sort -u)
for package in $packages; do
  text=/usr/share/doc/$package/copyright
  [ -e "$text" ] || { own_unpack "$work/doc" "$package" && text=$work/doc$text; }
  cp -L "$text" "$folder/licences/$package"
done
cp "$libc/usr/share/doc/libc6-dev/copyright" "$folder/licences/libc6-dev"
dpkg-query -W -f '${source:Package} ${source:Version}\n' $packages | sort -u >"$folder/licences/SOURCES"
commit=$(git describe --always --dirty 2>/dev/null || echo "an archive of the source")
cat >"$folder/README" <<END
vkgpt, built from $commit on Debian 13. It runs on any Linux of this
architecture with a C library of 2.31 or newer (Debian 11, Ubuntu 20.04), a Vulkan 1.3 loader (libvulkan.so.1; package
libvulkan1 or vulkan-loader) and a Vulkan 1.3 driver.

  ./vkgpt devices
  ./vkgpt train --data_path TEXT --out_dir runs/first --config quickstart.json
  ./vkgpt generate --model runs/first --prompt "The "

licences/ holds the licences of the libraries inside the program, licences/SOURCES the Debian sources that they are of.
END
mkdir -p "$out"
tar -C "$work" --owner=0 --group=0 --sort=name -czf "$out/$name.tar.gz" "$name"
size=$(stat -c %s "$out/$name.tar.gz")
[ "$size" -lt 30000000 ] || die "$out/$name.tar.gz has $size bytes, more than 30 MB"
echo "$out/$name.tar.gz: $((size / 1000)) kB, needs $needs"
