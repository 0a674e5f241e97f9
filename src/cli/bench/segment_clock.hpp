#pragma once

#include <string_view>
#include <vector>

#include "vkgpt/plan/executor.hpp"
#include "vkgpt/plan/plan.hpp"
#include "vkgpt/vk/command_buffer.hpp"
#include "vkgpt/vk/context.hpp"
#include "vkgpt/vk/timestamps.hpp"

namespace vkgpt::cli {

/// How often work of `cost` is repeated in a segment, so that what surrounds it does not count.
int repeats_of(const vk::DeviceCaps& caps, const plan::Cost& cost);

/// What the dispatches of a segment cost together.
plan::Cost segment_cost(const plan::Plan& plan, std::string_view segment);

/// Replays segments as training does, recorded once and with their barriers, and times them.
class SegmentClock {
 public:
  /// `context` and `executor`, which is built for its device, outlive the clock.
  SegmentClock(vk::Context& context, plan::Executor& executor);

  /// Seconds of one replay, the median of several, by the device's timestamps where it has them; a CPU
  /// driver's device is the host, whose own clock is taken. Throws `Error` when interrupted.
  double time(std::string_view segment);
  /// The least of them: for limits, which other work on the machine must not lower.
  double least_time(std::string_view segment);

 private:
  /// Ascending.
  std::vector<double> times(std::string_view segment);
  double replay(std::string_view segment);

  vk::Context& context_;
  plan::Executor& executor_;
  bool has_timestamps_;
  vk::Timestamps timestamps_;
  vk::CommandBuffer start_, stop_;  // write the timestamps around a replay
};

}  // namespace vkgpt::cli
