#pragma once

#include <stdexcept>
#include <string>

#include "vkgpt/core/format.hpp"

namespace vkgpt {

/// Exit codes of the program; see `Error::exit_code`.
enum class ExitCode { kSuccess = 0, kFailure = 1, kUsage = 2, kInterrupted = 130 };

/// A failure of the user's input or of the environment. The message says what was wrong, where, and what to
/// do, in one line. Only `main` catches it.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message, ExitCode exit_code = ExitCode::kFailure)
      : std::runtime_error(message), exit_code_(exit_code) {}

  ExitCode exit_code() const { return exit_code_; }

 private:
  ExitCode exit_code_;
};

/// Throws an `Error` (exit code 1).
template <typename... Args>
[[noreturn]] void fail(std::format_string<Args...> format, Args&&... args) {
  throw Error(vkgpt::vformat(format.get(), std::make_format_args(args...)));
}

/// Throws an `Error` for wrong flags, keys or values (exit code 2).
template <typename... Args>
[[noreturn]] void fail_usage(std::format_string<Args...> format, Args&&... args) {
  throw Error(vkgpt::vformat(format.get(), std::make_format_args(args...)), ExitCode::kUsage);
}

}  // namespace vkgpt
