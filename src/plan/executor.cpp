#include "vkgpt/plan/executor.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/plan/kernel_list.hpp"
#include "vkgpt/vk/timestamps.hpp"

namespace vkgpt::plan {

Executor::Executor(vk::Context& context, TensorStore& store, Schedule schedule, double submit_budget_ns)
    : context_(context), store_(store), schedule_(std::move(schedule)), submit_budget_ns_(submit_budget_ns) {
  store_.reserve(schedule_);
  for (std::size_t i = 0; i < schedule_.plan.segments.size(); ++i) {
    segments_[schedule_.plan.segments[i].name].index = i;
  }
}

void Executor::build_pipelines() {
  std::vector<vk::PipelineKey> keys;
  for (const Segment& segment : schedule_.plan.segments) {
    for (const Dispatch& dispatch : segment.dispatches) keys.push_back(pipeline_key(dispatch));
  }
  context_.pipelines().prepare(keys);
  context_.pipelines().save();
}

std::vector<DispatchTime> Executor::run_eager(std::string_view segment, int slot) {
  SegmentState& state = this->state(segment);
  const std::vector<Dispatch>& dispatches = schedule_.plan.segments[state.index].dispatches;
  vk::DescriptorPool descriptors = make_descriptors(dispatches);
  vk::CommandBuffer commands(context_.device(), segment);
  const bool has_timestamps = context_.caps().timestamp_period_ns > 0;
  const vk::Timestamps timestamps = has_timestamps ? vk::Timestamps(context_.device(), 2) : vk::Timestamps();

  store_.flush(slot);
  context_.queue().wait_idle();
  std::vector<DispatchTime> times;
  for (const Dispatch& dispatch : dispatches) {
    commands.begin();
    if (has_timestamps) {
      commands.reset_queries(timestamps.pool(), 0, 2);
      commands.write_timestamp(timestamps.pool(), 0);
    }
    record_dispatch(commands, descriptors, dispatch, slot);
    if (has_timestamps) commands.write_timestamp(timestamps.pool(), 1);
    commands.end();
    const auto start = std::chrono::steady_clock::now();
    context_.queue().wait(context_.queue().submit(commands, dispatch.label));
    double ns = std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
    if (has_timestamps) {
      const std::vector<double> ticks = timestamps.read_ns();
      ns = ticks[1] - ticks[0];
    }
    times.push_back({dispatch.label, dispatch.kernel.stem, dispatch.cost, ns});
  }
  state.nanoseconds.clear();
  for (const DispatchTime& time : times) state.nanoseconds.push_back(time.nanoseconds);
  return times;
}

void Executor::record(std::string_view segment) {
  SegmentState& state = this->state(segment);
  context_.queue().wait_idle();
  state.slots.clear();
  for (int slot = 0; slot < kSlotCount; ++slot) state.slots.push_back(record_slot(state, slot));
}

std::uint64_t Executor::submit(std::string_view segment, int slot) {
  SegmentState& state = this->state(segment);
  if (state.slots.empty()) record(segment);
  store_.flush(slot);
  for (const vk::CommandBuffer& commands : state.slots.at(static_cast<std::size_t>(slot)).commands) {
    context_.queue().submit(commands, segment);
  }
  return context_.queue().submitted();
}

std::size_t Executor::submissions_of(std::string_view segment) const {
  const auto found = segments_.find(segment);
  VKGPT_CHECK(found != segments_.end(), "no segment {}", segment);
  return found->second.slots.empty() ? 0 : found->second.slots[0].commands.size();
}

Executor::SegmentState& Executor::state(std::string_view segment) {
  const auto found = segments_.find(segment);
  VKGPT_CHECK(found != segments_.end(), "no segment {}", segment);
  return found->second;
}

const vk::Pipeline& Executor::pipeline_of(const Dispatch& dispatch) {
  return context_.pipelines().get(pipeline_key(dispatch));
}

vk::DescriptorPool Executor::make_descriptors(std::span<const Dispatch> dispatches) const {
  std::size_t bindings = 0;
  for (const Dispatch& dispatch : dispatches) bindings += dispatch.bindings.size();
  return vk::DescriptorPool(context_.device(), static_cast<std::uint32_t>(dispatches.size()),
                            static_cast<std::uint32_t>(bindings));
}

void Executor::record_dispatch(vk::CommandBuffer& commands, vk::DescriptorPool& descriptors,
                               const Dispatch& dispatch, int slot) {
  const vk::Pipeline& pipeline = pipeline_of(dispatch);
  std::vector<vk::BufferRange> ranges;
  for (const Binding& binding : dispatch.bindings) ranges.push_back(store_.range(schedule_, binding, slot));
  commands.begin_label(dispatch.label);
  commands.dispatch(pipeline, descriptors.allocate(pipeline, ranges), dispatch.push, dispatch.groups);
  commands.end_label();
}

Executor::Recording Executor::record_slot(const SegmentState& state, int slot) {
  const Segment& segment = schedule_.plan.segments[state.index];
  const BarrierPlan& barriers = schedule_.barriers[state.index];
  Recording recording{make_descriptors(segment.dispatches), {}};
  double ns = 0;
  for (std::size_t i = 0; i < segment.dispatches.size(); ++i) {
    const double dispatch_ns = estimated_ns(state, i);
    if (i == 0 || ns + dispatch_ns > submit_budget_ns_) {
      if (i > 0) recording.commands.back().end();
      recording.commands.emplace_back(context_.device(), segment.name);
      recording.commands.back().begin();
      ++recorded_count_;
      ns = 0;
    } else if (std::ranges::binary_search(barriers, i)) {
      recording.commands.back().barrier();
    }
    ns += dispatch_ns;
    record_dispatch(recording.commands.back(), recording.descriptors, segment.dispatches[i], slot);
  }
  if (!recording.commands.empty()) recording.commands.back().end();
  return recording;
}

double Executor::estimated_ns(const SegmentState& state, std::size_t dispatch) const {
  if (!state.nanoseconds.empty()) return state.nanoseconds[dispatch];
  // Rates that the slowest devices reach: a CPU driver, an old integrated GPU.
  const double flops_per_ns = context_.caps().is_cpu() ? 5 : 50;
  const double bytes_per_ns = context_.caps().is_cpu() ? 1 : 5;
  const Cost& cost = schedule_.plan.segments[state.index].dispatches[dispatch].cost;
  return std::max(static_cast<double>(cost.flops) / flops_per_ns,
                  static_cast<double>(cost.bytes) / bytes_per_ns);
}

}  // namespace vkgpt::plan
