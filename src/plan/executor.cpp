#include "vkgpt/plan/executor.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/plan/kernel_list.hpp"

#include "plan/segment_recorder.hpp"

namespace vkgpt::plan {
namespace {

/// Submits each dispatch as it is recorded and waits for it.
class EagerRun : public RecordObserver {
 public:
  /// `timestamps` has two queries, or none.
  EagerRun(vk::Context& context, std::span<const Dispatch> dispatches, vk::CommandBuffer& commands,
           const vk::Timestamps& timestamps)
      : context_(context), dispatches_(dispatches), commands_(commands), timestamps_(timestamps) {}

  const std::vector<DispatchTime>& times() const { return times_; }

  vk::CommandBuffer& open() override { return commands_; }
  void before(vk::CommandBuffer& commands, std::size_t, bool) override {
    if (!has_timestamps()) return;
    commands.reset_queries(timestamps_.pool(), 0, 2);
    commands.write_timestamp(timestamps_.pool(), 0);
  }
  void after(vk::CommandBuffer& commands, std::size_t) override {
    if (has_timestamps()) commands.write_timestamp(timestamps_.pool(), 1);
  }
  void close(vk::CommandBuffer& commands) override {
    const Dispatch& dispatch = dispatches_[times_.size()];
    const auto start = std::chrono::steady_clock::now();
    context_.queue().wait(context_.queue().submit(commands, dispatch.label));
    double ns = std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
    if (has_timestamps()) {
      const std::vector<double> ticks = timestamps_.read_ns();
      ns = ticks[1] - ticks[0];
    }
    times_.push_back({dispatch.label, dispatch.kernel.stem, dispatch.cost, ns});
  }

 private:
  bool has_timestamps() const { return timestamps_.count() > 0; }

  vk::Context& context_;
  std::span<const Dispatch> dispatches_;
  vk::CommandBuffer& commands_;
  const vk::Timestamps& timestamps_;
  std::vector<DispatchTime> times_;
};

/// Keeps what is recorded.
class Replay : public RecordObserver {
 public:
  Replay(vk::Context& context, std::string_view segment) : context_(context), segment_(segment) {}

  std::vector<vk::CommandBuffer> take() && { return std::move(commands_); }

  vk::CommandBuffer& open() override { return commands_.emplace_back(context_.device(), segment_); }

