#include "cli/data/fetch_members.hpp"

#include <algorithm>

#include "cli/data/zip_file.hpp"

namespace vkgpt::cli {

bool fetch_members(const RemoteFile& archive, const Path& zip, std::span<const MemberFile> members,
                   const OnBytes& on_bytes) {
  if (std::ranges::all_of(members, [](const MemberFile& each) { return is_fetched(each.path); }))
    return false;
  download(archive, zip, on_bytes);
  const ZipFile file(zip);
  for (const MemberFile& each : members) {
    if (is_fetched(each.path)) continue;
    file.extract(each.member, each.path);
    note_checksum(each.path, sha256_file(each.path));
  }
  remove_tree(zip);
  return true;
}

}  // namespace vkgpt::cli
