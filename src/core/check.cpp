#include "vkgpt/core/check.hpp"

namespace vkgpt {

void check_failed(const char* expression, const char* file, int line, const std::string& detail) {
  throw CheckFailure(std::format("internal error: {} does not hold at {}:{}{}{}", expression, file, line,
                                 detail.empty() ? "" : ": ", detail));
}

}  // namespace vkgpt
