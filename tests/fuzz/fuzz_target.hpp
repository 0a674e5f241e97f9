#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/file.hpp"

#include "support/temp_directory.hpp"

namespace vkgpt::fuzz {

/// Feeds one input of unknown origin to a parser. An `Error` is caught for it; anything else is a finding.
using Target = void (*)(std::string_view input);

/// Every target with its name.
inline std::vector<std::pair<std::string_view, Target>>& targets() {
  static std::vector<std::pair<std::string_view, Target>> all;
  return all;
}

/// Runs a target on one input; an `Error` must be one line.
void run(Target target, std::string_view input);

/// A directory in memory that a target's files go to, the same one for every input.
const Path& directory();

/// Writes `directory()` / `name` and gives its path.
Path write_input(std::string_view name, std::string_view input);

}  // namespace vkgpt::fuzz

/// `VKGPT_FUZZ_TARGET(name) { ... input ... }`, once in NAME_fuzz.cpp, inside namespace vkgpt::fuzz.
#define VKGPT_FUZZ_TARGET(name)                                                                        \
  static void fuzz_##name(std::string_view input);                                                     \
  [[maybe_unused]] static const auto& registered_##name = targets().emplace_back(#name, &fuzz_##name); \
  static void fuzz_##name(std::string_view input)
