#!/usr/bin/env bash
# Builds every pipeline of the presets with AMD's, Intel's and NVIDIA's (NVK) real compilers, without their cards, and
# tabulates registers, spills, scratch, occupancy and cycles: `tools/vendor_check.sh [--quick] [--vkgpt FILE] [--cache DIR]
# [--out DIR] [--table FILE]`. Nothing is executed on a device.
#   --quick  one AMD, one Intel and one NVIDIA device, without the configurations whose kernels others have too
#   --vkgpt  the program; default: the newest of build*/vkgpt
#   --cache  where the drivers are kept; default: $XDG_CACHE_HOME/vkgpt/vendor. The first run takes some minutes
#   --out    where the reports of the program go, one JSON file for each device and configuration, and beside it a
#            directory with the driver's listings
#   --table  the Markdown table; default: vendor.md in --out
# AMD: RADV of Mesa 25.0.7, the last one that has a null device. Intel: ANV of the same packages on a stub of the
# kernel driver, which is built from Mesa's source package. NVIDIA: NVK of Mesa 26.1 from trixie-backports, whose compiler
# has matrices, on a stub from the same source with the class numbers of Ada and Blackwell added. Everything comes from
# the Debian mirror that this system uses, verified by apt, and is unpacked in the cache: nothing is installed and root is
# not needed.
# Exit status: 0 when no kernel that a device has by default spills, uses scratch memory or makes f16 of f32 by rounding
# toward zero, and those on matrices use matrix instructions, 1 when one does otherwise, 2 when the check cannot be made.
set -euo pipefail
here=$PWD
cd "$(dirname "$0")/.."

