#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/plan/dispatch.hpp"
#include "vkgpt/plan/tensor.hpp"

namespace vkgpt::plan {

/// A named run of dispatches that is submitted as a whole.
struct Segment {
  std::string name;
  std::vector<Dispatch> dispatches;
};

/// A step as data: virtual tensors and, by segment, the ordered dispatches that read and write them. Made by
/// `PlanBuilder`; planners, recorder, taps, profiler and dump only read it.
struct Plan {
  std::vector<TensorInfo> tensors;  // indexed by TensorId
  std::vector<Segment> segments;
  std::map<TensorId, std::vector<std::uint32_t>> constants;  // contents of the tensors of Role::kConstants

  const TensorInfo& tensor(TensorId id) const;
  /// Throws `CheckFailure` when there is none of that name.
  const Segment& segment(std::string_view name) const;
  /// The tensor of that name; throws `CheckFailure` when there is none.
  Tensor find(std::string_view name) const;
};

}  // namespace vkgpt::plan
