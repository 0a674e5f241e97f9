#pragma once

#include <optional>
#include <string>
#include <vector>

namespace vkgpt::cli {

/// Runs a program of the PATH, its output discarded; its exit code, or nothing where there is no such
/// program.
std::optional<int> run_process(std::vector<std::string> words);

}  // namespace vkgpt::cli
