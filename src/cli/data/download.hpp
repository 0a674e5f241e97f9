#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "vkgpt/core/file.hpp"

namespace vkgpt::cli {

/// A file on the net whose contents are known.
struct RemoteFile {
  std::string url;
  std::uint64_t size = 0;  ///< bytes
  std::string sha256;      ///< 64 hexadecimal digits
};

/// Called with the bytes that are there.
using OnBytes = std::function<void(std::uint64_t)>;

/// Fetches `file` to `path` with the system's curl, or wget where that is missing. It arrives beside `path`
/// as ".part", goes on where an interrupted one stopped, and gets its name only after its checksum was right.
/// False where it was there already. Throws `Error` when offline, for wrong contents, and where `path` holds
/// something else.
bool download(const RemoteFile& file, const Path& path, const OnBytes& on_bytes = {});

/// Writes beside a file what was checked when it arrived, so that it is known again without the net.
void note_checksum(const Path& path, const std::string& sha256);
/// Whether a file and its note are there. Throws `Error` where the file is not what was noted.
bool is_fetched(const Path& path);

/// What the Hugging Face hub says of a file that it keeps in its large file storage: the headers
/// X-Linked-Size and X-Linked-ETag of its answer. `scratch` is a file for the answer. Throws `Error` when
/// offline, and where the server does not say both.
RemoteFile ask_hub(const std::string& url, const Path& scratch);

}  // namespace vkgpt::cli
