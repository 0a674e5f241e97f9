# Sourced from the checkout's root. apt with lists, caches and archives of its own under .vkgpt/, on the mirrors that the
# system's apt knows: the system's own lists and archives stay as they are.
# A user who is root in a user namespace has a folder apart from root's.
own_apt_dir=${own_apt_dir:-$PWD/.vkgpt/apt-$(id -u)$(awk '$2 > 0 { print "-" $2; exit }' /proc/self/uid_map 2>/dev/null || true)}
own_apt=(-o "Dir::State::Lists=$own_apt_dir/lists" -o "Dir::Cache=$own_apt_dir/cache" -o "APT::Sandbox::User="
         -o APT::Install-Recommends=false -o Acquire::Languages=none)

own_update() {
  mkdir -p "$own_apt_dir/lists/partial" "$own_apt_dir/cache/archives/partial"
  apt-get "${own_apt[@]}" update -qq >"$own_apt_dir/log" 2>&1 ||
    echo "apt-get update had errors, going on: $(tail -n 1 "$own_apt_dir/log")" >&2
}

# Prints the mirror that holds a release of Debian, nothing when apt's sources name none.
mirror_of() {  # codename
  local query=(indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' "Codename: $1")
  { apt-get "${own_apt[@]}" "${query[@]}" && apt-get "${query[@]}"; } 2>/dev/null | head -n 1  # codenames are in the lists
}

# From here on, the packages of these suites of a mirror and of nothing else, with lists of their own.
use_suites() {  # mirror suite...
  local mirror=$1 suite
  shift
  own_apt_dir+=/$1
  mkdir -p "$own_apt_dir"
  for suite in "$@"; do echo "deb $mirror $suite main"; done >"$own_apt_dir/sources.list"
  own_apt+=(-o "Dir::Etc::SourceList=$own_apt_dir/sources.list" -o Dir::Etc::SourceParts=/dev/null
            -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null -o "Dir::State::Lists=$own_apt_dir/lists"
            -o "Dir::Cache=$own_apt_dir/cache" -o "APT::Default-Release=${!#}")
  own_update
}

# Downloads packages, which apt verifies, into a new folder and prints its name.
own_download() {  # package[=version]...
  local folder
  [ -d "$own_apt_dir/lists" ] || own_update
  folder=$(mktemp -d "$own_apt_dir/download.XXXXXX")
  if (cd "$folder" && apt-get "${own_apt[@]}" download -qq "$@") >"$own_apt_dir/log" 2>&1; then
    echo "$folder"
  else
    tail -n 3 "$own_apt_dir/log" >&2
    rm -rf "$folder"
    return 1
  fi
}

# Unpacks packages in a folder, where nothing is configured and no script of theirs runs.
own_unpack() {  # folder package[=version]...
  local downloads deb
  downloads=$(own_download "${@:2}") || return 1
  mkdir -p "$1"
  for deb in "$downloads"/*.deb; do dpkg-deb -x "$deb" "$1" || return 1; done
  rm -rf "$downloads"
}

as_root() {  # command...
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo "$1 must run as root: start as root or install sudo" >&2
    return 1
  fi
}
