#pragma once

#include <string>

namespace vkgpt::cli {

/// Prints what a command has written, as a line: to a program the path as it is, to a terminal one that it
/// cannot obey.
void print_path(const std::string& path);

}  // namespace vkgpt::cli
