#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <volk.h>

#include "vkgpt/vk/command_buffer.hpp"
#include "vkgpt/vk/device.hpp"

namespace vkgpt::vk {

/// The compute queue with a timeline semaphore: every submission signals the next value.
class Queue {
 public:
  explicit Queue(const Device& device);
  ~Queue();
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  /// Submits and returns the timeline value that its completion signals. `label` names the work in messages.
  std::uint64_t submit(const CommandBuffer& commands, std::string_view label);
  /// Value of the last submission.
  std::uint64_t submitted() const { return submitted_; }
  /// Highest value that has completed.
  std::uint64_t completed() const;
  /// Blocks until `value` has completed. Throws `DeviceLost` with the label of the last submission.
  void wait(std::uint64_t value) const;
  void wait_idle() const { wait(submitted_); }
  /// The same for destructors: what a lost device had in flight counts as done.
  void finish() const noexcept;
  /// Seconds that `wait` has blocked so far.
  double waited_seconds() const { return waited_seconds_; }

 private:
  const Device& device_;
  VkSemaphore timeline_ = VK_NULL_HANDLE;
  std::uint64_t submitted_ = 0;
  std::string last_label_;
  mutable double waited_seconds_ = 0;
};

}  // namespace vkgpt::vk
