#include "vkgpt/core/format.hpp"

namespace vkgpt {

std::string vformat(std::string_view format, std::format_args args) {
  return std::vformat(format, args);
}

}  // namespace vkgpt
