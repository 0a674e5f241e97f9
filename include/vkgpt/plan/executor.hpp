#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "vkgpt/plan/descriptor_sets.hpp"
#include "vkgpt/plan/schedule.hpp"
#include "vkgpt/plan/tensor_store.hpp"
#include "vkgpt/vk/command_buffer.hpp"
#include "vkgpt/vk/context.hpp"
#include "vkgpt/vk/timestamps.hpp"

namespace vkgpt::plan {

/// How long one dispatch of a segment took.
struct DispatchTime {
  std::string label;
  std::string stem;
  Cost cost;
  double nanoseconds = 0;
};

/// Turns a schedule into command buffers and submits them: once recorded, replayed every iteration; or
/// eagerly, dispatch by dispatch, which gives the same bits and the time of each.
class Executor {
 public:
  /// Nanoseconds of work that one recorded command buffer may hold, measured or else estimated: watchdogs
  /// kill long submissions (2 s on Windows and on recent amdgpu).
  static constexpr double kSubmitBudgetNs = 200e6;

  /// Reserves memory. `store` and `context` outlive the executor.
  Executor(vk::Context& context, TensorStore& store, Schedule schedule,
           double submit_budget_ns = kSubmitBudgetNs);
  /// Waits for what is in flight: an error may unwind while the device works.
  ~Executor() { context_.queue().finish(); }
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  const Schedule& schedule() const { return schedule_; }

  /// Builds every pipeline of the schedule (so that the first step compiles nothing).
  void build_pipelines();

  /// Allocates what eager runs of the segment need, which allocate nothing afterwards.
  void reserve_eager(std::string_view segment);

  /// Runs the segment now, one dispatch per submission, and waits. The times also become the measure by which
  /// the next `record` splits the segment, and others that do the same work.
  std::vector<DispatchTime> run_eager(std::string_view segment, int slot);

  /// Records the segment for both slots, replacing what was recorded.
  void record(std::string_view segment);

  /// Replays the segment, recording it first if that has not happened. Returns the timeline value of its end.
  std::uint64_t submit(std::string_view segment, int slot);

  /// Timeline values of the segment's cuts (see `Schedule::cuts`) in its last submission.
  const std::vector<std::uint64_t>& cut_values(std::string_view segment) const;

  /// Command buffers recorded so far and those one replay of `segment` submits.
  int recorded_count() const { return recorded_count_; }
  std::size_t submissions_of(std::string_view segment) const;

 private:
  struct Recording {
    DescriptorSets descriptors;
    std::vector<vk::CommandBuffer> commands;
    std::vector<std::size_t> cut_commands;  // how many of them lie before each cut
  };
  struct SegmentState {
    std::size_t index = 0;                  // in the schedule
    std::vector<double> nanoseconds;        // measured, per dispatch; empty before the first eager run
    std::vector<Recording> slots;           // one per slot once recorded
    std::vector<std::uint64_t> cut_values;  // of the last submission
    std::vector<DescriptorSets> eager;      // one per slot once reserved
    bool is_built = false;                  // its pipelines exist and fit their shaders
  };

  SegmentState& state(std::string_view segment);
  /// The same with its pipelines built.
  SegmentState& built(std::string_view segment);
  Recording record_slot(const SegmentState& state, int slot);
  double estimated_ns(const SegmentState& state, std::size_t dispatch) const;

  /// What tells the time that a dispatch takes: kernel, push constants, workgroups.
  using Work = std::tuple<vk::PipelineKey, std::vector<std::uint32_t>, std::array<std::uint32_t, 3>>;
  static Work work_of(const Dispatch& dispatch);

  vk::Context& context_;
  TensorStore& store_;
  Schedule schedule_;
  double submit_budget_ns_;
  std::map<std::string, SegmentState, std::less<>> segments_;
  std::map<Work, double> measured_;  // nanoseconds, in whatever segment
  int recorded_count_ = 0;
  std::optional<vk::CommandBuffer> eager_commands_;
  vk::Timestamps eager_times_;  // none where the device has no timestamps
};

}  // namespace vkgpt::plan
