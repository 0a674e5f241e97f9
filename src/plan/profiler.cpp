#include "vkgpt/plan/profiler.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/plan/kernel_list.hpp"
#include "vkgpt/vk/command_buffer.hpp"
#include "vkgpt/vk/timestamps.hpp"

namespace vkgpt::plan {

/// Command buffers with the numbers of the queries that they write.
struct Profiler::Recording {
  vk::DescriptorPool descriptors;
  vk::Timestamps timestamps;
  std::vector<vk::CommandBuffer> commands;
  std::vector<std::uint32_t> begin_queries, end_queries;  // of each dispatch
  std::vector<int> groups;                                // of each dispatch
};

Profiler::Profiler(vk::Context& context, const TensorStore& store, const Schedule& schedule)
    : context_(context), store_(store), schedule_(schedule), origin_(std::chrono::steady_clock::now()) {
  if (context.caps().timestamp_period_ns == 0) {
    fail("{} has no timestamps: 'vkgpt bench step' measures it by the clock", context.caps().name);
  }
}

ProfiledSegment Profiler::run(std::string_view segment, int slot, std::span<const DispatchTime> expected) {
  const auto found = std::ranges::find(schedule_.plan.segments, segment, &Segment::name);
  VKGPT_CHECK(found != schedule_.plan.segments.end(), "no segment {}", segment);
  VKGPT_CHECK(expected.size() == found->dispatches.size(), "{} times of {} dispatches", expected.size(),
              found->dispatches.size());
  ProfiledSegment profile;
  profile.name = segment;
  profile.record_ns = now_ns();
  const Recording recording =
      record(static_cast<std::size_t>(found - schedule_.plan.segments.begin()), slot, expected);
  store_.flush(slot);
  profile.submit_ns = now_ns();
  for (const vk::CommandBuffer& commands : recording.commands) context_.queue().submit(commands, segment);
  profile.submitted_ns = now_ns();
  context_.queue().wait_idle();
  profile.waited_ns = now_ns();

  if (recording.commands.empty()) return profile;
  const std::vector<double> times = recording.timestamps.read_ns();
  double last = 0;  // dispatches of a group may end in any order
  for (std::size_t i = 0; i < found->dispatches.size(); ++i) {
    const Dispatch& dispatch = found->dispatches[i];
    const double begin = std::max(last, times[recording.begin_queries[i]]);
    last = std::max(begin, times[recording.end_queries[i]]);
    profile.dispatches.push_back({.label = dispatch.label,
                                  .stem = dispatch.kernel.stem,
                                  .cost = dispatch.cost,
                                  .group = recording.groups[i],
                                  .begin_ns = begin,
                                  .end_ns = last});
  }
  return profile;
}

Profiler::Recording Profiler::record(std::size_t segment, int slot, std::span<const DispatchTime> expected) {
  const std::vector<Dispatch>& dispatches = schedule_.plan.segments[segment].dispatches;
  const BarrierPlan& barriers = schedule_.barriers[segment];
  std::uint32_t bindings = 0;
  for (const Dispatch& dispatch : dispatches)
    bindings += static_cast<std::uint32_t>(dispatch.bindings.size());
  const auto count = static_cast<std::uint32_t>(dispatches.size());
  Recording recording;
  if (dispatches.empty()) return recording;
  recording.descriptors = vk::DescriptorPool(context_.device(), count, bindings);
  // One before each dispatch at most, for those that begin a command buffer or come after a barrier.
  recording.timestamps = vk::Timestamps(context_.device(), 2 * count);
  std::uint32_t query = 0;
  double ns = 0;
  for (std::size_t i = 0; i < dispatches.size(); ++i) {
    const bool cuts = i == 0 || ns + expected[i].nanoseconds > Executor::kSubmitBudgetNs;
    const bool has_barrier = cuts || std::ranges::binary_search(barriers, i);
    if (cuts) {
      if (i > 0) recording.commands.back().end();
      recording.commands.emplace_back(context_.device(), schedule_.plan.segments[segment].name);
      recording.commands.back().begin();
      if (i == 0) recording.commands.back().reset_queries(recording.timestamps.pool(), 0, 2 * count);
      ns = 0;
    } else if (has_barrier) {
      recording.commands.back().barrier();
    }
    vk::CommandBuffer& commands = recording.commands.back();
    if (has_barrier) commands.write_timestamp(recording.timestamps.pool(), query++);
    ns += expected[i].nanoseconds;
    recording.begin_queries.push_back(query - 1);
    recording.groups.push_back(i == 0 ? 0 : recording.groups.back() + (has_barrier ? 1 : 0));

    const vk::Pipeline& pipeline = context_.pipelines().get(pipeline_key(dispatches[i]));
    std::vector<vk::BufferRange> ranges;
    for (const Binding& binding : dispatches[i].bindings) {
      ranges.push_back(store_.range(schedule_, binding, slot));
    }
    commands.begin_label(dispatches[i].label);
    commands.dispatch(pipeline, recording.descriptors.allocate(pipeline, ranges), dispatches[i].push,
                      dispatches[i].groups);
    commands.end_label();
    commands.write_timestamp(recording.timestamps.pool(), query);
    recording.end_queries.push_back(query++);
  }
  // Every query must be written before all are read.
  for (; query < 2 * count; ++query) {
    recording.commands.back().write_timestamp(recording.timestamps.pool(), query);
  }
  recording.commands.back().end();
  return recording;
}

double Profiler::now_ns() const {
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - origin_).count();
}

}  // namespace vkgpt::plan
