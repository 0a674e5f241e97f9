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
  /// How long nothing may complete before a wait says what it waits for, and before it takes the device for
  /// lost. Time in which this process was stopped does not count.
  static constexpr double kPatienceSeconds = 60, kDeadlineSeconds = 600;

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
  /// Blocks until `value` has completed. Throws `DeviceLost` with the label of the last submission, also when
  /// nothing completes for `kDeadlineSeconds`.
  void wait(std::uint64_t value) const;
  void wait_idle() const { wait(submitted_); }
  /// The same for destructors: what a lost device had in flight counts as done.
  void finish() const noexcept;
  /// Seconds that `wait` has blocked so far.
  double waited_seconds() const { return waited_seconds_; }

 private:
  /// Waits as `wait` does; the result of the last call to the driver, VK_TIMEOUT past the deadline.
  VkResult wait_patiently(const VkSemaphoreWaitInfo& info) const;

  const Device& device_;
  VkSemaphore timeline_ = VK_NULL_HANDLE;
  std::uint64_t submitted_ = 0;
  std::string last_label_;
  mutable double waited_seconds_ = 0;
  mutable bool hangs_ = false;  // past the deadline: nobody waits any more
};

}  // namespace vkgpt::vk
