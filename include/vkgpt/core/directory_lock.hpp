#pragma once

#include <string_view>

#include "vkgpt/core/file.hpp"

namespace vkgpt {

/// The right to fill a directory, for one process at a time. The kernel takes it back when the process ends,
/// however it ends. File systems without locks are used unlocked.
class DirectoryLock {
 public:
  /// Throws `Error` where another process holds it; `work` is what that process does: "training in".
  DirectoryLock(const Path& directory, std::string_view work);
  /// Waits for the process that holds it: for work that takes a moment.
  explicit DirectoryLock(const Path& directory);
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;
  ~DirectoryLock();

 private:
  int fd_ = -1;
};

}  // namespace vkgpt
