#pragma once

#include <stdexcept>
#include <string>

#include "vkgpt/core/format.hpp"

namespace vkgpt {

/// A broken invariant: a defect of vkgpt itself, never of its input.
class CheckFailure : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

[[noreturn]] void check_failed(const char* expression, const char* file, int line, const std::string& detail);

}  // namespace vkgpt

/// Guards an invariant in every build: `VKGPT_CHECK(i < n, "i = {}", i)`. Throws `CheckFailure`.
#define VKGPT_CHECK(condition, ...)                                                           \
  do {                                                                                        \
    if (!(condition)) [[unlikely]] {                                                          \
      ::vkgpt::check_failed(#condition, __FILE__, __LINE__, ::vkgpt::format("" __VA_ARGS__)); \
    }                                                                                         \
  } while (false)