mesa=25.0.7
quick=false
program=
cache=${XDG_CACHE_HOME:-${HOME:?vendor_check: HOME is not set: give --cache DIR}/.cache}/vkgpt/vendor
out=
table=
die() { echo "vendor_check: $*" >&2; exit 2; }
path() {
  [ -n "${2:-}" ] || die "$1 needs a value"
  case $2 in /*) printf '%s' "$2" ;; *) printf '%s' "$here/$2" ;; esac
}
while [ $# -gt 0 ]; do
  case $1 in
    --quick) quick=true; shift ;;
    --vkgpt) program=$(path "$@"); shift 2 ;;
    --cache) cache=$(path "$@"); shift 2 ;;
    --out) out=$(path "$@"); shift 2 ;;
    --table) table=$(path "$@"); shift 2 ;;
    *) die "unknown argument '$1'" ;;
  esac
done
[ -n "$program" ] || program=$(find build* -maxdepth 1 -name vkgpt -type f -printf '%T@ %p\n' 2>/dev/null | sort -rn | sed -n '1s/^[^ ]* //p')
[ -n "$program" ] && [ -x "$program" ] || die "no program: build vkgpt, or give --vkgpt FILE"
for tool in apt-get dpkg-deb c++ ninja pkg-config glslangValidator; do
  command -v "$tool" >/dev/null || die "$tool is missing: run tools/install_deps.sh, then tools/run tools/vendor_check.sh"
done

mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
log=$cache/log
libraries=usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || gcc -print-multiarch)
root=$cache/root        # what building the stub and writing the table need
driver=$cache/driver    # Mesa's Vulkan drivers
nvk=$cache/nvk          # NVK of a newer Mesa
stub=$cache/libintel_noop_drm_shim.so
nvk_stub=$cache/libnouveau_noop_drm_shim.so

# apt with lists of its own, of trixie alone, on the mirror that this system uses.
use_own_apt() {
  local mirror codename
  for codename in trixie bookworm; do
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $codename" 2>/dev/null | head -n 1)
    [ -n "$mirror" ] && break
  done
  [ -n "$mirror" ] || die "apt has no mirror of Debian 12 or 13 configured"
  mkdir -p "$cache/apt/lists/partial" "$cache/apt/archives/partial"
  cat >"$cache/apt/vkgpt.sources" <<SOURCES
Types: deb deb-src
URIs: $mirror
Suites: trixie trixie-backports
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
SOURCES
  cat >"$cache/apt/apt.conf" <<CONF
Dir::Etc::sourcelist "$cache/apt/vkgpt.sources";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State::lists "$cache/apt/lists";
Dir::Cache "$cache/apt";
APT::Sandbox::User "";
CONF
  export APT_CONFIG=$cache/apt/apt.conf
  apt-get update -qq >"$log" 2>&1 || die "apt-get update failed: $(tail -n 1 "$log")"
}

# Downloads packages, which apt verifies, and unpacks them into a directory.
unpack() {  # directory package...
  local directory=$1 downloads deb
  shift
  downloads=$(mktemp -d "$cache/downloads.XXXXXX")
  (cd "$downloads" && apt-get download "$@") >"$log" 2>&1 || die "cannot download $*: $(tail -n 1 "$log")"
  for deb in "$downloads"/*.deb; do dpkg-deb -x "$deb" "$directory"; done
  rm -rf "$downloads"
}

missing_libraries() { LD_LIBRARY_PATH=$driver/$libraries:$nvk/$libraries ldd "$@" | sed -n 's/^\s*\(\S*\) => not found.*/\1/p' | sort -u; }

get_drivers() {
  local depends version
  version=$(apt-cache madison mesa-vulkan-drivers | sed -n "s/^[^|]*| *\($mesa-[^ ]*\) .*/\1/p" | head -n 1)
  [ -n "$version" ] || die "the mirror has no mesa-vulkan-drivers $mesa in trixie"
  echo "vendor_check: unpacking Mesa $version" >&2
  rm -rf "$driver"
  unpack "$driver" "mesa-vulkan-drivers=$version"
  set -- "$driver/$libraries"/libvulkan_{radeon,intel}.so
  if [ -n "$(missing_libraries "$@")" ]; then
    depends=$(apt-cache show "mesa-vulkan-drivers=$version" | sed -n 's/^Depends: //p' | tr ',' '\n' | sed 's/^ //; s/[ (|:].*$//' | awk 'NF' | grep -v '^libc6$' || true)
    # shellcheck disable=SC2086
    unpack "$driver" $depends
  fi
  [ -z "$(missing_libraries "$@")" ] || die "Mesa $version needs libraries that are missing: $(missing_libraries "$@" | tr '\n' ' ')"
  for name in radeon intel; do
    printf '{"file_format_version": "1.0.0", "ICD": {"library_path": "%s", "api_version": "1.3.0"}}\n' \
      "$driver/$libraries/libvulkan_$name.so" >"$driver/$name.json"
  done
  echo "$version" >"$driver/version"
}

get_tools() {
  echo "vendor_check: unpacking what the stub is built with" >&2
  rm -rf "$root"
  unpack "$root" python3.13-minimal libpython3.13-minimal libpython3.13-stdlib libexpat1 \
    meson python3-mako python3-markupsafe python3-packaging python3-yaml bison flex m4 \
    libdrm-dev libdrm2 libdrm-intel1 libdrm-amdgpu1 libdrm-radeon1 libdrm-nouveau2 libpciaccess-dev libpciaccess0 \
    libelf-dev libelf1t64 libexpat1-dev zlib1g-dev zlib1g libzstd-dev libzstd1 xz-utils liblzma5
  ln -sf python3.13 "$root/usr/bin/python3"
  touch "$root/complete"
}

# Mesa's source, by an xz that the system may not have.
unpack_source() {  # directory
  mkdir "$1/mesa"
  LD_LIBRARY_PATH=$root/$libraries "$root/usr/bin/xz" -dc "$1"/mesa_$mesa.orig.tar.xz | tar -xf - -C "$1/mesa" --strip-components=1
}

# NVK of trixie-backports, with the libraries that it asks for beyond what is there.
get_nvk() {
  local version depends
  version=$(apt-cache madison mesa-vulkan-drivers | sed -n 's/^[^|]*| *\(26\.[^ ]*\) .*/\1/p' | head -n 1)
  [ -n "$version" ] || die "the mirror has no mesa-vulkan-drivers 26 in trixie-backports"
  echo "vendor_check: unpacking Mesa $version for NVK" >&2
  rm -rf "$nvk"
  unpack "$nvk" "mesa-vulkan-drivers=$version"
  if [ -n "$(missing_libraries "$nvk/$libraries/libvulkan_nouveau.so")" ]; then
    depends=$(apt-cache show "mesa-vulkan-drivers=$version" | sed -n 's/^Depends: //p' | tr ',' '\n' | sed 's/^ //; s/[ (|:].*$//' | awk 'NF' | grep -v '^libc6$' || true)
    # shellcheck disable=SC2086
    unpack "$nvk" $depends
  fi
  [ -z "$(missing_libraries "$nvk/$libraries/libvulkan_nouveau.so")" ] || die "NVK needs libraries that are missing"
  printf '{"file_format_version": "1.0.0", "ICD": {"library_path": "%s", "api_version": "1.3.0"}}\n' \
    "$nvk/$libraries/libvulkan_nouveau.so" >"$nvk/nouveau.json"
  echo "$version" >"$nvk/version"
}

# The stub of NVIDIA's kernel driver: a few plain C files. It knows Turing and Ampere; NVK asks for a class of each kind,
# whose numbers for Ada (0x190) and Blackwell (0x1b0) are added to its switches.
build_nvk_stub() {
  local work version noop files name
  version=$(cat "$driver/version")
  work=$(mktemp -d "$cache/build.XXXXXX")
  echo "vendor_check: building the stub of NVIDIA's kernel driver from Mesa's source" >&2
  (cd "$work" && apt-get source --tar-only "mesa=$version") >"$log" 2>&1 || die "cannot download Mesa's source: $(tail -n 1 "$log")"
  unpack_source "$work"
  noop=$work/mesa/src/nouveau/drm-shim/nouveau_noop.c
  awk '
    # The four switches over chips, in this order: M2MF, which is as on Ampere, DMA copy, 3D, compute.
    BEGIN { split("0 0xc7b5 0xc997 0xc9c0", ada); split("0 0xcab5 0xce97 0xcec0", blackwell) }
    /case 0x170:/ {
      indent = substr($0, 1, index($0, "case") - 1)
      if (++part == 1) {
        print indent "case 0x1b0:\n" indent "case 0x190:"
      } else {
        printf "%scase 0x190: sclass->sclass.oclass[idx].oclass = %s; break;\n", indent, ada[part]
        printf "%scase 0x1b0: sclass->sclass.oclass[idx].oclass = %s; break;\n", indent, blackwell[part]
      }
    }
    { print }' "$noop" >"$noop.new"
  mv "$noop.new" "$noop"
  [ "$(grep -c '0x1b0' "$noop")" -eq 4 ] || die "Mesa's nouveau_noop.c is not as expected"
  files="src/drm-shim/device.c src/drm-shim/drm_shim.c src/nouveau/drm-shim/nouveau_noop.c src/c11/impl/threads_posix.c src/c11/impl/time.c"
  for name in hash_table set ralloc vma os_file os_misc log u_debug u_process memstream anon_file futex simple_mtx u_call_once blob; do
    [ ! -e "$work/mesa/src/util/$name.c" ] || files="$files src/util/$name.c"
  done
  # shellcheck disable=SC2086
  (cd "$work/mesa" && gcc -shared -fPIC -O1 -w -std=gnu11 -o "$nvk_stub.new" -D_GNU_SOURCE -DHAVE_PTHREAD -DHAVE_LINUX_FUTEX_H \
    -DHAVE_STRUCT_TIMESPEC -DHAVE_SECURE_GETENV -DHAVE_MEMFD_CREATE -DHAVE_DLFCN_H -DHAVE_PROGRAM_INVOCATION_NAME -DHAVE_FLOCK \
    -DHAVE___BUILTIN_FFS -DHAVE___BUILTIN_FFSLL -DHAVE___BUILTIN_CLZ -DHAVE___BUILTIN_CLZLL -DHAVE___BUILTIN_POPCOUNT \
    -DHAVE_UINT128 -DDETECT_OS_LINUX=1 -DUTIL_ARCH_LITTLE_ENDIAN=1 -DUTIL_ARCH_BIG_ENDIAN=0 -DMESA_DEBUG=0 -DHAVE_NOOP=1 \
    -Iinclude -Isrc -Isrc/mesa -Isrc/gallium/include -Isrc/nouveau/headers -Isrc/nouveau "-I$root/usr/include" \
    "-I$root/usr/include/libdrm" $files -ldl -lpthread) >"$log" 2>&1 || die "building NVIDIA's stub failed; the log is $log"
  mv "$nvk_stub.new" "$nvk_stub"
  rm -rf "$work"
}

# The stub answers the ioctls of Intel's kernel driver, as far as ANV asks before it executes anything.
build_stub() {
  local work version
  version=$(cat "$driver/version")
  work=$(mktemp -d "$cache/build.XXXXXX")
  echo "vendor_check: building the stub of Intel's kernel driver from Mesa's source" >&2
  (cd "$work" && apt-get source --tar-only "mesa=$version") >"$log" 2>&1 || die "cannot download Mesa's source: $(tail -n 1 "$log")"
  unpack_source "$work"
  (
    export PATH=$root/usr/bin:$PATH LD_LIBRARY_PATH=$root/$libraries PYTHONPATH=$root/usr/lib/python3/dist-packages
    export BISON_PKGDATADIR=$root/usr/share/bison M4=$root/usr/bin/m4
    export PKG_CONFIG_LIBDIR=$root/$libraries/pkgconfig:$root/usr/share/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root
    export CFLAGS="-g0 -I$root/usr/include" CXXFLAGS="-g0 -I$root/usr/include" LDFLAGS=-L$root/$libraries
    python3 "$root/usr/bin/meson" setup "$work/build" "$work/mesa" -Dbuildtype=release -Dtools=drm-shim,intel \
      -Dgallium-drivers=crocus -Dvulkan-drivers= -Dllvm=disabled -Dplatforms= -Dglx=disabled -Degl=disabled \
      -Dgbm=disabled -Dopengl=false -Dgles1=disabled -Dgles2=disabled -Dvideo-codecs= -Dvalgrind=disabled \
      -Dlibunwind=disabled -Dlmsensors=disabled &&
      nice -n 10 ninja -C "$work/build" src/intel/tools/libintel_noop_drm_shim.so
  ) >"$log" 2>&1 || die "building the stub failed; the log is $log"
  cp "$work/build/src/intel/tools/libintel_noop_drm_shim.so" "$stub.new"
  mv "$stub.new" "$stub"
  rm -rf "$work"
}

if [ ! -e "$driver/version" ] || [ ! -e "$root/complete" ] || [ ! -e "$stub" ] || [ ! -e "$nvk/version" ] || [ ! -e "$nvk_stub" ]; then
  use_own_apt
  [ -e "$driver/version" ] || get_drivers
  [ -e "$root/complete" ] && [ -e "$root/usr/bin/xz" ] || get_tools
  [ -e "$stub" ] || build_stub
  [ -e "$nvk/version" ] || get_nvk
  [ -e "$nvk_stub" ] || build_nvk_stub
fi

amd=(navi21 navi31 gfx1201)
intel=(tgl dg2 bmg)
nvidia=(turing ampere ada blackwell)
presets=(gpt2 smollm2-135m llama-tiny wide gemma odd packed dropout muon medium broad q8_0 q4_0 nf4)
if $quick; then
  amd=(navi31)
  intel=(dg2)
  nvidia=(ada)
  presets=(gpt2 wide gemma packed dropout muon medium broad q8_0 q4_0 nf4)
fi
if [ -z "$out" ]; then
  out=$cache/reports
  rm -rf "$out"
fi
mkdir -p "$out"
reports=()
chip_of() { case $1 in turing) echo 162 ;; ampere) echo 172 ;; ada) echo 192 ;; blackwell) echo 1b2 ;; esac; }

