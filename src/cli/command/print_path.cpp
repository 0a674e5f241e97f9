#include "cli/command/print_path.hpp"

#include <print>

#include <unistd.h>

#include "vkgpt/core/utf8.hpp"

namespace vkgpt::cli {

void print_path(const std::string& path) {
  std::print("{}\n", ::isatty(STDOUT_FILENO) == 1 ? printable(path, std::string::npos) : path);
}

}  // namespace vkgpt::cli
