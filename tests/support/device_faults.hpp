#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "vkgpt/vk/context.hpp"

namespace vkgpt::test {

/// Opens the test device again and again and loses it at chosen calls of its driver. Counted are those by
/// which a program learns of a loss: submitting, waiting, allocating memory, reading timestamps and opening
/// the device. After a loss the device stays lost until the next one is opened. One lives at a time.
class DeviceFaults {
 public:
  /// `at`: the calls, counted from 1 over all devices that are opened, each of which loses the device of
  /// then.
  explicit DeviceFaults(std::vector<std::int64_t> at);
  ~DeviceFaults();
  DeviceFaults(const DeviceFaults&) = delete;
  DeviceFaults& operator=(const DeviceFaults&) = delete;

  std::unique_ptr<vk::Context> open();
  std::int64_t calls() const;
  int losses() const;
};

}  // namespace vkgpt::test