report() {  # device preset dtype VARIABLE=value...
  local device=$1 preset=$2 dtype=$3 amp=$3 file options=()
  shift 3
  [ "$dtype" = fp32 ] && amp=off
  file=$out/$device-$preset-$dtype.json
  case $preset in
    # gpt2 with products on cooperative matrices where they are not the device's first choice
    matrices) preset=gpt2 options=(--matmul_backend khr) ;;
    # attention on cooperative matrices where it is there on request only
    attention) preset=gpt2 options=(--n_layer 1 --attention_backend khr) ;;
    dropout) preset=gpt2 options=(--n_layer 1 --dropout 0.1 --logit_softcap 30) ;;
    # heads of 128 that share keys
    wide) preset=gpt2 options=(--n_layer 1 --n_head 6 --n_kv_head 3) ;;
    # Gemma 3's shape: heads of 256 that share keys, windows, norms of heads and branches, a vocabulary of 2^18
    gemma)
      preset=gpt2
      options=(--n_layer 2 --n_embd 640 --n_head 4 --n_kv_head 1 --head_dim 256 --n_inner 2048 --vocab_size 262144
        --norm rmsnorm1p --mlp geglu --no-bias --qk_norm --branch_norms --embedding_scale 25.3 --pos_encoding rope
        --rope_layers lr --attention_window 512 --window_layers wf --batch_size 4)
      ;;
    # heads of 80 and, packed, windows
    odd)
      preset=gpt2
      options=(--n_layer 1 --n_embd 640 --n_head 8 --attention_window 512 --pack documents --mlp relu2)
      ;;
    # what few runs take: Muon, averaged weights, blocks side by side, texts that choose their adapter
    muon) preset=gpt2 options=(--n_layer 1 --optimizer muon --ema --parallel_blocks --adapters 3) ;;
    # rows of 1024; pairs of replies, 8-bit moments, two ranks
    medium)
      preset=gpt2
      options=(--n_layer 1 --n_embd 1024 --n_head 16 --objective dpo --init_from - --optimizer adamw8 --ranks 2)
      [ "$dtype" = fp32 ] || options+=(--wire bf16)
      ;;
    # rows of 2048 and of 32,000 logits; Lion, activations put aside
    broad)
      preset=gpt2
      options=(--n_layer 2 --n_embd 2048 --n_head 32 --vocab_size 32000 --optimizer lion --offload activations)
      ;;
    # documents share a sequence; several texts are continued together in f16
    packed) preset=gpt2 options=(--pack documents --dtype f16 --slots 8) ;;
    # adapters on weights in blocks; texts are continued with those too
    q8_0 | q4_0 | nf4)
      options=(--base_dtype "$preset" --lora_rank 16 --lora_dropout 0.1 --init_from - --dtype "$preset" --slots 8)
      preset=smollm2-135m
      ;;
  esac
  env -u DISPLAY LD_LIBRARY_PATH="$driver/$libraries" MESA_SHADER_CACHE_DISABLE=true XDG_CACHE_HOME="$cache/shaders" "$@" \
    "$program" kernels --stats --json --preset "$preset" --amp "$amp" "${options[@]}" \
    --text_dir "${file%.json}.texts" >"$file" 2>"$log" ||
    die "$device, $preset, $dtype: $(grep -a 'vkgpt: error' "$log" || tail -n 1 "$log")"
  reports+=("$file")
}