 private:
  vk::Context& context_;
  std::string_view segment_;
  std::vector<vk::CommandBuffer> commands_;
};

}  // namespace

Executor::Executor(vk::Context& context, TensorStore& store, Schedule schedule, double submit_budget_ns)
    : context_(context), store_(store), schedule_(std::move(schedule)), submit_budget_ns_(submit_budget_ns) {
  store_.reserve(schedule_);
  for (std::size_t i = 0; i < schedule_.plan.segments.size(); ++i) {
    segments_[schedule_.plan.segments[i].name].index = i;
  }
}

void Executor::build_pipelines() {
  KernelList kernels;
  add_kernels(kernels, schedule_.plan);
  build_kernels(kernels, context_.pipelines());
  context_.pipelines().save();
  for (auto& [name, state] : segments_) state.is_built = true;
}

void Executor::reserve_eager(std::string_view segment) {
  SegmentState& state = built(segment);
  if (!state.eager.empty()) return;
  const SegmentRecorder recorder(context_, store_, schedule_);
  for (int slot = 0; slot < kSlotCount; ++slot) state.eager.push_back(recorder.describe(state.index, slot));
  if (eager_commands_) return;
  eager_commands_.emplace(context_.device(), "eager");
  if (context_.caps().timestamp_period_ns > 0) eager_times_ = vk::Timestamps(context_.device(), 2);
}

std::vector<DispatchTime> Executor::run_eager(std::string_view segment, int slot) {
  reserve_eager(segment);
  SegmentState& state = this->state(segment);
  const std::vector<Dispatch>& dispatches = schedule_.plan.segments[state.index].dispatches;
  store_.flush(slot);
  context_.queue().wait_idle();
  EagerRun run(context_, dispatches, *eager_commands_, eager_times_);
  const SegmentRecorder recorder(context_, store_, schedule_);
  recorder.record(state.index, state.eager.at(static_cast<std::size_t>(slot)),
                  cuts_everywhere(dispatches.size()), run);
  state.nanoseconds.clear();
  for (const DispatchTime& time : run.times()) {
    measured_.insert_or_assign(work_of(dispatches[state.nanoseconds.size()]), time.nanoseconds);
    state.nanoseconds.push_back(time.nanoseconds);
  }
  return run.times();
}

void Executor::record(std::string_view segment) {
  SegmentState& state = built(segment);
  context_.queue().wait_idle();
  state.slots.clear();
  for (int slot = 0; slot < kSlotCount; ++slot) state.slots.push_back(record_slot(state, slot));
}

std::uint64_t Executor::submit(std::string_view segment, int slot) {
  SegmentState& state = this->state(segment);
  if (state.slots.empty()) record(segment);
  store_.flush(slot);
  const Recording& recording = state.slots.at(static_cast<std::size_t>(slot));
  const std::uint64_t before = context_.queue().submitted();
  for (const vk::CommandBuffer& commands : recording.commands) context_.queue().submit(commands, segment);
  state.cut_values.clear();
  for (const std::size_t commands : recording.cut_commands) state.cut_values.push_back(before + commands);
  return context_.queue().submitted();
}

const std::vector<std::uint64_t>& Executor::cut_values(std::string_view segment) const {
  const auto found = segments_.find(segment);
  VKGPT_CHECK(found != segments_.end(), "no segment {}", segment);
  return found->second.cut_values;
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

Executor::SegmentState& Executor::built(std::string_view segment) {
  SegmentState& state = this->state(segment);
  if (state.is_built) return state;
  KernelList kernels;
  add_kernels(kernels, schedule_.plan.segments[state.index]);
  build_kernels(kernels, context_.pipelines());
  state.is_built = true;
  return state;
}

Executor::Recording Executor::record_slot(const SegmentState& state, int slot) {
  const Segment& segment = schedule_.plan.segments[state.index];
  std::vector<double> nanoseconds;
  for (std::size_t i = 0; i < segment.dispatches.size(); ++i) nanoseconds.push_back(estimated_ns(state, i));
  Replay replay(context_, segment.name);
  const SegmentRecorder recorder(context_, store_, schedule_);
  DescriptorSets descriptors = recorder.describe(state.index, slot);
  const CutPlan cuts = with_cuts(cuts_within(nanoseconds, submit_budget_ns_), schedule_.cuts_of(segment.name),
                                 segment.dispatches.size());
  recorder.record(state.index, descriptors, cuts, replay);
  Recording recording{std::move(descriptors), std::move(replay).take(), {}};
  for (const Cut& cut : schedule_.cuts_of(segment.name)) {
    recording.cut_commands.push_back(
        static_cast<std::size_t>(std::ranges::lower_bound(cuts, cut.end) - cuts.begin()));
  }
  recorded_count_ += static_cast<int>(recording.commands.size());
  return recording;
}

Executor::Work Executor::work_of(const Dispatch& dispatch) {
  return {pipeline_key(dispatch), dispatch.push, dispatch.groups};
}

double Executor::estimated_ns(const SegmentState& state, std::size_t dispatch) const {
  if (!state.nanoseconds.empty()) return state.nanoseconds[dispatch];
  const Dispatch& work = schedule_.plan.segments[state.index].dispatches[dispatch];
  if (const auto found = measured_.find(work_of(work)); found != measured_.end()) return found->second;
  // Rates that the slowest devices reach: a CPU driver, an old integrated GPU.
  const double flops_per_ns = context_.caps().is_cpu() ? 5 : 50;
  const double bytes_per_ns = context_.caps().is_cpu() ? 1 : 5;
  return std::max(static_cast<double>(work.cost.flops) / flops_per_ns,
                  static_cast<double>(work.cost.bytes) / bytes_per_ns);
}

}  // namespace vkgpt::plan
