#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "vkgpt/plan/descriptor_sets.hpp"
#include "vkgpt/plan/schedule.hpp"
#include "vkgpt/plan/tensor_store.hpp"
#include "vkgpt/vk/command_buffer.hpp"
#include "vkgpt/vk/context.hpp"

namespace vkgpt::plan {

/// For one segment: indices of the dispatches that begin a command buffer, in order, the first one always.
using CutPlan = std::vector<std::size_t>;

/// The fewest command buffers with at most `budget_ns` of work each, a longer dispatch alone in its own.
/// `nanoseconds` has the time of each dispatch.
CutPlan cuts_within(std::span<const double> nanoseconds, double budget_ns);

/// The same with the segment's own cuts.
CutPlan with_cuts(CutPlan cuts, std::span<const Cut> own, std::size_t dispatches);

/// One dispatch per command buffer.
CutPlan cuts_everywhere(std::size_t dispatches);

/// Follows the recording of a segment: replay, eager run and profiler differ only in their observers.
class RecordObserver {
 public:
  virtual ~RecordObserver() = default;

  /// The command buffer for the dispatches from a cut on. The recorder begins it.
  virtual vk::CommandBuffer& open() = 0;
  /// Around each dispatch. `begins_group`: a cut or a barrier lies between it and the one before.
  virtual void before(vk::CommandBuffer& commands, std::size_t dispatch, bool begins_group);
  virtual void after(vk::CommandBuffer& commands, std::size_t dispatch);
  /// The command buffer has ended and may be submitted.
  virtual void close(vk::CommandBuffer& commands);
};

/// Turns the segments of a schedule into command buffers: the one place where pipelines are bound, descriptor
/// sets allocated and barriers written.
class SegmentRecorder {
 public:
  /// All outlive the recorder; `store` has reserved `schedule`.
  SegmentRecorder(vk::Context& context, const TensorStore& store, const Schedule& schedule)
      : context_(context), store_(store), schedule_(schedule) {}

  /// What the dispatches of segment `index` bind for a slot.
  [[nodiscard]] DescriptorSets describe(std::size_t index, int slot) const;

  /// Records segment `index` with `descriptors`, which `describe` gave for it. Allocates nothing but what the
  /// observer does.
  void record(std::size_t index, const DescriptorSets& descriptors, const CutPlan& cuts,
              RecordObserver& observer) const;

 private:
  void record_dispatch(vk::CommandBuffer& commands, VkDescriptorSet set, std::span<const std::uint32_t> push,
                       const Dispatch& dispatch) const;

  vk::Context& context_;
  const TensorStore& store_;
  const Schedule& schedule_;
};

}  // namespace vkgpt::plan
