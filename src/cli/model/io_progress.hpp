#pragma once

#include <cstdint>
#include <string>
#include <thread>

namespace vkgpt::cli {

/// Shows on a terminal, while it lives, how much of a long piece of reading and writing is done, as the
/// system counts this process's bytes.
class IoProgress {
 public:
  /// `bytes` that will be read and written in all; `what` completes "importing".
  IoProgress(std::string what, std::uint64_t bytes);
  IoProgress(const IoProgress&) = delete;
  IoProgress& operator=(const IoProgress&) = delete;
  ~IoProgress() = default;

 private:
  std::jthread thread_;
};

/// Bytes that this process has read and written so far; 0 where the system does not count.
std::uint64_t transferred_bytes();

}  // namespace vkgpt::cli
