#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "vkgpt/core/file.hpp"

namespace vkgpt::cli {

/// A file on the net whose contents are known.
struct RemoteFile {
  std::string_view url;
  std::uint64_t size = 0;   ///< bytes
  std::string_view sha256;  ///< 64 hexadecimal digits
};

/// Fetches `file` to `path` with the system's curl, or wget where that is missing. It arrives beside `path`
/// as
/// ".part", goes on where an interrupted one stopped, and gets its name only after its checksum was right.
/// False where it was there already. Throws `Error` when offline, for wrong contents, and where `path` holds
/// something else.
bool download(const RemoteFile& file, const Path& path);

}  // namespace vkgpt::cli
