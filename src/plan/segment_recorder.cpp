#include "plan/segment_recorder.hpp"

#include <algorithm>
#include <cstdint>
#include <numeric>

#include "vkgpt/core/log.hpp"
#include "vkgpt/plan/kernel_list.hpp"

namespace vkgpt::plan {

CutPlan cuts_within(std::span<const double> nanoseconds, double budget_ns) {
  CutPlan cuts;
  double sum = 0;
  for (std::size_t i = 0; i < nanoseconds.size(); ++i) {
    if (i == 0 || sum + nanoseconds[i] > budget_ns) {
      cuts.push_back(i);
      sum = 0;
    }
    sum += nanoseconds[i];
  }
  return cuts;
}

CutPlan with_cuts(CutPlan cuts, std::span<const Cut> own, std::size_t dispatches) {
  for (const Cut& cut : own) {
    const auto place = std::ranges::lower_bound(cuts, cut.end);
    const bool is_new = place == cuts.end() || *place != cut.end;
    if (cut.end < dispatches && is_new) cuts.insert(place, cut.end);
  }
  return cuts;
}

CutPlan cuts_everywhere(std::size_t dispatches) {
  CutPlan cuts(dispatches);
  std::iota(cuts.begin(), cuts.end(), std::size_t{0});
  return cuts;
}

void RecordObserver::before(vk::CommandBuffer&, std::size_t, bool) {}
void RecordObserver::after(vk::CommandBuffer&, std::size_t) {}
void RecordObserver::close(vk::CommandBuffer&) {}

DescriptorSets SegmentRecorder::describe(std::size_t index, int slot) const {
  const std::vector<Dispatch>& dispatches = schedule_.plan.segments[index].dispatches;
  std::size_t bindings = 0;
  for (const Dispatch& dispatch : dispatches) bindings += dispatch.bindings.size();
  DescriptorSets descriptors{
      vk::DescriptorPool(context_.device(), static_cast<std::uint32_t>(dispatches.size()),
                         static_cast<std::uint32_t>(bindings)),
      {},
      {},
      store_.copies(schedule_, index, slot)};
  for (const Dispatch& dispatch : dispatches) {
    std::vector<vk::BufferRange> ranges;
    for (const Binding& binding : dispatch.bindings) ranges.push_back(store_.range(schedule_, binding, slot));
    const vk::Pipeline& pipeline = context_.pipelines().get(pipeline_key(dispatch));
    descriptors.sets.push_back(descriptors.pool.allocate(pipeline, ranges));
    std::vector<std::uint32_t>& push = descriptors.push.emplace_back(dispatch.push);
    for (const std::uint32_t binding : dispatch.addresses) {
      const std::uint64_t address =
          context_.device().address(ranges[binding].buffer) + ranges[binding].offset;
      push.push_back(static_cast<std::uint32_t>(address));
      push.push_back(static_cast<std::uint32_t>(address >> 32));
    }
  }
  return descriptors;
}

void SegmentRecorder::record(std::size_t index, const DescriptorSets& descriptors, const CutPlan& cuts,
                             RecordObserver& observer) const {
  const std::vector<Dispatch>& dispatches = schedule_.plan.segments[index].dispatches;
  const BarrierPlan& barriers = schedule_.barriers[index];
  for (std::size_t cut = 0; cut < cuts.size(); ++cut) {
    const std::size_t first = cuts[cut];
    const std::size_t end = cut + 1 < cuts.size() ? cuts[cut + 1] : dispatches.size();
    vk::CommandBuffer& commands = observer.open();
    commands.begin();
    if (cut == 0 && !descriptors.copies.empty()) {
      for (const UploadCopy& copy : descriptors.copies) commands.copy(copy.from, copy.to);
      commands.barrier();
    }
    for (std::size_t i = first; i < end; ++i) {
      const bool has_barrier = i > first && std::ranges::binary_search(barriers, i);
      if (has_barrier) commands.barrier_of_dispatches();
      observer.before(commands, i, has_barrier || i == first);
      record_dispatch(commands, descriptors.sets[i], descriptors.push[i], dispatches[i]);
      observer.after(commands, i);
    }
    commands.end();
    observer.close(commands);
  }
}

void SegmentRecorder::record_dispatch(vk::CommandBuffer& commands, VkDescriptorSet set,
                                      std::span<const std::uint32_t> push, const Dispatch& dispatch) const {
  log_debug("dispatch {}: {} groups {} x {} x {}", dispatch.label, dispatch.kernel.stem, dispatch.groups[0],
            dispatch.groups[1], dispatch.groups[2]);
  commands.begin_label(dispatch.label);
  commands.dispatch(context_.pipelines().get(pipeline_key(dispatch)), set, push, dispatch.groups);
  commands.end_label();
}

}  // namespace vkgpt::plan
