#pragma once

#include <string_view>

#include "vkgpt/core/file.hpp"

namespace vkgpt {

/// How the few lines begin that a clone without Git LFS leaves in place of a large file.
inline constexpr std::string_view kLfsPointer = "version https://git-lfs";

/// Throws `Error` where `begin`, the first bytes of the file `path`, are such a pointer.
void refuse_lfs_pointer(const Path& path, std::string_view begin);
/// Reads the first bytes. Throws `Error` likewise.
void refuse_lfs_pointer(const InputFile& file);

}  // namespace vkgpt
