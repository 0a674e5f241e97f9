#pragma once

#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/plan/executor.hpp"
#include "vkgpt/plan/schedule.hpp"
#include "vkgpt/plan/tensor_store.hpp"
#include "vkgpt/vk/context.hpp"

namespace vkgpt::plan {

/// A dispatch of a profiled segment. Dispatches of a group may overlap: each lasts from the end of the one
/// before it, or from the barrier, to its own end.
struct ProfiledDispatch {
  std::string label;
  std::string stem;
  Cost cost;
  int group = 0;        // between two barriers, from 0
  double begin_ns = 0;  // since the segment began on the device
  double end_ns = 0;
};

/// Times of the host are nanoseconds since the profiler was made.
struct ProfiledSegment {
  std::string name;
  double record_ns = 0;     // recording began
  double submit_ns = 0;     // it ended, submitting began
  double submitted_ns = 0;  // submitting ended, waiting began
  double waited_ns = 0;     // the device had finished
  std::vector<ProfiledDispatch> dispatches;

  /// On the device, from the first timestamp to the last.
  double device_ns() const { return dispatches.empty() ? 0 : dispatches.back().end_ns; }
};

/// Reads a schedule as the executor does, barriers included, and writes a timestamp after every dispatch.
class Profiler {
 public:
  /// All outlive the profiler; `store` has reserved `schedule`. Throws `Error` where the device has no
  /// timestamps.
  Profiler(vk::Context& context, const TensorStore& store, const Schedule& schedule);

  /// Runs a segment on what the slot holds, and waits. Work longer than `Executor::kSubmitBudgetNs`, by the
  /// times of the same dispatches in `expected`, is cut into several command buffers.
  ProfiledSegment run(std::string_view segment, int slot, std::span<const DispatchTime> expected);

 private:
  double now_ns() const;

  vk::Context& context_;
  const TensorStore& store_;
  const Schedule& schedule_;
  std::chrono::steady_clock::time_point origin_;
};

}  // namespace vkgpt::plan
