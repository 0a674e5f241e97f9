#pragma once

#include <string>

#include "vkgpt/core/error.hpp"

namespace vkgpt::plan {

/// The sizes of a configuration ask for more than a device allows: a usage error, not a defect.
class TooLarge : public Error {
 public:
  /// `what` says what is too large, and for what.
  explicit TooLarge(const std::string& what)
      : Error(what + ": choose smaller sizes (--batch_size, --block_size, --n_embd, --n_layer)",
              ExitCode::kUsage) {}
};

/// Throws `TooLarge` with the message unless `fits`.
template <typename... Args>
void check_fits(bool fits, std::format_string<Args...> format, Args&&... args) {
  if (!fits) [[unlikely]]
    throw TooLarge(vkgpt::vformat(format.get(), std::make_format_args(args...)));
}

}  // namespace vkgpt::plan
