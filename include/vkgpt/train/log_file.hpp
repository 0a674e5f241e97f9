#pragma once

#include <functional>
#include <string_view>

#include "vkgpt/core/file.hpp"

namespace vkgpt::train {

/// A file that only grows, in the system's hands as soon as `append` returns. A write that fails (a full
/// disk) is warned of once and training goes on.
class LogFile {
 public:
  /// Opens or creates `path`. Throws `IoError`.
  explicit LogFile(const Path& path);
  LogFile(LogFile&& other) noexcept;
  LogFile& operator=(LogFile&&) = delete;
  ~LogFile();

  /// False where not all of it could be written.
  bool append(std::string_view text);
  /// Whether the end of the file is a part of what was appended.
  bool torn() const { return torn_; }

 private:
  Path path_;
  int fd_ = -1;
  bool torn_ = false;
  bool warned_ = false;
};

/// Gives `take` each line of a file of any size, with its end, which the last may lack. Throws `IoError`.
void for_each_line(const Path& path, const std::function<void(std::string_view)>& take);

/// As `replace_file`, with contents of any size: what `fill` gives to its argument, in order.
void replace_log(const Path& path,
                 const std::function<void(const std::function<void(std::string_view)>&)>& fill);

}  // namespace vkgpt::train
