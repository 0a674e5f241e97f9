#include "vkgpt/core/lfs_pointer.hpp"

#include <algorithm>
#include <span>
#include <string>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt {

void refuse_lfs_pointer(const Path& path, std::string_view begin) {
  if (!begin.starts_with(kLfsPointer)) return;
  fail("{} is a Git LFS pointer, not the file itself: run 'git lfs pull' in its repository",
       printable(path.string(), 200));
}

void refuse_lfs_pointer(const InputFile& file) {
  std::string begin(std::min<std::size_t>(file.size(), kLfsPointer.size()), '\0');
  file.read_at(0, std::as_writable_bytes(std::span(begin)));
  refuse_lfs_pointer(file.path(), begin);
}

}  // namespace vkgpt