for preset in "${presets[@]}"; do
  for dtype in fp32 fp16; do
    for device in "${amd[@]}"; do
      report "$device" "$preset" "$dtype" RADV_FORCE_FAMILY="$device" VK_DRIVER_FILES="$driver/radeon.json"
    done
    for device in "${intel[@]}"; do
      report "$device" "$preset" "$dtype" INTEL_STUB_GPU_PLATFORM="$device" LD_PRELOAD="$stub" VK_DRIVER_FILES="$driver/intel.json"
    done
    for device in "${nvidia[@]}"; do
      report "$device" "$preset" "$dtype" NOUVEAU_CHIPSET="$(chip_of "$device")" LD_PRELOAD="$nvk_stub" \
        LD_LIBRARY_PATH="$nvk/$libraries" VK_DRIVER_FILES="$nvk/nouveau.json"
    done
  done
done

for device in dg2 bmg; do
  [[ " ${intel[*]} " = *" $device "* ]] || continue
  for preset in matrices attention; do
    report "$device" "$preset" fp16 INTEL_STUB_GPU_PLATFORM="$device" LD_PRELOAD="$stub" VK_DRIVER_FILES="$driver/intel.json"
  done
done

commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
[ -z "$(git status --porcelain -- src include shaders 2>/dev/null)" ] || commit="$commit, with changes"
LD_LIBRARY_PATH=$root/$libraries "$root/usr/bin/python3" tools/vendor_table.py --driver "$(cat "$driver/version") and $(cat "$nvk/version")" \
  --commit "$commit" --date "$(date +%F)" --output "${table:-$out/vendor.md}" "${reports[@]}"
