#pragma once

#include <span>
#include <string>

#include "cli/data/download.hpp"

namespace vkgpt::cli {

/// A file that an archive holds.
struct MemberFile {
  std::string member;  ///< its name in the archive
  Path path;           ///< where it is wanted
};

/// Fetches a zip archive to `zip`, as `download` does, takes these files out of it and removes it. Beside
/// each stands its checksum, by which it is known again without the net. False where all were there. Throws
/// `Error`.
bool fetch_members(const RemoteFile& archive, const Path& zip, std::span<const MemberFile> members,
                   const OnBytes& on_bytes = {});

}  // namespace vkgpt::cli
