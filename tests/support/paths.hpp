#pragma once

#include <filesystem>

namespace vkgpt::test {

/// The root of the source tree.
std::filesystem::path source_dir();

/// The `vkgpt` program that this build made.
std::filesystem::path program();

}  // namespace vkgpt::test
