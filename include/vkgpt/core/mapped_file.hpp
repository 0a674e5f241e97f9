#pragma once

#include <cstddef>
#include <span>

#include "vkgpt/core/file.hpp"

namespace vkgpt {

/// A regular file mapped into memory for reading: its pages come from the disk when they are touched and may
/// leave again, so that a file may be larger than memory.
///
/// A file that another program shortens while it is mapped ends this process with SIGBUS when the missing
/// part is read; nothing that reads by memory map can avoid that. Replace such files by renaming.
class MappedFile {
 public:
  /// Throws `IoError` when `path` cannot be opened or mapped and `Error` when it is not a regular file.
  explicit MappedFile(const Path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile();

  const Path& path() const { return path_; }
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  Path path_;
  std::span<const std::byte> bytes_;
};

}  // namespace vkgpt
