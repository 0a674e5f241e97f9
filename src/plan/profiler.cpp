#include "vkgpt/plan/profiler.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/vk/command_buffer.hpp"
#include "vkgpt/vk/timestamps.hpp"

#include "plan/segment_recorder.hpp"

namespace vkgpt::plan {
namespace {

/// Writes a timestamp after every dispatch, and one before each that begins a group.
class TimedRecording : public RecordObserver {
 public:
  TimedRecording(vk::Context& context, std::string_view segment, std::size_t dispatches)
      : context_(context),
        segment_(segment),
        timestamps_(context.device(), static_cast<std::uint32_t>(2 * dispatches)) {}

  std::span<const vk::CommandBuffer> commands() const { return commands_; }

  vk::CommandBuffer& open() override { return commands_.emplace_back(context_.device(), segment_); }

  void before(vk::CommandBuffer& commands, std::size_t dispatch, bool begins_group) override {
    if (dispatch == 0) commands.reset_queries(timestamps_.pool(), 0, timestamps_.count());
    if (begins_group) commands.write_timestamp(timestamps_.pool(), query_++);
    const int group = marks_.empty() ? 0 : marks_.back().group + (begins_group ? 1 : 0);
    marks_.push_back({.begin_query = query_ - 1, .group = group});
  }

  void after(vk::CommandBuffer& commands, std::size_t dispatch) override {
    marks_.back().end_query = query_;
    commands.write_timestamp(timestamps_.pool(), query_++);
    if (2 * (dispatch + 1) < timestamps_.count()) return;
    // All queries are read together, so the ones left over are written too.
    while (query_ < timestamps_.count()) commands.write_timestamp(timestamps_.pool(), query_++);
  }

  /// Once the commands have completed.
  std::vector<ProfiledDispatch> read(std::span<const Dispatch> dispatches) const {
    const std::vector<double> times = timestamps_.read_ns();
    std::vector<ProfiledDispatch> profiled;
    double last = 0;  // dispatches of a group may end in any order
    for (std::size_t i = 0; i < dispatches.size(); ++i) {
      const double begin = std::max(last, times[marks_[i].begin_query]);
      last = std::max(begin, times[marks_[i].end_query]);
      profiled.push_back({.label = dispatches[i].label,
                          .stem = dispatches[i].kernel.stem,
                          .cost = dispatches[i].cost,
                          .group = marks_[i].group,
                          .begin_ns = begin,
                          .end_ns = last});
    }
    return profiled;
  }

 private:
  struct Mark {
    std::uint32_t begin_query = 0;
    std::uint32_t end_query = 0;
    int group = 0;
  };

  vk::Context& context_;
  std::string_view segment_;
  vk::Timestamps timestamps_;
  std::vector<vk::CommandBuffer> commands_;
  std::vector<Mark> marks_;  // of each dispatch
  std::uint32_t query_ = 0;
};

}  // namespace

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
  profile.submit_ns = profile.submitted_ns = profile.waited_ns = profile.record_ns;
  if (expected.empty()) return profile;
  std::vector<double> nanoseconds;
  for (const DispatchTime& time : expected) nanoseconds.push_back(time.nanoseconds);
  TimedRecording recording(context_, segment, expected.size());
  SegmentRecorder recorder(context_, store_, schedule_);
  const auto index = static_cast<std::size_t>(found - schedule_.plan.segments.begin());
  const DescriptorSets descriptors = recorder.describe(index, slot);
  recorder.record(index, descriptors, cuts_within(nanoseconds, Executor::kSubmitBudgetNs), recording);
  store_.flush(slot);
  profile.submit_ns = now_ns();
  for (const vk::CommandBuffer& commands : recording.commands()) context_.queue().submit(commands, segment);
  profile.submitted_ns = now_ns();
  context_.queue().wait_idle();
  profile.waited_ns = now_ns();
  profile.dispatches = recording.read(found->dispatches);
  return profile;
}

double Profiler::now_ns() const {
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - origin_).count();
}

}  // namespace vkgpt::plan
