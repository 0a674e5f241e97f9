#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "vkgpt/core/status_line.hpp"

#include "cli/command/command_group.hpp"

namespace vkgpt::cli {

extern const CommandGroup kDataGroup;

int run_data_get(std::span<const std::string> args);
int run_data_prepare(std::span<const std::string> args);
int run_data_info(std::span<const std::string> args);

/// Bytes that go by, on a terminal: "[####........] 812 MiB of 2 GiB | 61.2 MB/s | eta 20s".
class ByteProgress {
 public:
  /// `done` bytes of all; `remark` follows.
  void update(std::uint64_t done, std::optional<std::uint64_t> total, const std::string& remark = {});
  void clear() { line_.clear(); }
  double seconds() const;

 private:
  StatusLine line_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::optional<std::uint64_t> first_;  // what was done before: an earlier run's share has no speed
};

}  // namespace vkgpt::cli
