#include "vkgpt/plan/taps.hpp"

#include <optional>
#include <utility>
#include <vector>

#include "vkgpt/core/check.hpp"

namespace vkgpt::plan {
namespace {

/// Index of the last dispatch of `segment` that writes bytes of `info`.
std::optional<std::size_t> last_write(const Segment& segment, const TensorInfo& info) {
  const std::uint64_t end = info.root_offset + info.bytes();
  std::optional<std::size_t> last;
  for (std::size_t i = 0; i < segment.dispatches.size(); ++i) {
    for (const Binding& binding : segment.dispatches[i].bindings) {
      const bool overlaps = binding.tensor == info.root && binding.offset < end &&
                            info.root_offset < binding.offset + binding.size;
      if (overlaps && binding.writes()) last = i;
    }
  }
  return last;
}

struct TapPoint {
  std::size_t dispatch = 0;
  Tensor tensor;
  const Tap* tap = nullptr;
};

/// Transient names may recur from segment to segment: the tensor meant is the one this segment writes.
TapPoint find_point(const Plan& plan, const Segment& segment, const Tap& tap) {
  for (std::size_t i = 0; i < plan.tensors.size(); ++i) {
    const TensorInfo& info = plan.tensors[i];
    if (info.name != tap.tensor) continue;
    if (const auto at = last_write(segment, info)) return {*at, {TensorId(i), info.shape, info.dtype}, &tap};
  }
  VKGPT_CHECK(false, "{} does not write {}", segment.name, tap.tensor);
  __builtin_unreachable();
}

}  // namespace

Plan add_taps(const Plan& plan, const vk::DeviceCaps& caps, std::span<const Tap> taps) {
  PlanBuilder builder(caps, plan);
  for (const Segment& segment : plan.segments) {
    std::vector<TapPoint> points;
    for (const Tap& tap : taps) {
      if (tap.segment == segment.name) points.push_back(find_point(plan, segment, tap));
    }
    builder.begin_segment(segment.name);
    for (std::size_t i = 0; i < segment.dispatches.size(); ++i) {
      builder.append(segment.dispatches[i]);
      for (const TapPoint& point : points) {
        if (point.dispatch != i) continue;
        const PlanBuilder::Scope scope = builder.scope("tap");
        point.tap->emit(builder, point.tensor);
      }
    }
  }
  return std::move(builder).finish();
}

}  // namespace vkgpt::plan
