#include "vkgpt/core/check.hpp"

#include "vkgpt/core/format.hpp"

namespace vkgpt {

void check_failed(const char* expression, const char* file, int line, const std::string& detail) {
  throw CheckFailure(vkgpt::format("internal error: {} does not hold at {}:{}{}{}", expression, file, line,
                                   detail.empty() ? "" : ": ", detail));
}

}  // namespace vkgpt
