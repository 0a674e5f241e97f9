#include "support/paths.hpp"

namespace vkgpt::test {

std::filesystem::path source_dir() {
  return VKGPT_SOURCE_DIR;
}

std::filesystem::path program() {
  return VKGPT_PROGRAM;
}

}  // namespace vkgpt::test
